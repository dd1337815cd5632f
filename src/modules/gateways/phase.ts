import type { Condition, Gateway, GatewayListener, HTTPRoute } from '../../k8s/resources.ts';
import { conditionOf } from './parents.ts';
import { hasTargets } from './policies.ts';
import type { Millis } from '../runs/service.ts';
import { parentSentence, policySentence, type ReasonNames, routeSentence } from './reasons.ts';
import type { GatewayAuthKind, GatewayPhase, ParentName, Policy } from './service.ts';

/** How long a controller has to say its first word. */
export const claimGraceMs = 15_000;
/** Caches of two kinds don't fill at the same moment: how long a new route's policy may be unseen. */
export const policyGraceMs = 3_000;

/** One parent a route asks for, with what the cluster says of it. */
export interface ParentState {
  ref: ParentName;
  gateway: Gateway | undefined;
  /** Out of our sight: what the controller says of the route is all we know. */
  hidden: boolean;
  /** Its listeners that take the route. */
  taking: readonly GatewayListener[];
}

export interface PhaseInput {
  route: HTTPRoute;
  parents: readonly ParentState[];
  /** What the route says was asked for; null: nothing. */
  asked: GatewayAuthKind | null;
  /** The policies attached to the route itself, oldest first. */
  attached: readonly Policy[];
  /** What the one in force stands for. */
  kind: GatewayAuthKind;
  /** A policy was attached before: that none is now is no matter of caches that fill one after the other. */
  wasProtected: boolean;
  /** The policy of the name that the route's own one has, wherever it is attached. */
  strayed: boolean;
  /** Nobody gets through: until the protection is in force, or while the policy is missing that a filter of the route names. */
  closed: boolean;
  /** From when on it will be open, as far as that is known. */
  opensAt: Millis | null;
  /** Hostnames of the route that no listener takes. */
  unserved: readonly string[];
  names: Omit<ReasonNames, 'parent' | 'detail'>;
  now: Millis;
}

export interface Phase {
  phase: GatewayPhase;
  message: string | null;
  /** When the phase may change by itself. */
  changesAt: Millis | null;
}

type Finding = Phase & { rank: number };
const ranks: GatewayPhase[] = ['UNPROTECTED', 'DELETING', 'REJECTED', 'UNCLAIMED', 'PROGRESSING'];
const found = (phase: GatewayPhase, message: string, changesAt: Millis | null = null): Finding => ({
  phase,
  message,
  changesAt,
  rank: ranks.indexOf(phase),
});

/** READY only when nothing speaks against it: route, parents and policy, for their present generations. */
export function phaseOf(input: PhaseInput): Phase {
  const findings = [
    ...(input.closed ? [closed(input)] : []),
    ...protection(input),
    ...input.parents.flatMap((parent) => parentFindings(input, parent)),
  ];
  if (input.route.metadata.deletionTimestamp) findings.push(found('DELETING', 'The gateway is being deleted.'));
  if (input.parents.length === 0) {
    findings.push(found('UNCLAIMED', 'The route names no Gateway, so nothing serves it. Choose a parent.'));
  }
  // While it is closed nobody gets through, whatever the protection would do.
  const held = input.closed ? findings.map(withoutAlarm) : findings;
  const [worst] = held.sort((a, b) => a.rank - b.rank);
  if (!worst) return { phase: 'READY', message: passedOver(input), changesAt: null };
  const times = findings.map(({ changesAt }) => changesAt).filter((at) => at !== null);
  return { phase: worst.phase, message: worst.message, changesAt: times.length > 0 ? Math.min(...times) : null };
}

function closed({ opensAt }: PhaseInput): Finding {
  if (opensAt === null)
    return found('PROGRESSING', 'The gateway is closed, and opens by itself once its protection is in force.');
  const time = new Date(opensAt).toISOString().slice(11, 19);
  const message = `The gateway is closed until ${time} UTC, when its protection is in force for every connection. Wait.`;
  return found('PROGRESSING', message);
}

