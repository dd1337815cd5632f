import type { ConfigMap, KubeEvent, Namespace, Secret } from '../../../resources.ts';
import type { Definition, Draft } from '../definition.ts';
import { equal, isObject } from '../json.ts';
import * as schemas from '../schemas/core.ts';
import { node as nodeSchema } from '../schemas/node.ts';
import type { FieldError } from '../status.ts';
import { forbiddenField, invalidValue, requiredValue, tooLong } from '../validation/field-errors.ts';
import { immutable } from '../validation/object.ts';
import { age, ageColumn, countColumn, nameColumn, specOf, statusOfObject, textColumn } from './columns.ts';

const asSecret = (object: Draft) => object as unknown as Secret;
const asConfigMap = (object: Draft) => object as unknown as ConfigMap;
const asEvent = (object: Draft) => object as unknown as KubeEvent;
const asNamespace = (object: Draft) => object as unknown as Namespace;

function nameLabel({ metadata }: Draft): void {
  if (metadata.name) metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name };
}

export const namespace: Definition = {
  deleteReturnsObject: true,
  singleDelete: true,
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  namespaced: false,
  nameRule: 'label',
  description: 'Namespace is a scope for names.',
  schema: schemas.namespace,
  statusSubresource: true,
  selectableFields: { 'status.phase': (object) => asNamespace(object).status?.phase ?? '' },
  columns: [
    nameColumn,
    textColumn('Status', 'Active or Terminating.', (object) => asNamespace(object).status?.phase ?? ''),
    ageColumn,
  ],
  applyDefaults: nameLabel,
  prepareCreate(object) {
    // Only now is a generated name known.
    nameLabel(object);
    object.spec = { finalizers: ['kubernetes'] };
    object.status = { phase: 'Active' };
  },
  prepareUpdate(object, old) {
    object.spec = old.spec;
  },
  markDeleted(object) {
    object.status = { ...statusOfObject(object), phase: 'Terminating' };
  },
};

const keyForm = /^[-._a-zA-Z0-9]+$/;
const maxSize = 1024 * 1024;

function keyProblems(keys: readonly string[], field: string): FieldError[] {
  return keys
    .filter((key) => !keyForm.test(key) || key.length > 253 || key === '.' || key.startsWith('..'))
    .map((key) =>
      invalidValue(
        `${field}[${key}]`,
        key,
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ),
    );
}

/** What an immutable Secret or ConfigMap may not change. */
function frozen(next: Draft, live: Draft, fields: readonly string[]): FieldError[] {
  if (live.immutable !== true) return [];
  return ['immutable', ...fields]
    .filter((field) => !equal(next[field], live[field]))
    .map((field) => forbiddenField(field, 'field is immutable when `immutable` is set'));
}

/** The keys that a type of Secret must have. */
const requiredKeys: Record<string, readonly string[]> = {
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

function validateSecret(object: Draft): FieldError[] {
  const { data = {}, type = '' } = asSecret(object);
  const size = Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value, 'base64'), 0);
  const missing = (requiredKeys[type] ?? []).filter((key) => data[key] === undefined);
  return [
    ...keyProblems(Object.keys(data), 'data'),
    ...(size > maxSize ? [tooLong('data', maxSize)] : []),
    ...missing.map((key) => requiredValue(`data[${key}]`)),
    ...(type === 'kubernetes.io/basic-auth' && data.username === undefined && data.password === undefined
      ? [requiredValue('data[username]'), requiredValue('data[password]')]
      : []),
  ];
}

