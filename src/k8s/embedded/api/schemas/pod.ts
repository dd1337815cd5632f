import {
  always,
  anything,
  atomic,
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
  string,
  struct,
  time,
} from '../schema.ts';
import {
  appArmorProfile,
  container,
  ephemeralContainer,
  resourceRequirements,
  seLinuxOptions,
  seccompProfile,
} from './container.ts';
import { objectMeta } from './meta.ts';
import { affinity, toleration, topologySpreadConstraint } from './scheduling.ts';
import { localObjectReference, volume } from './volumes.ts';

export const sysctl = struct('core.v1.Sysctl', {
  name: required(string),
  value: required(string),
});

export const podSecurityContext = struct('core.v1.PodSecurityContext', {
  seLinuxOptions: seLinuxOptions,
  windowsOptions: anything,
  runAsUser: pointer(int64),
  runAsGroup: pointer(int64),
  runAsNonRoot: pointer(boolean),
  supplementalGroups: list(int64),
  supplementalGroupsPolicy: pointer(string),
  fsGroup: pointer(int64),
  sysctls: list(sysctl),
  fsGroupChangePolicy: pointer(string),
  seccompProfile: seccompProfile,
  appArmorProfile: appArmorProfile,
  seLinuxChangePolicy: pointer(string),
});

export const hostAlias = struct('core.v1.HostAlias', {
  ip: required(string),
  hostnames: list(string),
});

export const podDNSConfigOption = struct('core.v1.PodDNSConfigOption', {
  name: string,
  value: pointer(string),
});

export const podDNSConfig = struct('core.v1.PodDNSConfig', {
  nameservers: list(string),
  searches: list(string),
  options: list(podDNSConfigOption),
});

export const podReadinessGate = struct('core.v1.PodReadinessGate', {
  conditionType: required(string),
});

export const podOS = struct('core.v1.PodOS', {
  name: required(string),
});

export const podSchedulingGate = struct('core.v1.PodSchedulingGate', {
  name: required(string),
});

export const podResourceClaim = struct('core.v1.PodResourceClaim', {
  name: required(string),
  resourceClaimName: pointer(string),
  resourceClaimTemplateName: pointer(string),
});

export const podSpec = struct('core.v1.PodSpec', {
  volumes: merging(listMap(volume, ['name']), 'merge,retainKeys', 'name'),
  initContainers: merging(listMap(container, ['name']), 'merge', 'name'),
  containers: merging(required(listMap(container, ['name'])), 'merge', 'name'),
  ephemeralContainers: merging(listMap(ephemeralContainer, ['name']), 'merge', 'name'),
  restartPolicy: string,
  terminationGracePeriodSeconds: pointer(int64),
  activeDeadlineSeconds: pointer(int64),
  dnsPolicy: string,
  nodeSelector: atomic(map(string)),
  serviceAccountName: string,
  serviceAccount: string,
  automountServiceAccountToken: pointer(boolean),
  nodeName: string,
  hostNetwork: boolean,
  hostPID: boolean,
  hostIPC: boolean,
  shareProcessNamespace: pointer(boolean),
  securityContext: podSecurityContext,
  imagePullSecrets: merging(listMap(localObjectReference, ['name']), 'merge', 'name'),
  hostname: string,
  subdomain: string,
  affinity: affinity,
  schedulerName: string,
  tolerations: list(toleration),
  hostAliases: merging(listMap(hostAlias, ['ip']), 'merge', 'ip'),
  priorityClassName: string,
  priority: pointer(int32),
  dnsConfig: podDNSConfig,
  readinessGates: list(podReadinessGate),
  runtimeClassName: pointer(string),
  enableServiceLinks: pointer(boolean),
  preemptionPolicy: pointer(string),
  overhead: map(quantity),
  topologySpreadConstraints: merging(
    listMap(topologySpreadConstraint, ['topologyKey', 'whenUnsatisfiable']),
    'merge',
    'topologyKey',
  ),
  setHostnameAsFQDN: pointer(boolean),
  os: podOS,
  hostUsers: pointer(boolean),
  schedulingGates: merging(listMap(podSchedulingGate, ['name']), 'merge', 'name'),
  resourceClaims: merging(listMap(podResourceClaim, ['name']), 'merge,retainKeys', 'name'),
  resources: resourceRequirements,
  hostnameOverride: pointer(string),
  schedulingGroup: anything,
});

