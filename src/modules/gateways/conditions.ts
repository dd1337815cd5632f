import type { Condition, Gateway, HTTPRoute, KubeObject } from '../../k8s/resources.ts';
import type { ObjectRef } from '../runs/service.ts';
import type { GatewayConditionView, Policy } from './service.ts';

export function referenceTo({ apiVersion, kind, metadata }: KubeObject): ObjectRef {
  return { apiVersion, kind, namespace: metadata.namespace ?? null, name: metadata.name };
}

function conditionViews(object: KubeObject, conditions: readonly Condition[] | undefined): GatewayConditionView[] {
  return (conditions ?? []).map((condition) => ({
    object: referenceTo(object),
    type: condition.type,
    status: condition.status,
    reason: condition.reason ?? null,
    message: condition.message || null,
    at: condition.lastTransitionTime ? Date.parse(condition.lastTransitionTime) : null,
    observedGeneration: condition.observedGeneration ?? null,
    current: (condition.observedGeneration ?? 0) >= (object.metadata.generation ?? 0),
  }));
}

/** Everything the cluster says about a gateway, as it says it. */
export function conditionsOf(
  route: HTTPRoute,
  policies: readonly Policy[],
  parents: readonly (Gateway | undefined)[],
): GatewayConditionView[] {
  return [
    ...(route.status?.parents ?? []).flatMap(({ conditions }) => conditionViews(route, conditions)),
    ...policies.flatMap((policy) =>
      (policy.status?.ancestors ?? []).flatMap(({ conditions }) => conditionViews(policy, conditions)),
    ),
    ...parents.flatMap((gateway) => (gateway ? conditionViews(gateway, gateway.status?.conditions) : [])),
  ];
}
