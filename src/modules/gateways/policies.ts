import {
  gateways,
  type HTTPRoute,
  httpRoutes,
  type PolicyTargetRef,
  type SecurityPolicy,
} from '../../k8s/resources.ts';
import { authAnnotation, policyNameOf } from './names.ts';
import { simpleRule } from './route.ts';
import type { GatewayAuthKind, ParentName } from './service.ts';

export function targetsOf(policy: SecurityPolicy): PolicyTargetRef[] {
  return [...(policy.spec.targetRefs ?? []), ...(policy.spec.targetRef ? [policy.spec.targetRef] : [])];
}

const targetsRoute = (target: PolicyTargetRef, route: string): boolean =>
  target.kind === httpRoutes.kind && target.group === httpRoutes.group && target.name === route;

/** The policies attached to a route, those for a single rule of it too. */
export function attachedTo(
  route: { namespace?: string | undefined; name: string },
  policies: Iterable<SecurityPolicy>,
): SecurityPolicy[] {
  return [...policies].filter(
    (policy) =>
      policy.metadata.namespace === route.namespace &&
      targetsOf(policy).some((target) => targetsRoute(target, route.name)),
  );
}

/** The policy attached to a Gateway that a route inherits: a listener's before the whole Gateway's. */
export function inheritedPolicy(
  parent: ParentName,
  listeners: readonly string[],
  policies: Iterable<SecurityPolicy>,
): SecurityPolicy | null {
  const found: { policy: SecurityPolicy; specific: boolean }[] = [];
  for (const policy of policies) {
    if (policy.metadata.namespace !== parent.namespace) continue;
    for (const target of targetsOf(policy)) {
      if (target.kind !== gateways.kind || target.name !== parent.name) continue;
      if (target.sectionName !== undefined && !listeners.includes(target.sectionName)) continue;
      found.push({ policy, specific: target.sectionName !== undefined });
    }
  }
  found.sort((a, b) => Number(b.specific) - Number(a.specific) || byAge(a.policy, b.policy));
  return found[0]?.policy ?? null;
}

/** Of two policies on one target the older wins, then the name. */
export function byAge(a: SecurityPolicy, b: SecurityPolicy): number {
  const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return x === y ? (a.metadata.name < b.metadata.name ? -1 : 1) : x < y ? -1 : 1;
}

const asked: Record<string, GatewayAuthKind> = { none: 'NONE', basic: 'BASIC', apiKey: 'API_KEY', jwt: 'JWT' };

/** What the annotation of a route says was asked for; null when nothing does. */
export function askedFor(route: HTTPRoute): GatewayAuthKind | null {
  const word = route.metadata.annotations?.[authAnnotation];
  return word === undefined ? null : (asked[word] ?? 'OTHER');
}

/** The annotation for a kind. */
export function authWord(kind: GatewayAuthKind): string {
  return Object.entries(asked).find(([, value]) => value === kind)?.[0] ?? 'none';
}

/** The route is one rule to one Service, and its protection is one policy for it alone. */
export function simpleGateway(route: HTTPRoute, attached: readonly SecurityPolicy[]): boolean {
  const [policy, ...others] = attached;
  if (!simpleRule(route) || others.length > 0) return false;
  if (!policy) return true;
  const targets = targetsOf(policy);
  return (
    policy.metadata.name === policyNameOf(route.metadata.name) &&
    targets.length === 1 &&
    targets[0]?.sectionName === undefined
  );
}
