import {
  type Condition,
  type Gateway,
  type GatewayClass,
  gatewayClasses,
  gateways,
  httpRoutes,
  type KubeObject,
  type Resource,
  type SecurityPolicy,
  securityPolicies,
} from '../../resources.ts';
import { controllerName, type Finding, gatewayGroup, isFalse, isTrue } from './conditions.ts';
import type { Listener } from './listeners.ts';
import type { Policies } from './policies.ts';
import type { EvaluatedRoute } from './routes.ts';
import type { GatewayState } from './state.ts';

/** A status as it should be. */
export interface StatusUpdate {
  resource: Resource;
  object: KubeObject;
  status: Record<string, unknown>;
}

export interface Evaluation {
  state: GatewayState;
  listeners: readonly Listener[];
  routes: readonly EvaluatedRoute[];
  policies: Policies;
}

/** The statuses that differ from what is stored. `now` is RFC 3339. */
export function statusUpdates(evaluation: Evaluation, now: string): StatusUpdate[] {
  const { state, listeners, routes, policies } = evaluation;
  const ofOurs = new Map<Gateway, Listener[]>(Map.groupBy(listeners, ({ gateway }) => gateway));
  const updates: StatusUpdate[] = [
    ...state.classes
      .filter(({ spec }) => spec.controllerName === controllerName)
      .map((object) => ({ resource: gatewayClasses as Resource, object, status: classStatus(object, now) })),
    ...[...ofOurs].map(([object, own]) => {
      return { resource: gateways, object, status: gatewayStatus(object, own, routes, now) };
    }),
    ...routes.map((evaluated) => {
      return { resource: httpRoutes, object: evaluated.route, status: routeStatus(evaluated, now) };
    }),
    ...state.policies.map((object) => {
      return { resource: securityPolicies, object, status: policyStatus(object, policies, now) };
    }),
  ];
  return updates.filter(({ object, status }) => {
    const present = (object as { status?: Record<string, unknown> }).status ?? {};
    return Object.entries(status).some(([field, value]) => !equal(present[field] ?? [], value));
  });
}

function classStatus(object: GatewayClass, now: string): Record<string, unknown> {
  const findings = [isTrue('Accepted', 'Accepted', 'Valid GatewayClass')];
  return { conditions: conditions(object, object.status?.conditions, findings, now) };
}

function gatewayStatus(
  gateway: Gateway,
  listeners: readonly Listener[],
  routes: readonly EvaluatedRoute[],
  now: string,
): Record<string, unknown> {
  const serving = listeners.some(({ usable }) => usable);
  const findings = serving
    ? [
        isTrue('Accepted', 'Accepted', 'The Gateway is accepted'),
        isTrue('Programmed', 'Programmed', 'The embedded gateway serves this Gateway'),
      ]
    : [
        isFalse('Accepted', 'ListenersNotValid', 'None of the listeners can be served'),
        isFalse('Programmed', 'Invalid', 'None of the listeners can be served'),
      ];
  return {
    addresses: serving ? [{ type: 'IPAddress', value: '127.0.0.1' }] : [],
    conditions: conditions(gateway, gateway.status?.conditions, findings, now),
    listeners: listeners.map((listener) => {
      const present = gateway.status?.listeners?.find(({ name }) => name === listener.name);
      return {
        name: listener.name,
        attachedRoutes: routes.filter(({ hostnames }) => [...hostnames.values()].flat().includes(listener)).length,
        supportedKinds: [{ group: gatewayGroup, kind: 'HTTPRoute' }],
        conditions: conditions(gateway, present?.conditions, listener.findings, now),
      };
    }),
  };
}

/** Our entries anew, those of other controllers as they are. */
function routeStatus({ route, parents }: EvaluatedRoute, now: string): Record<string, unknown> {
  const present = route.status?.parents ?? [];
  const others = present.filter((entry) => entry.controllerName !== controllerName);
  const own = parents.map(({ parentRef, findings }) => {
    const before = present.find(
      (entry) => entry.controllerName === controllerName && equal(entry.parentRef, parentRef),
    );
    return { parentRef, controllerName, conditions: conditions(route, before?.conditions, findings, now) };
  });
  return { parents: [...others, ...own] };
}

function policyStatus(policy: SecurityPolicy, { findings }: Policies, now: string): Record<string, unknown> {
  const present = policy.status?.ancestors ?? [];
  const others = present.filter((entry) => entry.controllerName !== controllerName);
  const own = (findings.get(policy) ?? []).map(({ ancestor, finding }) => {
    const before = present.find(
      (entry) => entry.controllerName === controllerName && equal(entry.ancestorRef, ancestor),
    );
    return {
      ancestorRef: ancestor,
      controllerName,
      conditions: conditions(policy, before?.conditions, [finding], now),
    };
  });
  return { ancestors: [...others, ...own] };
}

/** Conditions for the object's present generation; the transition time moves only when the status does. */
function conditions(
  object: KubeObject,
  present: readonly Condition[] | undefined,
  findings: readonly Finding[],
  now: string,
): Condition[] {
  return findings.map((finding) => {
    const before = present?.find(({ type }) => type === finding.type);
    const lastTransitionTime = before?.status === finding.status ? (before.lastTransitionTime ?? now) : now;
    return { ...finding, observedGeneration: object.metadata.generation ?? 1, lastTransitionTime };
  });
}

/** Equal as JSON, whatever the order of keys. */
function equal(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
