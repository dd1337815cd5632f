import type { Definition } from '../definition.ts';
import { configMap, event, namespace, node, secret, serviceAccount } from './core.ts';
import { gateway, gatewayClass, httpRoute, referenceGrant, securityPolicy } from './gateway-api.ts';
import { endpointSlice, service } from './network.ts';
import { pod } from './pod.ts';
import { deployment, replicaSet } from './workloads.ts';

/** Every kind this server stores, in the order in which discovery lists their groups. */
export const kinds: readonly Definition[] = [
  configMap,
  event,
  namespace,
  node,
  pod,
  secret,
  serviceAccount,
  service,
  deployment,
  replicaSet,
  endpointSlice,
  gatewayClass,
  gateway,
  httpRoute,
  referenceGrant,
  securityPolicy,
];
