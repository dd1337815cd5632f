import type { HTTPRoute, HTTPRouteRule, ParentReference } from '../../resources.ts';
import { type Backend, type ResolvedBackend, resolveBackend } from './backends.ts';
import { type Finding, isFalse, isTrue, sentence } from './conditions.ts';
import { anyHostname, intersectHostnames } from './hostnames.ts';
import { type Listener, referencedListeners } from './listeners.ts';
import { type RuleActions, ruleActions, ruleProblem } from './rules.ts';
import type { GatewayState } from './state.ts';

/** A rule ready to serve. */
export interface ServedRule {
  rule: HTTPRouteRule;
  index: number;
  actions: RuleActions;
  backends: readonly Backend[];
}

/** A route with all that its parents made of it. */
export interface EvaluatedRoute {
  route: HTTPRoute;
  rules: readonly ServedRule[];
  /** Host name to the listeners over which the route answers to it. */
  hostnames: ReadonlyMap<string, readonly Listener[]>;
  /** One entry per parentRef to a Gateway of ours. */
  parents: readonly { parentRef: ParentReference; findings: Finding[] }[];
}

export function evaluateRoute(
  state: GatewayState,
  route: HTTPRoute,
  listeners: readonly Listener[],
  ownsAddress: (address: string) => boolean,
): EvaluatedRoute {
  const rules = evaluateRules(state, route, ownsAddress);
  const hostnames = new Map<string, Listener[]>();
  const parents: EvaluatedRoute['parents'][number][] = [];
  for (const parentRef of route.spec.parentRefs ?? []) {
    const referenced = referencedListeners(listeners, route, parentRef);
    if (!referenced) continue;
    const attached = attach(route, referenced);
    const refused = 'finding' in attached ? attached.finding : rules.rejected;
    if (!refused && 'hosts' in attached) {
      for (const [host, listener] of attached.hosts) hostnames.set(host, [...(hostnames.get(host) ?? []), listener]);
    }
    const accepted = refused ? [refused] : [isTrue('Accepted', 'Accepted', 'Route is accepted'), ...rules.partial];
    parents.push({ parentRef, findings: [...accepted, rules.resolvedRefs] });
  }
  return { route, rules: rules.served, hostnames, parents };
}

type Attachment = { finding: Finding } | { hosts: [host: string, listener: Listener][] };

function attach(route: HTTPRoute, referenced: readonly Listener[]): Attachment {
  const refuse = (reason: string, message: string) => ({ finding: isFalse('Accepted', reason, message) });
  if (referenced.length === 0) return refuse('NoMatchingParent', 'No listeners match this parent ref');
  const admitting = referenced.filter((listener) => listener.admits(route));
  if (admitting.length === 0) {
    return refuse('NotAllowedByListeners', 'No listeners included by this parent ref allowed this attachment.');
  }
  const usable = admitting.filter((listener) => listener.usable);
  if (usable.length === 0) return refuse('Pending', 'There are no ready listeners for this parent ref');
  const hosts = usable.flatMap((listener) =>
    routeHostnames(route).flatMap((hostname): [string, Listener][] => {
      const host = intersectHostnames(listener.hostname, hostname);
      return host === null ? [] : [[host, listener]];
    }),
  );
  if (hosts.length > 0) return { hosts };
  const message = "There were no hostname intersections between the HTTPRoute and this parent ref's Listener(s).";
  return refuse('NoMatchingListenerHostname', message);
}

function routeHostnames({ spec }: HTTPRoute): string[] {
  return spec.hostnames?.length ? spec.hostnames.map((hostname) => hostname.toLowerCase()) : [anyHostname];
}

interface EvaluatedRules {
  served: ServedRule[];
  /** Accepted=False when no rule can be served. */
  rejected: Finding | null;
  /** PartiallyInvalid when some can't. */
  partial: Finding[];
  resolvedRefs: Finding;
}

function evaluateRules(
  state: GatewayState,
  route: HTTPRoute,
  ownsAddress: (address: string) => boolean,
): EvaluatedRules {
  const rules = route.spec.rules?.length ? route.spec.rules : [{}];
  const problems = rules.map(ruleProblem);
  const dropped = problems.flatMap((problem, index) => (problem === null ? [] : [index]));
  const firstProblem = sentence(problems.find((problem) => problem !== null) ?? '');
  const resolved = rules.map((rule) =>
    (rule.backendRefs ?? []).map((ref) => resolveBackend(state, route, ref, ownsAddress)),
  );
  const rejected = dropped.length === rules.length ? isFalse('Accepted', 'UnsupportedValue', firstProblem) : null;
  const droppedMessage = `Dropped Rule(s) [${dropped.join(' ')}]: ${firstProblem}`;
  return {
    served: rules.flatMap((rule, index) =>
      dropped.includes(index) ? [] : [{ rule, index, actions: ruleActions(rule), backends: resolved[index] ?? [] }],
    ),
    rejected,
    partial: dropped.length > 0 && !rejected ? [isTrue('PartiallyInvalid', 'UnsupportedValue', droppedMessage)] : [],
    resolvedRefs: resolvedRefs(resolved.flat()),
  };
}

function resolvedRefs(backends: readonly ResolvedBackend[]): Finding {
  const problem = backends.find((backend) => backend.problem !== null)?.problem;
  return problem
    ? isFalse('ResolvedRefs', problem.reason, sentence(problem.message))
    : isTrue('ResolvedRefs', 'ResolvedRefs', 'Resolved all the Object references for the Route');
}
