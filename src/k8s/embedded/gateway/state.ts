import {
  type ConfigMap,
  configMaps,
  type EndpointSlice,
  endpointSlices,
  type Gateway,
  type GatewayClass,
  gatewayClasses,
  gateways,
  type HTTPRoute,
  httpRoutes,
  type KubeObject,
  namespaces,
  type ReferenceGrant,
  type Resource,
  referenceGrants,
  type Secret,
  type SecurityPolicy,
  type Service,
  secrets,
  securityPolicies,
  services,
} from '../../resources.ts';
import type { EmbeddedApi } from '../api/service.ts';
import { compareAge } from './matching.ts';

/** Every kind that the routing table is made of. */
export const watchedKinds: readonly Resource[] = [
  gatewayClasses,
  gateways,
  httpRoutes,
  services,
  endpointSlices,
  secrets,
  configMaps,
  securityPolicies,
  referenceGrants,
  namespaces,
] as Resource[];

/** What the routing table is made of, at one moment. Lists are oldest first. */
export interface GatewayState {
  classes: readonly GatewayClass[];
  gateways: readonly Gateway[];
  routes: readonly HTTPRoute[];
  policies: readonly SecurityPolicy[];
  grants: readonly ReferenceGrant[];
  service(namespace: string, name: string): Service | undefined;
  secret(namespace: string, name: string): Secret | undefined;
  configMap(namespace: string, name: string): ConfigMap | undefined;
  slices(namespace: string, service: string): readonly EndpointSlice[];
  namespaceLabels(name: string): Readonly<Record<string, string>>;
}

export function readState(api: EmbeddedApi): GatewayState {
  const slicesByService = Map.groupBy(api.list(endpointSlices), (slice) => {
    return `${slice.metadata.namespace}/${slice.metadata.labels?.['kubernetes.io/service-name']}`;
  });
  return {
    classes: sorted(api.list(gatewayClasses)),
    gateways: sorted(api.list(gateways)),
    routes: sorted(api.list(httpRoutes)),
    policies: sorted(api.list(securityPolicies)),
    grants: sorted(api.list(referenceGrants)),
    service: (namespace, name) => api.get(services, namespace, name),
    secret: (namespace, name) => api.get(secrets, namespace, name),
    configMap: (namespace, name) => api.get(configMaps, namespace, name),
    slices: (namespace, service) => slicesByService.get(`${namespace}/${service}`) ?? [],
    // The label every namespace has on a real cluster, whether or not anybody wrote it.
    namespaceLabels: (name) => ({
      'kubernetes.io/metadata.name': name,
      ...api.get(namespaces, undefined, name)?.metadata.labels,
    }),
  };
}

function sorted<T extends KubeObject>(objects: T[]): T[] {
  return objects.toSorted(compareAge);
}

/** Where a reference comes from and what it wants: what a ReferenceGrant speaks of. */
export interface Reference {
  from: { group: string; kind: string; namespace: string };
  to: { group: string; kind: string; namespace: string; name: string };
}

/** Whether a reference stays in its namespace or a ReferenceGrant beside its target allows it. */
export function isPermitted(state: GatewayState, { from, to }: Reference): boolean {
  if (from.namespace === to.namespace) return true;
  return state.grants.some(
    ({ metadata, spec }) =>
      metadata.namespace === to.namespace &&
      spec.from.some((f) => f.group === from.group && f.kind === from.kind && f.namespace === from.namespace) &&
      spec.to.some((t) => t.group === to.group && t.kind === to.kind && (t.name ?? to.name) === to.name),
  );
}
