import {
  type Gateway,
  gateways,
  type HTTPRoute,
  type HTTPRouteFilter,
  httpRoutes,
  type KubeObject,
  type PolicyTargetRef,
  type Resource,
} from '../../k8s/resources.ts';
import { matchesSelector } from '../../k8s/selectors.ts';
import { authAnnotation, managedByLabel, policyNameOf } from './names.ts';
import { simpleRule } from './route.ts';
import type { GatewayAuthKind, Policy } from './service.ts';

/** What a policy names as its targets; those it selects by label are not among them. */
export function targetsOf(policy: Policy): PolicyTargetRef[] {
  return [...(policy.spec.targetRefs ?? []), ...(policy.spec.targetRef ? [policy.spec.targetRef] : [])];
}

/** True for policies that find their targets by label: any object of their namespace may be one. */
export const selects = ({ spec }: Policy): boolean => (spec.targetSelectors?.length ?? 0) > 0;

type Target = Pick<KubeObject['metadata'], 'name' | 'namespace' | 'labels'>;

/** The references by which a policy is attached to an object; one without sectionName for a selected object. */
function attachments(policy: Policy, resource: Resource, target: Target): PolicyTargetRef[] {
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
export function attachedTo(route: HTTPRoute, policies: Iterable<Policy>): Policy[] {
  return [...policies].filter(
    (policy) => isNamed(policy, route) || attachments(policy, httpRoutes, route.metadata).length > 0,
  );
}

type Extension = NonNullable<HTTPRouteFilter['extensionRef']>;

/** The objects that filters of a route name: what is in force is part of the route. */
export function extensionsOf({ spec }: HTTPRoute): Extension[] {
  const filters = (spec.rules ?? []).flatMap((rule) => rule.filters ?? []);
  return filters.flatMap(({ extensionRef }) => extensionRef ?? []);
}

/** The key under which a route finds a policy that its filters name. */
export const extensionKey = (namespace: string | undefined, { group, kind, name }: Extension): string =>
  `${namespace}/${name} ${kind}.${group}`;

export const keyOfPolicy = ({ apiVersion, kind, metadata: { namespace, name } }: Policy): string =>
  extensionKey(namespace, { group: apiVersion.split('/')[0] ?? '', kind, name });

function isNamed(policy: Policy, route: HTTPRoute): boolean {
  const { namespace } = route.metadata;
  return extensionsOf(route).some((extension) => extensionKey(namespace, extension) === keyOfPolicy(policy));
}

/** The policy has a status for each Gateway; one that a filter names has none, for the route's own status says all. */
export const hasTargets = (policy: Policy): boolean => targetsOf(policy).length > 0 || selects(policy);

/** The policy attached to a Gateway that a route inherits: a listener's before the whole Gateway's. */
export function inheritedPolicy(
  gateway: Gateway,
  listeners: readonly string[],
  policies: Iterable<Policy>,
): Policy | null {
  const found: { policy: Policy; specific: boolean }[] = [];
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
export function byAge(a: Policy, b: Policy): number {
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

/** The policy serves one route and nothing else: it names it alone, or is one that Slipway made for a filter of it. */
export const hasOneTarget = (policy: Policy): boolean =>
  hasTargets(policy)
    ? targetsOf(policy).length === 1 && !selects(policy)
    : policy.metadata.labels?.[managedByLabel] === 'slipway';

/** The route is one rule to one Service, and its protection is one policy for it alone. */
export function simpleGateway(route: HTTPRoute, attached: readonly Policy[]): boolean {
  const [policy, ...others] = attached;
  if (!simpleRule(route) || others.length > 0) return false;
  if (!policy) return true;
  return (
    policy.metadata.name === policyNameOf(route.metadata.name) &&
    hasOneTarget(policy) &&
    targetsOf(policy)[0]?.sectionName === undefined
  );
}
