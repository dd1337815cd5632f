import {
  anything,
  boolean,
  int64,
  list,
  listMap,
  map,
  merging,
  pointer,
  required,
  set,
  string,
  struct,
  time,
} from '../schema.ts';

export const ownerReference = struct(
  'meta.v1.OwnerReference',
  {
    apiVersion: required(string),
    kind: required(string),
    name: required(string),
    uid: required(string),
    controller: pointer(boolean),
    blockOwnerDeletion: pointer(boolean),
  },
  { atomic: true },
);

export const managedFieldsEntry = struct('meta.v1.ManagedFieldsEntry', {
  manager: string,
  operation: string,
  apiVersion: string,
  time: pointer(time),
  fieldsType: string,
  fieldsV1: pointer(anything),
  subresource: string,
});

export const objectMeta = struct('meta.v1.ObjectMeta', {
  name: string,
  generateName: string,
  namespace: string,
  selfLink: string,
  uid: string,
  resourceVersion: string,
  generation: int64,
  creationTimestamp: time,
  deletionTimestamp: pointer(time),
  deletionGracePeriodSeconds: pointer(int64),
  labels: map(string),
  annotations: map(string),
  ownerReferences: merging(listMap(ownerReference, ['uid']), 'merge', 'uid'),
  finalizers: merging(set(string), 'merge'),
  managedFields: list(managedFieldsEntry),
});

export const labelSelectorRequirement = struct('meta.v1.LabelSelectorRequirement', {
  key: required(string),
  operator: required(string),
  values: list(string),
});

export const labelSelector = struct(
  'meta.v1.LabelSelector',
  {
    matchLabels: map(string),
    matchExpressions: list(labelSelectorRequirement),
  },
  { atomic: true },
);

export const condition = struct('meta.v1.Condition', {
  type: required(string),
  status: required(string),
  observedGeneration: int64,
  lastTransitionTime: required(time),
  reason: required(string),
  message: required(string),
});

export const objectReference = struct(
  'core.v1.ObjectReference',
  {
    kind: string,
    namespace: string,
    name: string,
    uid: string,
    apiVersion: string,
    resourceVersion: string,
    fieldPath: string,
  },
  { atomic: true },
);