function passedOver({ unserved }: PhaseInput): string | null {
  if (unserved.length === 0) return null;
  return `No listener serves ${unserved.join(', ')}: who calls that gets 404. Take it out of the route, or choose a Gateway that does.`;
}

const withoutAlarm = (finding: Finding): Finding =>
  finding.phase === 'UNPROTECTED' ? found('REJECTED', finding.message ?? '', finding.changesAt) : finding;

const createdAt = (object: { metadata: { creationTimestamp?: string } }, now: Millis): Millis =>
  object.metadata.creationTimestamp ? Date.parse(object.metadata.creationTimestamp) : now;

function current(condition: Condition | undefined, generation: number | undefined): condition is Condition {
  return condition !== undefined && (condition.observedGeneration ?? 0) >= (generation ?? 0);
}

function protection(input: PhaseInput): Finding[] {
  const { asked, attached, kind, now, names } = input;
  const [policy] = attached;
  const wanted = asked !== null && asked !== 'NONE';
  if (kind === 'UNKNOWN') {
    const message = 'Slipway may not read the policies of this cluster, so it does not know whether this is protected.';
    return [found('PROGRESSING', message)];
  }
  if (!policy) {
    if (!wanted) return [];
    const until = createdAt(input.route, now) + policyGraceMs;
    if (now < until && !input.wasProtected)
      return [found('PROGRESSING', 'The protection is being put in place.', until)];
    if (input.closed) {
      const message = `The policy ${names.policy} is missing, so nobody gets through. Set the protection again.`;
      return [found('REJECTED', message)];
    }
    const why = input.strayed
      ? `the policy ${names.policy} is attached to something else`
      : `the policy ${names.policy} is missing`;
    return [found('UNPROTECTED', `This gateway should be protected, but ${why}. Set the protection again.`)];
  }
  if (wanted && kind === 'NONE') {
    const message = `This gateway should be protected, but the policy ${policy.metadata.name} asks nobody for anything. Set it again.`;
    return [found('UNPROTECTED', message)];
  }
  if (kind === 'NONE') return [];
  // Of several the oldest is in force. Where the route's own one is not, what was asked for is not.
  const judged = attached.filter((one) => one === policy || (wanted && one.metadata.name === names.policy));
  return judged.filter(hasTargets).flatMap((one) => policyFindings(input, one));
}

function policyFindings(input: PhaseInput, policy: Policy): Finding[] {
  const { now } = input;
  const names = { ...input.names, policy: policy.metadata.name };
  return input.parents.flatMap(({ ref, gateway, hidden }) => {
    // While nobody serves the route there is nothing to protect, and the route's own state says more.
    if ((!gateway && !hidden) || !claimed(input.route, ref)) return [];
    const parent = `${ref.namespace}/${ref.name}`;
    const entries = (policy.status?.ancestors ?? []).filter(
      ({ ancestorRef }) =>
        ancestorRef.name === ref.name && (ancestorRef.namespace ?? policy.metadata.namespace) === ref.namespace,
    );
    if (entries.length === 0) {
      const until = Math.max(createdAt(input.route, now), createdAt(policy, now)) + claimGraceMs;
      if (now < until) return [found('PROGRESSING', 'The gateway has not looked at the policy yet.', until)];
      const message = `The Gateway ${parent} takes no notice of the policy ${names.policy}. Set the protection again.`;
      return [found('UNPROTECTED', message)];
    }
    return entries.flatMap(({ conditions }) =>
      ancestorFindings(conditions, policy, { ...names, parent, detail: null }),
    );
  });
}

/** Not in force: requests pass without it. */
const powerless = new Set(['Conflicted', 'TargetNotFound', 'Overridden']);

