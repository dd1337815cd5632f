import {
  type Gateway,
  gateways,
  type HTTPRoute,
  httpRoutes,
  type KubeObject,
  type PolicyTargetRef,
  type Resource,
  type SecurityPolicy,
} from '../../k8s/resources.ts';
import { matchesSelector } from '../../k8s/selectors.ts';
import { authAnnotation, policyNameOf } from './names.ts';
import { simpleRule } from './route.ts';
import type { GatewayAuthKind } from './service.ts';

/** What a policy names as its targets; those it selects by label are not among them. */
export function targetsOf(policy: SecurityPolicy): PolicyTargetRef[] {
  return [...(policy.spec.targetRefs ?? []), ...(policy.spec.targetRef ? [policy.spec.targetRef] : [])];
}

/** True for policies that find their targets by label: any object of their namespace may be one. */
export const selects = ({ spec }: SecurityPolicy): boolean => (spec.targetSelectors?.length ?? 0) > 0;

type Target = Pick<KubeObject['metadata'], 'name' | 'namespace' | 'labels'>;

/** The references by which a policy is attached to an object; one without sectionName for a selected object. */
function attachments(policy: SecurityPolicy, resource: Resource, target: Target): PolicyTargetRef[] {
  if (policy.metadata.namespace !== target.namespace) return [];
  const { group, kind } = resource;
  const { name } = target;
  const named = targetsOf(policy).filter((ref) => ref.kind === kind && ref.group === group && ref.name === name);
  const selected = (policy.spec.targetSelectors ?? []).some(
    (selector) =>
      selector.kind === kind && (selector.group ?? group) === group && matchesSelector(selector, target.labels),
  );
  return selected ? [...named, { group, kind, name }] : named;
}

/** The policies attached to a route, those for a single rule of it too. */
export function attachedTo(route: Target, policies: Iterable<SecurityPolicy>): SecurityPolicy[] {
  return [...policies].filter((policy) => attachments(policy, httpRoutes, route).length > 0);
}

/** The policy attached to a Gateway that a route inherits: a listener's before the whole Gateway's. */
export function inheritedPolicy(
  gateway: Gateway,
  listeners: readonly string[],
  policies: Iterable<SecurityPolicy>,
): SecurityPolicy | null {
  const found: { policy: SecurityPolicy; specific: boolean }[] = [];
  for (const policy of policies) {
    for (const { sectionName } of attachments(policy, gateways, gateway.metadata)) {
      if (sectionName !== undefined && !listeners.includes(sectionName)) continue;
      found.push({ policy, specific: sectionName !== undefined });
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

/** The policy is attached to one named object and nothing else. */
export const hasOneTarget = (policy: SecurityPolicy): boolean => targetsOf(policy).length === 1 && !selects(policy);

/** The route is one rule to one Service, and its protection is one policy for it alone. */
export function simpleGateway(route: HTTPRoute, attached: readonly SecurityPolicy[]): boolean {
  const [policy, ...others] = attached;
  if (!simpleRule(route) || others.length > 0) return false;
  if (!policy) return true;
  return (
    policy.metadata.name === policyNameOf(route.metadata.name) &&
    hasOneTarget(policy) &&
    targetsOf(policy)[0]?.sectionName === undefined
  );
}
