import {
  always,
  anything,
  atomic,
  boolean,
  defaulted,
  int32,
  intOrString,
  list,
  listMap,
  map,
  merging,
  pointer,
  required,
  string,
  struct,
} from '../schema.ts';
import { condition, objectMeta } from './meta.ts';

export const servicePort = struct('core.v1.ServicePort', {
  name: string,
  protocol: defaulted(string, 'TCP'),
  appProtocol: pointer(string),
  port: required(int32),
  targetPort: intOrString,
  nodePort: int32,
});

export const serviceSpec = struct('core.v1.ServiceSpec', {
  ports: merging(listMap(servicePort, ['port', 'protocol']), 'merge', 'port'),
  selector: atomic(map(string)),
  clusterIP: string,
  clusterIPs: list(string),
  type: string,
  externalIPs: list(string),
  sessionAffinity: string,
  loadBalancerIP: string,
  loadBalancerSourceRanges: list(string),
  externalName: string,
  externalTrafficPolicy: string,
  healthCheckNodePort: int32,
  publishNotReadyAddresses: boolean,
  sessionAffinityConfig: anything,
  ipFamilies: list(string),
  ipFamilyPolicy: pointer(string),
  allocateLoadBalancerNodePorts: pointer(boolean),
  loadBalancerClass: pointer(string),
  internalTrafficPolicy: pointer(string),
  trafficDistribution: pointer(string),
});

export const loadBalancerIngress = struct('core.v1.LoadBalancerIngress', {
  ip: string,
  hostname: string,
  ipMode: pointer(string),
  ports: list(anything),
});

export const loadBalancerStatus = struct('core.v1.LoadBalancerStatus', {
  ingress: list(loadBalancerIngress),
});

export const serviceStatus = struct('core.v1.ServiceStatus', {
  loadBalancer: always(loadBalancerStatus),
  conditions: merging(listMap(condition, ['type']), 'merge', 'type'),
});

export const service = struct('core.v1.Service', {
  metadata: always(objectMeta),
  spec: always(serviceSpec),
  status: always(serviceStatus),
});
