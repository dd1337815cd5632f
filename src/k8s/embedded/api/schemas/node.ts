import {
  always,
  anything,
  boolean,
  int32,
  int64,
  list,
  listMap,
  map,
  merging,
  pointer,
  quantity,
  required,
  set,
  string,
  struct,
  time,
} from '../schema.ts';
import { objectMeta } from './meta.ts';

export const taint = struct('core.v1.Taint', {
  key: required(string),
  value: string,
  effect: required(string),
  timeAdded: pointer(time),
});

export const nodeSpec = struct('core.v1.NodeSpec', {
  podCIDR: string,
  podCIDRs: merging(set(string), 'merge'),
  providerID: string,
  unschedulable: boolean,
  taints: list(taint),
  configSource: anything,
  externalID: string,
});

export const nodeCondition = struct('core.v1.NodeCondition', {
  type: required(string),
  status: required(string),
  lastHeartbeatTime: always(time),
  lastTransitionTime: always(time),
  reason: string,
  message: string,
});

export const nodeAddress = struct('core.v1.NodeAddress', {
  type: required(string),
  address: required(string),
});

export const daemonEndpoint = struct('core.v1.DaemonEndpoint', {
  Port: required(int32),
});

export const nodeDaemonEndpoints = struct('core.v1.NodeDaemonEndpoints', {
  kubeletEndpoint: always(daemonEndpoint),
});

export const nodeSwapStatus = struct('core.v1.NodeSwapStatus', {
  capacity: pointer(int64),
});

export const nodeSystemInfo = struct('core.v1.NodeSystemInfo', {
  machineID: required(string),
  systemUUID: required(string),
  bootID: required(string),
  kernelVersion: required(string),
  osImage: required(string),
  containerRuntimeVersion: required(string),
  kubeletVersion: required(string),
  kubeProxyVersion: required(string),
  operatingSystem: required(string),
  architecture: required(string),
  swap: nodeSwapStatus,
});

export const containerImage = struct('core.v1.ContainerImage', {
  names: always(list(string)),
  sizeBytes: int64,
});

export const nodeStatus = struct('core.v1.NodeStatus', {
  capacity: map(quantity),
  allocatable: map(quantity),
  phase: string,
  conditions: merging(listMap(nodeCondition, ['type']), 'merge', 'type'),
  addresses: merging(listMap(nodeAddress, ['type']), 'merge', 'type'),
  daemonEndpoints: always(nodeDaemonEndpoints),
  nodeInfo: always(nodeSystemInfo),
  images: list(containerImage),
  volumesInUse: list(string),
  volumesAttached: list(anything),
  config: anything,
  runtimeHandlers: list(anything),
  features: anything,
  declaredFeatures: list(string),
});

export const node = struct('core.v1.Node', {
  metadata: always(objectMeta),
  spec: always(nodeSpec),
  status: always(nodeStatus),
});
