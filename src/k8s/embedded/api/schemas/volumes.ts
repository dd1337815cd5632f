import {
  always,
  anything,
  boolean,
  defaulted,
  int32,
  int64,
  list,
  map,
  pointer,
  quantity,
  required,
  string,
  struct,
} from '../schema.ts';

export const hostPathVolumeSource = struct('core.v1.HostPathVolumeSource', {
  path: required(string),
  type: pointer(string),
});

export const emptyDirVolumeSource = struct('core.v1.EmptyDirVolumeSource', {
  medium: string,
  sizeLimit: pointer(quantity),
});

export const keyToPath = struct('core.v1.KeyToPath', {
  key: required(string),
  path: required(string),
  mode: pointer(int32),
});

export const secretVolumeSource = struct('core.v1.SecretVolumeSource', {
  secretName: string,
  items: list(keyToPath),
  defaultMode: pointer(int32),
  optional: pointer(boolean),
});

export const nfsVolumeSource = struct('core.v1.NFSVolumeSource', {
  server: required(string),
  path: required(string),
  readOnly: boolean,
});

export const persistentVolumeClaimVolumeSource = struct('core.v1.PersistentVolumeClaimVolumeSource', {
  claimName: required(string),
  readOnly: boolean,
});

export const objectFieldSelector = struct(
  'core.v1.ObjectFieldSelector',
  {
    apiVersion: string,
    fieldPath: required(string),
  },
  { atomic: true },
);

export const resourceFieldSelector = struct(
  'core.v1.ResourceFieldSelector',
  {
    containerName: string,
    resource: required(string),
    divisor: quantity,
  },
  { atomic: true },
);

export const downwardAPIVolumeFile = struct('core.v1.DownwardAPIVolumeFile', {
  path: required(string),
  fieldRef: objectFieldSelector,
  resourceFieldRef: resourceFieldSelector,
  mode: pointer(int32),
});

export const downwardAPIVolumeSource = struct('core.v1.DownwardAPIVolumeSource', {
  items: list(downwardAPIVolumeFile),
  defaultMode: pointer(int32),
});

export const configMapVolumeSource = struct('core.v1.ConfigMapVolumeSource', {
  name: defaulted(string, ''),
  items: list(keyToPath),
  defaultMode: pointer(int32),
  optional: pointer(boolean),
});

export const secretProjection = struct('core.v1.SecretProjection', {
  name: defaulted(string, ''),
  items: list(keyToPath),
  optional: pointer(boolean),
});

export const downwardAPIProjection = struct('core.v1.DownwardAPIProjection', {
  items: list(downwardAPIVolumeFile),
});

export const configMapProjection = struct('core.v1.ConfigMapProjection', {
  name: defaulted(string, ''),
  items: list(keyToPath),
  optional: pointer(boolean),
});

export const serviceAccountTokenProjection = struct('core.v1.ServiceAccountTokenProjection', {
  audience: string,
  expirationSeconds: pointer(int64),
  path: required(string),
});

export const volumeProjection = struct('core.v1.VolumeProjection', {
  secret: secretProjection,
  downwardAPI: downwardAPIProjection,
  configMap: configMapProjection,
  serviceAccountToken: serviceAccountTokenProjection,
  clusterTrustBundle: anything,
  podCertificate: anything,
});

export const projectedVolumeSource = struct('core.v1.ProjectedVolumeSource', {
  sources: always(list(volumeProjection)),
  defaultMode: pointer(int32),
});

export const localObjectReference = struct(
  'core.v1.LocalObjectReference',
  {
    name: defaulted(string, ''),
  },
  { atomic: true },
);

export const csiVolumeSource = struct('core.v1.CSIVolumeSource', {
  driver: required(string),
  readOnly: pointer(boolean),
  fsType: pointer(string),
  volumeAttributes: map(string),
  nodePublishSecretRef: localObjectReference,
});

export const ephemeralVolumeSource = struct('core.v1.EphemeralVolumeSource', {
  volumeClaimTemplate: anything,
});

export const imageVolumeSource = struct('core.v1.ImageVolumeSource', {
  reference: string,
  pullPolicy: string,
});

export const volume = struct('core.v1.Volume', {
  name: required(string),
  hostPath: hostPathVolumeSource,
  emptyDir: emptyDirVolumeSource,
  gcePersistentDisk: anything,
  awsElasticBlockStore: anything,
  gitRepo: anything,
  secret: secretVolumeSource,
  nfs: nfsVolumeSource,
  iscsi: anything,
  glusterfs: anything,
  persistentVolumeClaim: persistentVolumeClaimVolumeSource,
  rbd: anything,
  flexVolume: anything,
  cinder: anything,
  cephfs: anything,
  flocker: anything,
  downwardAPI: downwardAPIVolumeSource,
  fc: anything,
  azureFile: anything,
  configMap: configMapVolumeSource,
  vsphereVolume: anything,
  quobyte: anything,
  azureDisk: anything,
  photonPersistentDisk: anything,
  projected: projectedVolumeSource,
  portworxVolume: anything,
  scaleIO: anything,
  storageos: anything,
  csi: csiVolumeSource,
  ephemeral: ephemeralVolumeSource,
  image: imageVolumeSource,
});
