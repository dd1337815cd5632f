import {
  always,
  anything,
  boolean,
  defaulted,
  int32,
  int64,
  intOrString,
  list,
  listMap,
  map,
  merging,
  pointer,
  quantity,
  required,
  string,
  struct,
} from '../schema.ts';
import { objectFieldSelector, resourceFieldSelector } from './volumes.ts';

export const containerPort = struct('core.v1.ContainerPort', {
  name: string,
  hostPort: int32,
  containerPort: required(int32),
  protocol: defaulted(string, 'TCP'),
  hostIP: string,
});

export const configMapEnvSource = struct('core.v1.ConfigMapEnvSource', {
  name: defaulted(string, ''),
  optional: pointer(boolean),
});

export const secretEnvSource = struct('core.v1.SecretEnvSource', {
  name: defaulted(string, ''),
  optional: pointer(boolean),
});

export const envFromSource = struct('core.v1.EnvFromSource', {
  prefix: string,
  configMapRef: configMapEnvSource,
  secretRef: secretEnvSource,
});

export const configMapKeySelector = struct(
  'core.v1.ConfigMapKeySelector',
  {
    name: defaulted(string, ''),
    key: required(string),
    optional: pointer(boolean),
  },
  { atomic: true },
);

export const secretKeySelector = struct(
  'core.v1.SecretKeySelector',
  {
    name: defaulted(string, ''),
    key: required(string),
    optional: pointer(boolean),
  },
  { atomic: true },
);

export const fileKeySelector = struct(
  'core.v1.FileKeySelector',
  {
    volumeName: required(string),
    path: required(string),
    key: required(string),
    optional: pointer(boolean),
  },
  { atomic: true },
);

export const envVarSource = struct('core.v1.EnvVarSource', {
  fieldRef: objectFieldSelector,
  resourceFieldRef: resourceFieldSelector,
  configMapKeyRef: configMapKeySelector,
  secretKeyRef: secretKeySelector,
  fileKeyRef: fileKeySelector,
});

export const envVar = struct('core.v1.EnvVar', {
  name: required(string),
  value: string,
  valueFrom: envVarSource,
});

export const resourceClaim = struct('core.v1.ResourceClaim', {
  name: required(string),
  request: string,
});

export const resourceRequirements = struct('core.v1.ResourceRequirements', {
  limits: map(quantity),
  requests: map(quantity),
  claims: listMap(resourceClaim, ['name']),
});

export const containerResizePolicy = struct('core.v1.ContainerResizePolicy', {
  resourceName: required(string),
  restartPolicy: required(string),
});

export const volumeMount = struct('core.v1.VolumeMount', {
  name: required(string),
  readOnly: boolean,
  recursiveReadOnly: pointer(string),
  mountPath: required(string),
  subPath: string,
  mountPropagation: pointer(string),
  subPathExpr: string,
});

export const volumeDevice = struct('core.v1.VolumeDevice', {
  name: required(string),
  devicePath: required(string),
});

export const execAction = struct('core.v1.ExecAction', {
  command: list(string),
});

export const httpHeader = struct('core.v1.HTTPHeader', {
  name: required(string),
  value: required(string),
});

export const httpGetAction = struct('core.v1.HTTPGetAction', {
  path: string,
  port: required(intOrString),
  host: string,
  scheme: string,
  httpHeaders: list(httpHeader),
});

export const tcpSocketAction = struct('core.v1.TCPSocketAction', {
  port: required(intOrString),
  host: string,
});

export const grpcAction = struct('core.v1.GRPCAction', {
  port: required(int32),
  service: always(pointer(defaulted(string, ''))),
});

export const probe = struct('core.v1.Probe', {
  exec: execAction,
  httpGet: httpGetAction,
  tcpSocket: tcpSocketAction,
  grpc: grpcAction,
  initialDelaySeconds: int32,
  timeoutSeconds: int32,
  periodSeconds: int32,
  successThreshold: int32,
  failureThreshold: int32,
  terminationGracePeriodSeconds: pointer(int64),
});

export const sleepAction = struct('core.v1.SleepAction', {
  seconds: required(int64),
});

export const lifecycleHandler = struct('core.v1.LifecycleHandler', {
  exec: execAction,
  httpGet: httpGetAction,
  tcpSocket: tcpSocketAction,
  sleep: sleepAction,
});

export const lifecycle = struct('core.v1.Lifecycle', {
  postStart: lifecycleHandler,
  preStop: lifecycleHandler,
  stopSignal: pointer(string),
});

export const capabilities = struct('core.v1.Capabilities', {
  add: list(string),
  drop: list(string),
});

export const seLinuxOptions = struct('core.v1.SELinuxOptions', {
  user: string,
  role: string,
  type: string,
  level: string,
});

export const seccompProfile = struct('core.v1.SeccompProfile', {
  type: required(string),
  localhostProfile: pointer(string),
});

export const appArmorProfile = struct('core.v1.AppArmorProfile', {
  type: required(string),
  localhostProfile: pointer(string),
});

export const securityContext = struct('core.v1.SecurityContext', {
  capabilities: capabilities,
  privileged: pointer(boolean),
  seLinuxOptions: seLinuxOptions,
  windowsOptions: anything,
  runAsUser: pointer(int64),
  runAsGroup: pointer(int64),
  runAsNonRoot: pointer(boolean),
  readOnlyRootFilesystem: pointer(boolean),
  allowPrivilegeEscalation: pointer(boolean),
  procMount: pointer(string),
  seccompProfile: seccompProfile,
  appArmorProfile: appArmorProfile,
});

export const container = struct('core.v1.Container', {
  name: required(string),
  image: string,
  command: list(string),
  args: list(string),
  workingDir: string,
  ports: merging(listMap(containerPort, ['containerPort', 'protocol']), 'merge', 'containerPort'),
  envFrom: list(envFromSource),
  env: merging(listMap(envVar, ['name']), 'merge', 'name'),
  resources: always(resourceRequirements),
  resizePolicy: list(containerResizePolicy),
  restartPolicy: pointer(string),
  restartPolicyRules: list(anything),
  volumeMounts: merging(listMap(volumeMount, ['mountPath']), 'merge', 'mountPath'),
  volumeDevices: merging(listMap(volumeDevice, ['devicePath']), 'merge', 'devicePath'),
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  lifecycle: lifecycle,
  terminationMessagePath: string,
  terminationMessagePolicy: string,
  imagePullPolicy: string,
  securityContext: securityContext,
  stdin: boolean,
  stdinOnce: boolean,
  tty: boolean,
});

export const ephemeralContainer = struct('core.v1.EphemeralContainer', {
  name: required(string),
  image: string,
  command: list(string),
  args: list(string),
  workingDir: string,
  ports: merging(listMap(containerPort, ['containerPort', 'protocol']), 'merge', 'containerPort'),
  envFrom: list(envFromSource),
  env: merging(listMap(envVar, ['name']), 'merge', 'name'),
  resources: always(resourceRequirements),
  resizePolicy: list(containerResizePolicy),
  restartPolicy: pointer(string),
  restartPolicyRules: list(anything),
  volumeMounts: merging(listMap(volumeMount, ['mountPath']), 'merge', 'mountPath'),
  volumeDevices: merging(listMap(volumeDevice, ['devicePath']), 'merge', 'devicePath'),
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  lifecycle: lifecycle,
  terminationMessagePath: string,
  terminationMessagePolicy: string,
  imagePullPolicy: string,
  securityContext: securityContext,
  stdin: boolean,
  stdinOnce: boolean,
  tty: boolean,
  targetContainerName: string,
});