export const podCondition = struct('core.v1.PodCondition', {
  type: required(string),
  observedGeneration: int64,
  status: required(string),
  lastProbeTime: always(time),
  lastTransitionTime: always(time),
  reason: string,
  message: string,
});

export const hostIP = struct('core.v1.HostIP', {
  ip: required(string),
});

export const podIP = struct('core.v1.PodIP', {
  ip: required(string),
});

export const containerStateWaiting = struct('core.v1.ContainerStateWaiting', {
  reason: string,
  message: string,
});

export const containerStateRunning = struct('core.v1.ContainerStateRunning', {
  startedAt: always(time),
});

export const containerStateTerminated = struct('core.v1.ContainerStateTerminated', {
  exitCode: required(int32),
  signal: int32,
  reason: string,
  message: string,
  startedAt: always(time),
  finishedAt: always(time),
  containerID: string,
});

export const containerState = struct('core.v1.ContainerState', {
  waiting: containerStateWaiting,
  running: containerStateRunning,
  terminated: containerStateTerminated,
});

export const imageVolumeStatus = struct('core.v1.ImageVolumeStatus', {
  imageRef: required(string),
});

export const volumeStatus = struct('core.v1.VolumeStatus', {
  image: imageVolumeStatus,
});

export const volumeMountStatus = struct('core.v1.VolumeMountStatus', {
  name: required(string),
  mountPath: required(string),
  readOnly: boolean,
  recursiveReadOnly: pointer(string),
  volumeStatus: volumeStatus,
});

export const containerStatus = struct('core.v1.ContainerStatus', {
  name: required(string),
  state: always(containerState),
  lastState: always(containerState),
  ready: required(boolean),
  restartCount: required(int32),
  image: required(string),
  imageID: required(string),
  containerID: string,
  started: pointer(boolean),
  allocatedResources: map(quantity),
  resources: resourceRequirements,
  volumeMounts: merging(listMap(volumeMountStatus, ['mountPath']), 'merge', 'mountPath'),
  user: anything,
  allocatedResourcesStatus: merging(listMap(anything, ['name']), 'merge', 'name'),
  stopSignal: pointer(string),
});

export const podStatus = struct('core.v1.PodStatus', {
  observedGeneration: int64,
  phase: string,
  conditions: merging(listMap(podCondition, ['type']), 'merge', 'type'),
  message: string,
  reason: string,
  nominatedNodeName: string,
  hostIP: string,
  hostIPs: merging(list(hostIP), 'merge', 'ip'),
  podIP: string,
  podIPs: merging(listMap(podIP, ['ip']), 'merge', 'ip'),
  startTime: pointer(time),
  initContainerStatuses: list(containerStatus),
  containerStatuses: list(containerStatus),
  qosClass: string,
  ephemeralContainerStatuses: list(containerStatus),
  resize: string,
  resourceClaimStatuses: merging(listMap(anything, ['name']), 'merge,retainKeys', 'name'),
  extendedResourceClaimStatus: anything,
  allocatedResources: map(quantity),
  resources: resourceRequirements,
  nodeAllocatableResourceClaimStatuses: list(anything),
});

export const pod = struct('core.v1.Pod', {
  metadata: always(objectMeta),
  spec: always(podSpec),
  status: always(podStatus),
});

export const podTemplateSpec = struct('core.v1.PodTemplateSpec', {
  metadata: always(objectMeta),
  spec: always(podSpec),
});
