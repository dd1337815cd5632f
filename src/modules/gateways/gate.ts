import { randomBytes } from 'node:crypto';
import type { JsonPatchOperation } from '../../k8s/cluster.ts';
import type { HTTPRoute, HTTPRouteMatch } from '../../k8s/resources.ts';

/**
 * A controller reads policies and routes from watches of their own, so a route may reach the data plane before the policy
 * that was written before it. Until the controller has said that it has the policy, the route asks for a header whose
 * value nobody knows.
 */
const gateHeader = 'x-slipway-gate';

/** The route of one rule and match, closed. */
export function gated(route: HTTPRoute): HTTPRoute {
  const headers = [{ name: gateHeader, value: randomBytes(24).toString('base64url') }];
  const rules = route.spec.rules?.map((rule) => ({
    ...rule,
    matches: rule.matches?.map((match) => ({ ...match, headers })) ?? [{ headers }],
  }));
  return { ...route, spec: { ...route.spec, ...(rules && { rules }) } };
}

export const isGate = ({ headers = [] }: HTTPRouteMatch): boolean =>
  headers.length === 1 && headers[0]?.name === gateHeader;

export function isGated(route: HTTPRoute): boolean {
  const match = route.spec.rules?.[0]?.matches?.[0];
  return match !== undefined && isGate(match);
}

export const openPatch: readonly JsonPatchOperation[] = [{ op: 'remove', path: '/spec/rules/0/matches/0/headers' }];