export const secret: Definition = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  singular: 'secret',
  namespaced: true,
  description: 'Secret holds confidential values.',
  schema: schemas.secret,
  selectableFields: { type: (object) => asSecret(object).type ?? '' },
  columns: [
    nameColumn,
    textColumn('Type', 'What the Secret is for.', (object) => asSecret(object).type ?? ''),
    countColumn('Data', 'How many values it holds.', (object) => Object.keys(asSecret(object).data ?? {}).length),
    ageColumn,
  ],
  applyDefaults(object) {
    const draft = asSecret(object);
    draft.type ??= 'Opaque';
    if (!draft.stringData) return;
    const encoded = Object.entries(draft.stringData).map(([key, value]) => [
      key,
      Buffer.from(value).toString('base64'),
    ]);
    draft.data = { ...draft.data, ...Object.fromEntries(encoded) };
    delete draft.stringData;
  },
  validate: validateSecret,
  validateUpdate: (next, live) => [
    ...immutable(asSecret(next).type, asSecret(live).type, 'type'),
    ...frozen(next, live, ['data']),
  ],
};

function validateConfigMap(object: Draft): FieldError[] {
  const { data = {}, binaryData = {} } = asConfigMap(object);
  const twice = Object.keys(data).filter((key) => Object.hasOwn(binaryData, key));
  const size =
    Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value), 0) +
    Object.values(binaryData).reduce((sum, value) => sum + Buffer.byteLength(value, 'base64'), 0);
  return [
    ...keyProblems(Object.keys(data), 'data'),
    ...keyProblems(Object.keys(binaryData), 'binaryData'),
    ...twice.map((key) => invalidValue('data', key, 'duplicate of key present in binaryData')),
    ...(size > maxSize ? [tooLong('', maxSize)] : []),
  ];
}

export const configMap: Definition = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  singular: 'configmap',
  shortNames: ['cm'],
  namespaced: true,
  description: 'ConfigMap holds configuration for Pods.',
  schema: schemas.configMap,
  columns: [
    nameColumn,
    countColumn('Data', 'How many values it holds.', (object) => {
      const { data = {}, binaryData = {} } = asConfigMap(object);
      return Object.keys(data).length + Object.keys(binaryData).length;
    }),
    ageColumn,
  ],
  validate: validateConfigMap,
  validateUpdate: (next, live) => frozen(next, live, ['data', 'binaryData']),
};

function lastSeen(object: Draft): string | null | undefined {
  const { series, lastTimestamp, firstTimestamp, eventTime } = asEvent(object);
  return series?.lastObservedTime ?? lastTimestamp ?? firstTimestamp ?? eventTime;
}

function involved(object: Draft): string {
  const { kind = '', name } = asEvent(object).involvedObject;
  return name ? `${kind.toLowerCase()}/${name}` : kind.toLowerCase();
}

function sourceText(object: Draft): string {
  const { source, reportingComponent, reportingInstance } = asEvent(object);
  const component = source?.component || reportingComponent || '';
  const instance = source?.host || reportingInstance || '';
  return instance ? `${component}, ${instance}` : component;
}

function selectInvolved(field: keyof KubeEvent['involvedObject']): (object: Draft) => string {
  return (object) => asEvent(object).involvedObject[field] ?? '';
}

export const event: Definition = {
  createOnUpdate: true,
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  singular: 'event',
  shortNames: ['ev'],
  namespaced: true,
  description: 'Event is a report of something that happened to an object.',
  schema: schemas.event,
  ttlMs: 3_600_000,
  selectableFields: {
    'involvedObject.kind': selectInvolved('kind'),
    'involvedObject.namespace': selectInvolved('namespace'),
    'involvedObject.name': selectInvolved('name'),
    'involvedObject.uid': selectInvolved('uid'),
    'involvedObject.apiVersion': selectInvolved('apiVersion'),
    'involvedObject.resourceVersion': (object) =>
      (asEvent(object).involvedObject as { resourceVersion?: string }).resourceVersion ?? '',
    'involvedObject.fieldPath': selectInvolved('fieldPath'),
    reason: (object) => asEvent(object).reason ?? '',
    reportingComponent: (object) => asEvent(object).reportingComponent ?? '',
    source: (object) => asEvent(object).source?.component || asEvent(object).reportingComponent || '',
    type: (object) => asEvent(object).type ?? '',
  },
  columns: [
    {
      ...textColumn('Last Seen', 'When it happened last.', () => ''),
      cell: (object, now) => age(lastSeen(object), now),
    },
    textColumn('Type', 'Normal or Warning.', (object) => asEvent(object).type ?? ''),
    textColumn('Reason', 'Why, in one word.', (object) => asEvent(object).reason ?? ''),
    textColumn('Object', 'What it is about.', involved),
    textColumn('Subobject', 'The part it is about.', (object) => asEvent(object).involvedObject.fieldPath ?? '', 1),
    textColumn('Source', 'Who reports it.', sourceText, 1),
    textColumn('Message', 'What happened.', (object) => (asEvent(object).message ?? '').trim()),
    {
      ...textColumn('First Seen', 'When it happened first.', () => '', 1),
      cell: (object, now) => age(asEvent(object).firstTimestamp ?? asEvent(object).eventTime, now),
    },
    textColumn(
      'Count',
      'How often it happened.',
      (object) => String(asEvent(object).series?.count || asEvent(object).count || 1),
      1,
    ),
    { ...nameColumn, priority: 1 },
  ],
  validate(object) {
    const { involvedObject, metadata } = asEvent(object);
    const place = involvedObject.namespace ?? 'default';
    return place === metadata.namespace
      ? []
      : [invalidValue('involvedObject.namespace', involvedObject.namespace ?? '', 'does not match event.namespace')];
  },
};

