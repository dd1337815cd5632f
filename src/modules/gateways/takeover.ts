import type { Condition, HTTPRoute, ParentReference } from '../../k8s/resources.ts';
import { conditionOf, gatewayClaimed, type ParentLookup } from './parents.ts';
import { parentsOf } from './route.ts';
import type { GatewayAuthKind, ParentName, Policy } from './service.ts';
import type { ParentTarget } from './targets.ts';

/** The embedded gateway sees everything in the order in which it was written. */
const inOrder: readonly (string | null)[] = ['slipway.dev/gateway-controller'];

/**
 * Whether a route must be closed while its protection is put in place: not where nobody serves it, nor where a filter of
 * it names the policy, so that both come as one.
 */
export function needsClosing({ policies, controller, gateway }: ParentTarget): boolean {
  return policies !== undefined && !policies.filter && !inOrder.includes(controller) && gatewayClaimed(gateway);
}

/** The same kind of protection changes in place; another one needs another check of the data plane. */
export const changesKind = (before: GatewayAuthKind, after: GatewayAuthKind): boolean =>
  after !== 'NONE' && before !== after;

interface Said {
  ref: Pick<ParentReference, 'name' | 'namespace'>;
  conditions?: Condition[] | undefined;
}

type Judged = HTTPRoute | Policy;

function saidOf(object: Judged): Said[] {
  const { ancestors = [], parents = [] } = (object.status ?? {}) as {
    ancestors?: { ancestorRef: Said['ref']; conditions?: Condition[] }[];
    parents?: { parentRef: Said['ref']; conditions?: Condition[] }[];
  };
  return [
    ...ancestors.map(({ ancestorRef, conditions }) => ({ ref: ancestorRef, conditions })),
    ...parents.map(({ parentRef, conditions }) => ({ ref: parentRef, conditions })),
  ];
}

/** What the controller of a Gateway says of an object as it is now; null: nothing yet. */
function verdict(object: Judged, parent: ParentName): Condition['status'] | null {
  const { metadata } = object;
  for (const { ref, conditions } of saidOf(object)) {
    if (ref.name !== parent.name || (ref.namespace ?? metadata.namespace) !== parent.namespace) continue;
    const accepted = conditionOf(conditions, 'Accepted');
    if (accepted && (accepted.observedGeneration ?? 0) >= (metadata.generation ?? 0)) return accepted.status;
  }
  return null;
}

type Lookup = Pick<ParentLookup, 'gateway'>;

/** The Gateways of a route that a controller may serve; one out of our sight may be among them. */
function serving(route: HTTPRoute, lookup: Lookup): ParentName[] {
  return parentsOf(route).filter(({ namespace, name }) => {
    const gateway = lookup.gateway(namespace, name);
    return !gateway || gatewayClaimed(gateway);
  });
}

/** Every controller that serves the route has accepted it and its policy as they are now, and at least one does. */
export function isTaken(route: HTTPRoute, policy: Policy, lookup: Lookup): boolean {
  const parents = serving(route, lookup);
  return (
    parents.length > 0 &&
    parents.every((parent) => verdict(policy, parent) === 'True' && verdict(route, parent) === 'True')
  );
}

/** Some controller refuses it as it is now: what it had of it before is gone. */
export const isRefused = (object: Judged, route: HTTPRoute, lookup: Lookup): boolean =>
  serving(route, lookup).some((parent) => verdict(object, parent) === 'False');
