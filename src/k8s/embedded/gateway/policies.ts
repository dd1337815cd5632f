import type {
  Gateway,
  HTTPRoute,
  KubeObject,
  ParentReference,
  PolicyTargetRef,
  SecurityPolicy,
} from '../../resources.ts';
import { matchesSelector } from '../../selectors.ts';
import type { Guard } from './auth/guard.ts';
import { type Finding, gatewayGroup, isFalse, isTrue, sentence } from './conditions.ts';
import { type Listener, referencedListeners } from './listeners.ts';
import type { GatewayState } from './state.ts';
import { compilePolicy, type Protection, type ProtectionParts } from './protection.ts';

/** What one policy says of itself under one Gateway. */
export interface AncestorFinding {
  ancestor: ParentReference;
  finding: Finding;
}

/** Which policy governs what, and what to write into each policy's status. */
export interface Policies {
  /** The most specific policy in force: rule, route, listener, Gateway; null when there is none. */
  guard(route: HTTPRoute, ruleName: string | undefined, listener: Listener): Guard | null;
  /** Only policies with at least one target of ours. */
  findings: ReadonlyMap<SecurityPolicy, readonly AncestorFinding[]>;
}

interface Target {
  key: string;
  label: string;
  ancestors: ParentReference[];
  problem: Finding | null;
}

export function resolvePolicies(parts: ProtectionParts, listeners: readonly Listener[]): Policies {
  const claims = new Map<string, Protection>();
  const findings = new Map<SecurityPolicy, AncestorFinding[]>();
  for (const policy of parts.state.policies) {
    const targets = targetRefs(policy, parts.state).flatMap((ref) => findTarget(policy, ref, parts, listeners) ?? []);
    if (targets.length === 0) continue;
    const protection = compilePolicy(policy, parts);
    const found: AncestorFinding[] = [];
    for (const target of targets) {
      const finding = claim(claims, target, protection);
      for (const ancestor of target.ancestors) addFinding(found, ancestor, finding);
    }
    findings.set(policy, found);
  }
  return {
    findings,
    guard(route, ruleName, { gateway, name }) {
      const keys = [
        ...(ruleName === undefined ? [] : [targetKey('HTTPRoute', route, ruleName)]),
        targetKey('HTTPRoute', route),
        targetKey('Gateway', gateway, name),
        targetKey('Gateway', gateway),
      ];
      const key = keys.find((candidate) => claims.has(candidate));
      return key === undefined ? null : (claims.get(key)?.guard ?? null);
    },
  };
}

/** Policies come oldest first, so the first to claim a target has it. */
function claim(claims: Map<string, Protection>, target: Target, protection: Protection): Finding {
  if (target.problem) return target.problem;
  if (claims.has(target.key)) {
    const message = `Unable to target ${target.label}, another SecurityPolicy has already attached to it`;
    return isFalse('Accepted', 'Conflicted', message);
  }
  claims.set(target.key, protection);
  return protection.problem === null
    ? isTrue('Accepted', 'Accepted', 'Policy has been accepted.')
    : isFalse('Accepted', 'Invalid', sentence(protection.problem));
}

/** Of two findings for one Gateway the bad one counts. */
function addFinding(found: AncestorFinding[], ancestor: ParentReference, finding: Finding): void {
  const present = found.find((entry) => JSON.stringify(entry.ancestor) === JSON.stringify(ancestor));
  if (!present) found.push({ ancestor, finding });
  else if (finding.status === 'False') present.finding = finding;
}

/** The targets by name, then those that a selector finds in the policy's own namespace. */
function targetRefs({ metadata, spec }: SecurityPolicy, state: GatewayState): PolicyTargetRef[] {
  const named = spec.targetRefs ?? (spec.targetRef ? [spec.targetRef] : []);
  const selected = (spec.targetSelectors ?? []).flatMap((selector) => {
    const { group = gatewayGroup, kind } = selector;
    const candidates: readonly KubeObject[] =
      kind === 'HTTPRoute' ? state.routes : kind === 'Gateway' ? state.gateways : [];
    return candidates
      .filter((object) => object.metadata.namespace === metadata.namespace)
      .filter((object) => matchesSelector(selector, object.metadata.labels))
      .map((object) => ({ group, kind, name: object.metadata.name }));
  });
  return [...named, ...selected.filter(({ kind, name }) => !named.some((n) => n.kind === kind && n.name === name))];
}

/** Null for what isn't there or isn't ours: such a policy gets no status. */
function findTarget(
  policy: SecurityPolicy,
  ref: PolicyTargetRef,
  { state }: ProtectionParts,
  listeners: readonly Listener[],
): Target | null {
  const { namespace } = policy.metadata;
  const isTarget = ({ metadata }: HTTPRoute | Gateway) =>
    metadata.name === ref.name && metadata.namespace === namespace;
  if (ref.group !== gatewayGroup) return null;
  if (ref.kind === 'HTTPRoute') {
    const route = state.routes.find(isTarget);
    return route ? routeTarget(route, ref, listeners) : null;
  }
  const ofGateway = ref.kind === 'Gateway' ? listeners.filter(({ gateway }) => isTarget(gateway)) : [];
  const gateway = ofGateway[0]?.gateway;
  if (!gateway) return null;
  const known = ref.sectionName === undefined || ofGateway.some(({ name }) => name === ref.sectionName);
  return {
    key: targetKey('Gateway', gateway, ref.sectionName),
    label: ref.sectionName === undefined ? `Gateway ${ref.name}` : `Listener ${ref.name}/${ref.sectionName}`,
    ancestors: [gatewayReference(gateway, ref.sectionName)],
    problem: known ? null : sectionMissing(ref, namespace),
  };
}

function routeTarget(route: HTTPRoute, ref: PolicyTargetRef, listeners: readonly Listener[]): Target | null {
  const ancestors = (route.spec.parentRefs ?? []).flatMap((parent) => {
    const { sectionName, port: _, ...whole } = parent;
    const [first] = referencedListeners(listeners, route, whole) ?? [];
    return first ? [gatewayReference(first.gateway, sectionName)] : [];
  });
  if (ancestors.length === 0) return null;
  const known = ref.sectionName === undefined || route.spec.rules?.some(({ name }) => name === ref.sectionName);
  return {
    key: targetKey('HTTPRoute', route, ref.sectionName),
    label: ref.sectionName === undefined ? `HTTPRoute ${ref.name}` : `RouteRule ${ref.name}/${ref.sectionName}`,
    ancestors,
    problem: known ? null : sectionMissing(ref, route.metadata.namespace),
  };
}

function sectionMissing(ref: PolicyTargetRef, namespace: string | undefined): Finding {
  const message = `No section name ${ref.sectionName} found for ${ref.kind} ${namespace}/${ref.name}`;
  return isFalse('Accepted', 'TargetNotFound', message);
}

function gatewayReference({ metadata }: Gateway, sectionName: string | undefined): ParentReference {
  return {
    group: gatewayGroup,
    kind: 'Gateway',
    ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
    name: metadata.name,
    ...(sectionName !== undefined && { sectionName }),
  };
}

function targetKey(kind: string, { metadata }: HTTPRoute | Gateway, section = ''): string {
  return `${kind}/${metadata.namespace}/${metadata.name}/${section}`;
}