export const serviceAccount: Definition = {
  deleteReturnsObject: true,
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  singular: 'serviceaccount',
  shortNames: ['sa'],
  namespaced: true,
  description: 'ServiceAccount is the identity of programs in Pods.',
  schema: schemas.serviceAccount,
  columns: [nameColumn, ageColumn],
};

function readyText(object: Draft): string {
  const conditions = statusOfObject(object).conditions;
  const ready = (Array.isArray(conditions) ? conditions : []).find((each) => isObject(each) && each.type === 'Ready');
  const state = isObject(ready) ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown';
  return specOf(object).unschedulable === true ? `${state},SchedulingDisabled` : state;
}

function roles(object: Draft): string {
  const prefix = 'node-role.kubernetes.io/';
  const found = Object.keys(object.metadata.labels ?? {})
    .filter((label) => label.startsWith(prefix))
    .map((label) => label.slice(prefix.length));
  return found.sort().join(',') || '<none>';
}

function nodeInfo(object: Draft, key: string): string {
  const info = statusOfObject(object).nodeInfo;
  return isObject(info) && typeof info[key] === 'string' ? info[key] : '';
}

function nodeAddress(object: Draft, type: string): string {
  const addresses = statusOfObject(object).addresses;
  const found = (Array.isArray(addresses) ? addresses : []).find((each) => isObject(each) && each.type === type);
  return isObject(found) && typeof found.address === 'string' ? found.address : '<none>';
}

export const node: Definition = {
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  singular: 'node',
  shortNames: ['no'],
  namespaced: false,
  description: 'Node is a machine of the cluster.',
  schema: nodeSchema,
  statusSubresource: true,
  selectableFields: { 'spec.unschedulable': (object) => String(specOf(object).unschedulable === true) },
  columns: [
    nameColumn,
    textColumn('Status', 'Whether the node is ready.', readyText),
    textColumn('Roles', 'What the node is for.', roles),
    ageColumn,
    textColumn('Version', 'The version of its agent.', (object) => nodeInfo(object, 'kubeletVersion')),
    textColumn('Internal-IP', 'Its address inside the cluster.', (object) => nodeAddress(object, 'InternalIP'), 1),
    textColumn('External-IP', 'Its address outside the cluster.', (object) => nodeAddress(object, 'ExternalIP'), 1),
    textColumn('OS-Image', 'Its operating system.', (object) => nodeInfo(object, 'osImage') || '<unknown>', 1),
    textColumn('Kernel-Version', 'Its kernel.', (object) => nodeInfo(object, 'kernelVersion') || '<unknown>', 1),
    textColumn(
      'Container-Runtime',
      'What runs its containers.',
      (object) => nodeInfo(object, 'containerRuntimeVersion') || '<unknown>',
      1,
    ),
  ],
};
