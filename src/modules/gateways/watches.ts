import type { Watch } from '../../k8s/cluster.ts';
import {
  endpointSlices,
  gatewayClasses,
  gateways,
  httpRoutes,
  middlewares,
  namespaces,
  securityPolicies,
  services,
} from '../../k8s/resources.ts';
import { type PolicyRule, watch } from '../../module.ts';
import { isExposable } from './exposable.ts';
import { protects } from './traefik.ts';

/** A cluster without Gateway API or Envoy Gateway has no gateways, and everything else works. */
export const gatewayWatches: readonly Watch[] = [
  watch({ resource: httpRoutes, optional: true }),
  watch({ resource: gateways, optional: true }),
  watch({ resource: gatewayClasses, optional: true }),
  watch({ resource: securityPolicies, optional: true }),
  watch({ resource: middlewares, optional: true, alternative: true, wants: protects }),
  watch({ resource: namespaces, optional: true }),
  watch({ resource: services, wants: isExposable }),
  watch({ resource: endpointSlices }),
];

const read = ['get', 'list', 'watch'];

/** Writes go out with the caller's rights; only opening, and what a mutation that died has left, is done with our own. */
export const gatewayRules: readonly PolicyRule[] = [
  { apiGroups: ['gateway.networking.k8s.io'], resources: ['httproutes'], verbs: ['patch'] },
  { apiGroups: ['gateway.networking.k8s.io'], resources: ['httproutes', 'gateways', 'gatewayclasses'], verbs: read },
  { apiGroups: ['gateway.envoyproxy.io'], resources: ['securitypolicies'], verbs: [...read, 'patch', 'delete'] },
  { apiGroups: ['gateway.envoyproxy.io'], resources: ['envoyproxies'], verbs: ['get'] },
  { apiGroups: ['traefik.io'], resources: ['middlewares'], verbs: [...read, 'patch', 'delete'] },
  { apiGroups: [''], resources: ['namespaces', 'services'], verbs: read },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: read },
];

/** What callers need to expose services and to make the passwords and keys for it. */
export const callerRules: readonly PolicyRule[] = [
  { apiGroups: ['gateway.networking.k8s.io'], resources: ['httproutes'], verbs: ['get', 'create', 'patch', 'delete'] },
  {
    apiGroups: ['gateway.envoyproxy.io'],
    resources: ['securitypolicies'],
    verbs: ['get', 'create', 'patch', 'delete'],
  },
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'create', 'patch', 'delete'] },
];
