import {
  always,
  boolean,
  int32,
  int64,
  intOrString,
  listMap,
  merging,
  pointer,
  required,
  string,
  struct,
  time,
} from '../schema.ts';
import { labelSelector, objectMeta } from './meta.ts';
import { podTemplateSpec } from './pod.ts';

export const rollingUpdateDeployment = struct('apps.v1.RollingUpdateDeployment', {
  maxUnavailable: pointer(intOrString),
  maxSurge: pointer(intOrString),
});

export const deploymentStrategy = struct('apps.v1.DeploymentStrategy', {
  type: string,
  rollingUpdate: rollingUpdateDeployment,
});

export const deploymentSpec = struct('apps.v1.DeploymentSpec', {
  replicas: pointer(int32),
  selector: pointer(required(labelSelector)),
  template: required(podTemplateSpec),
  strategy: merging(always(deploymentStrategy), 'retainKeys'),
  minReadySeconds: int32,
  revisionHistoryLimit: pointer(int32),
  paused: boolean,
  progressDeadlineSeconds: pointer(int32),
});

export const deploymentCondition = struct('apps.v1.DeploymentCondition', {
  type: required(string),
  status: required(string),
  lastUpdateTime: always(time),
  lastTransitionTime: always(time),
  reason: string,
  message: string,
});

export const deploymentStatus = struct('apps.v1.DeploymentStatus', {
  observedGeneration: int64,
  replicas: int32,
  updatedReplicas: int32,
  readyReplicas: int32,
  availableReplicas: int32,
  unavailableReplicas: int32,
  terminatingReplicas: pointer(int32),
  conditions: merging(listMap(deploymentCondition, ['type']), 'merge', 'type'),
  collisionCount: pointer(int32),
});

export const deployment = struct('apps.v1.Deployment', {
  metadata: always(objectMeta),
  spec: always(deploymentSpec),
  status: always(deploymentStatus),
});

export const replicaSetSpec = struct('apps.v1.ReplicaSetSpec', {
  replicas: pointer(int32),
  minReadySeconds: int32,
  selector: pointer(required(labelSelector)),
  template: always(podTemplateSpec),
});

export const replicaSetCondition = struct('apps.v1.ReplicaSetCondition', {
  type: required(string),
  status: required(string),
  lastTransitionTime: always(time),
  reason: string,
  message: string,
});

export const replicaSetStatus = struct('apps.v1.ReplicaSetStatus', {
  replicas: required(int32),
  fullyLabeledReplicas: int32,
  readyReplicas: int32,
  availableReplicas: int32,
  terminatingReplicas: pointer(int32),
  observedGeneration: int64,
  conditions: merging(listMap(replicaSetCondition, ['type']), 'merge', 'type'),
});

export const replicaSet = struct('apps.v1.ReplicaSet', {
  metadata: always(objectMeta),
  spec: always(replicaSetSpec),
  status: always(replicaSetStatus),
});