function ancestorFindings(conditions: readonly Condition[] | undefined, policy: Policy, names: ReasonNames): Finding[] {
  const { generation } = policy.metadata;
  for (const type of powerless) {
    const condition = conditionOf(conditions, type);
    if (current(condition, generation) && condition.status === 'True') {
      return [found('UNPROTECTED', policySentence(type, names))];
    }
  }
  const accepted = conditionOf(conditions, 'Accepted');
  if (!current(accepted, generation) || accepted.status === 'Unknown') {
    return [found('PROGRESSING', 'The gateway has not taken over the latest policy yet.')];
  }
  if (accepted.status === 'True') return [];
  const phase = powerless.has(accepted.reason ?? '') ? 'UNPROTECTED' : 'REJECTED';
  return [found(phase, policySentence(accepted.reason, { ...names, detail: accepted.message ?? null }))];
}

function entriesOf(route: HTTPRoute, ref: ParentName) {
  return (route.status?.parents ?? []).filter(
    ({ parentRef }) =>
      parentRef.name === ref.name &&
      (parentRef.namespace ?? route.metadata.namespace) === ref.namespace &&
      (parentRef.sectionName ?? null) === ref.sectionName,
  );
}

const claimed = (route: HTTPRoute, ref: ParentName): boolean => entriesOf(route, ref).length > 0;

function parentFindings(input: PhaseInput, { ref, gateway, hidden, taking }: ParentState): Finding[] {
  const { route, now } = input;
  const parent = `${ref.namespace}/${ref.name}`;
  const names: ReasonNames = { ...input.names, parent, detail: null };
  const entries = entriesOf(route, ref);
  const known = gateway !== undefined || hidden;
  if (!known || entries.length === 0) {
    const message = known
      ? `No controller has taken this route for ${parent}. Check that its GatewayClass has a controller that runs.`
      : `The Gateway ${parent} does not exist. Choose another parent.`;
    const until = createdAt(route, now) + claimGraceMs;
    if (now >= until) return [found('UNCLAIMED', message)];
    return [found('PROGRESSING', known ? `Waiting for the Gateway ${parent} to take the route.` : message, until)];
  }
  return [
    ...entries.flatMap(({ conditions }) => routeFindings(conditions, route, names)),
    ...(gateway ? gatewayFindings(gateway, taking, names) : []),
  ];
}

function routeFindings(
  conditions: readonly Condition[] | undefined,
  { metadata: { generation } }: HTTPRoute,
  names: ReasonNames,
): Finding[] {
  const findings: Finding[] = [];
  for (const type of ['Accepted', 'ResolvedRefs']) {
    const condition = conditionOf(conditions, type);
    if (!current(condition, generation) || condition.status === 'Unknown') {
      findings.push(found('PROGRESSING', 'The gateway has not taken over the latest route yet.'));
    } else if (condition.status === 'False') {
      const sentence = routeSentence(condition.reason, { ...names, detail: condition.message ?? null });
      findings.push(found('REJECTED', sentence));
    }
  }
  const partly = conditionOf(conditions, 'PartiallyInvalid');
  if (partly?.status === 'True' && current(partly, generation)) {
    const said = partly.message ? ` It says: ${partly.message}` : '';
    findings.push(found('REJECTED', `The gateway serves only a part of this route.${said} Correct the route.`));
  }
  return findings;
}

function gatewayFindings(gateway: Gateway, taking: readonly GatewayListener[], names: ReasonNames): Finding[] {
  const { generation } = gateway.metadata;
  const programmed = conditionOf(gateway.status?.conditions, 'Programmed');
  const waiting = `The Gateway ${names.parent} is being set up.`;
  if (!current(programmed, generation) || programmed.status === 'Unknown') return [found('PROGRESSING', waiting)];
  if (programmed.status === 'False') return [found('REJECTED', parentSentence('NotProgrammed', names))];
  const listeners = (gateway.status?.listeners ?? []).filter(({ name }) => taking.some((one) => one.name === name));
  const states = listeners.map(({ conditions }) => conditionOf(conditions, 'Programmed')?.status);
  if (states.length > 0 && states.every((state) => state === 'False')) {
    return [found('REJECTED', parentSentence('ListenerNotProgrammed', names))];
  }
  return [];
}
