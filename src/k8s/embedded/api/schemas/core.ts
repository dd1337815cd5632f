import {
  always,
  boolean,
  bytes,
  int32,
  list,
  listMap,
  map,
  merging,
  microTime,
  pointer,
  required,
  string,
  struct,
  time,
} from '../schema.ts';
import { objectMeta, objectReference } from './meta.ts';
import { localObjectReference } from './volumes.ts';

export const eventSource = struct('core.v1.EventSource', {
  component: string,
  host: string,
});

export const eventSeries = struct('core.v1.EventSeries', {
  count: int32,
  lastObservedTime: always(microTime),
});

export const event = struct('core.v1.Event', {
  metadata: required(objectMeta),
  involvedObject: required(objectReference),
  reason: string,
  message: string,
  source: always(eventSource),
  firstTimestamp: always(time),
  lastTimestamp: always(time),
  count: int32,
  type: string,
  eventTime: always(microTime),
  series: eventSeries,
  action: string,
  related: objectReference,
  reportingComponent: always(string),
  reportingInstance: always(string),
});

export const secret = struct('core.v1.Secret', {
  metadata: always(objectMeta),
  immutable: pointer(boolean),
  data: map(bytes),
  stringData: map(string),
  type: string,
});

export const configMap = struct('core.v1.ConfigMap', {
  metadata: always(objectMeta),
  immutable: pointer(boolean),
  data: map(string),
  binaryData: map(bytes),
});

export const namespaceSpec = struct('core.v1.NamespaceSpec', {
  finalizers: list(string),
});

export const namespaceCondition = struct('core.v1.NamespaceCondition', {
  type: required(string),
  status: required(string),
  lastTransitionTime: always(time),
  reason: string,
  message: string,
});

export const namespaceStatus = struct('core.v1.NamespaceStatus', {
  phase: string,
  conditions: merging(listMap(namespaceCondition, ['type']), 'merge', 'type'),
});

export const namespace = struct('core.v1.Namespace', {
  metadata: always(objectMeta),
  spec: always(namespaceSpec),
  status: always(namespaceStatus),
});

export const serviceAccount = struct('core.v1.ServiceAccount', {
  metadata: always(objectMeta),
  secrets: merging(listMap(objectReference, ['name']), 'merge', 'name'),
  imagePullSecrets: list(localObjectReference),
  automountServiceAccountToken: pointer(boolean),
});
