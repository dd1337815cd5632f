import type { Container, Deployment, LabelSelector, ReplicaSet } from '../../../resources.ts';
import { requirementsOf } from '../../../selectors.ts';
import type { Column, Definition, Draft, ScalePaths } from '../definition.ts';
import { deployment as deploymentSchema, replicaSet as replicaSetSchema } from '../schemas/apps.ts';
import type { FieldError } from '../status.ts';
import { invalidValue, unsupportedValue } from '../validation/field-errors.ts';
import { immutable } from '../validation/object.ts';
import { nonNegative } from '../validation/pod.ts';
import { validateWorkload } from '../validation/selector.ts';
import { ageColumn, countColumn, nameColumn, specOf, textColumn } from './columns.ts';
import { defaultPodSpec } from './pod-defaults.ts';

const asDeployment = (object: Draft) => object as unknown as Deployment;
const asReplicaSet = (object: Draft) => object as unknown as ReplicaSet;

/** The selector as `kubectl` prints it, which is also what a scale tells autoscalers. */
function selectorText(selector: LabelSelector | undefined): string {
  return requirementsOf(selector ?? {})
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ key, operator, values }) => {
      if (operator === 'Exists') return key;
      if (operator === 'DoesNotExist') return `!${key}`;
      if (operator === 'In' && values.length === 1) return `${key}=${values[0]}`;
      return `${key} ${operator.toLowerCase()} (${values.toSorted().join(',')})`;
    })
    .join(',');
}

function containerColumns(
  containersOf: (object: Draft) => readonly Container[],
  selectorOf: (object: Draft) => LabelSelector | undefined,
): Column[] {
  return [
    textColumn(
      'Containers',
      'Names of the containers.',
      (object) =>
        containersOf(object)
          .map(({ name }) => name)
          .join(','),
      1,
    ),
    textColumn(
      'Images',
      'Images of the containers.',
      (object) =>
        containersOf(object)
          .map(({ image }) => image ?? '')
          .join(','),
      1,
    ),
    textColumn('Selector', 'Labels of the Pods.', (object) => selectorText(selectorOf(object)), 1),
  ];
}

const scale: ScalePaths = {
  specReplicas: (object) => asDeployment(object).spec.replicas ?? 0,
  statusReplicas: (object) => asDeployment(object).status?.replicas ?? 0,
  selector: (object) => selectorText(asDeployment(object).spec.selector),
  setReplicas(object, replicas) {
    asDeployment(object).spec = { ...asDeployment(object).spec, replicas };
  },
};

function defaultDeployment(object: Draft): void {
  const { spec } = asDeployment(object);
  spec.replicas ??= 1;
  spec.strategy ??= {};
  spec.strategy.type ??= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
    spec.strategy.rollingUpdate.maxSurge ??= '25%';
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  defaultPodSpec(spec.template.spec, { template: true });
}

/** `25%` or a count. */
function portionProblem(value: number | string | undefined, field: string): FieldError[] {
  if (typeof value === 'string') {
    const message =
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
    return /^\d+%$/.test(value) ? [] : [invalidValue(field, value, message)];
  }
  return nonNegative(value, field);
}

function validateStrategy({ strategy }: Deployment['spec']): FieldError[] {
  const field = 'spec.strategy';
  const types = ['Recreate', 'RollingUpdate'];
  if (!types.includes(strategy?.type ?? '')) {
    // The server prints the Go struct.
    return [unsupportedValue(field, { Type: strategy?.type ?? '', RollingUpdate: null }, types)];
  }
  const { maxSurge, maxUnavailable } = strategy?.rollingUpdate ?? {};
  if (strategy?.type === 'Recreate') {
    return strategy.rollingUpdate
      ? [
          {
            reason: 'FieldValueForbidden',
            field: `${field}.rollingUpdate`,
            message: "Forbidden: may not be specified when strategy `type` is 'Recreate'",
          },
        ]
      : [];
  }
  const isNone = (value: number | string | undefined) => value === 0 || value === '0%';
  return [
    ...portionProblem(maxUnavailable, `${field}.rollingUpdate.maxUnavailable`),
    ...portionProblem(maxSurge, `${field}.rollingUpdate.maxSurge`),
    ...(isNone(maxUnavailable) && isNone(maxSurge)
      ? [invalidValue(`${field}.rollingUpdate.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0')]
      : []),
  ];
}

function validateDeployment(object: Draft): FieldError[] {
  const { spec } = asDeployment(object);
  const deadline = spec.progressDeadlineSeconds;
  return [
    ...nonNegative(spec.replicas, 'spec.replicas'),
    ...validateWorkload(spec),
    ...validateStrategy(spec),
    ...nonNegative(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...nonNegative(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
    ...(deadline !== undefined && deadline <= (spec.minReadySeconds ?? 0)
      ? [invalidValue('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds')]
      : []),
  ];
}

const sameSelector = (next: Draft, live: Draft) =>
  immutable(specOf(next).selector, specOf(live).selector, 'spec.selector');

export const deployment: Definition = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  singular: 'deployment',
  shortNames: ['deploy'],
  categories: ['all'],
  namespaced: true,
  description: 'Deployment enables declarative updates for Pods and ReplicaSets.',
  schema: deploymentSchema,
  statusSubresource: true,
  statusKeeps: ['labels'],
  scale,
  // Annotations count too: the controller writes the revision there.
  generationOf: ({ spec, metadata }) => [spec, metadata.annotations ?? {}],
  columns: [
    nameColumn,
    textColumn('Ready', 'How many replicas are ready.', (object) => {
      const { spec, status } = asDeployment(object);
      return `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`;
    }),
    countColumn(
      'Up-to-date',
      'Replicas of the present template.',
      (object) => asDeployment(object).status?.updatedReplicas ?? 0,
    ),
    countColumn(
      'Available',
      'Replicas that are ready long enough.',
      (object) => asDeployment(object).status?.availableReplicas ?? 0,
    ),
    ageColumn,
    ...containerColumns(
      (object) => asDeployment(object).spec.template.spec.containers,
      (object) => asDeployment(object).spec.selector,
    ),
  ],
  applyDefaults: defaultDeployment,
  validate: validateDeployment,
  validateUpdate: sameSelector,
};

function defaultReplicaSet(object: Draft): void {
  const { spec } = asReplicaSet(object);
  spec.replicas ??= 1;
  if (spec.template?.spec) defaultPodSpec(spec.template.spec, { template: true });
}

export const replicaSet: Definition = {
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  singular: 'replicaset',
  shortNames: ['rs'],
  categories: ['all'],
  namespaced: true,
  description: 'ReplicaSet ensures that a number of Pods are running.',
  schema: replicaSetSchema,
  statusSubresource: true,
  scale,
  generationOf: ({ spec }) => spec,
  selectableFields: { 'status.replicas': (object) => String(asReplicaSet(object).status?.replicas ?? 0) },
  columns: [
    nameColumn,
    countColumn('Desired', 'How many replicas are wanted.', (object) => asReplicaSet(object).spec.replicas ?? 0),
    countColumn('Current', 'How many replicas there are.', (object) => asReplicaSet(object).status?.replicas ?? 0),
    countColumn('Ready', 'How many replicas are ready.', (object) => asReplicaSet(object).status?.readyReplicas ?? 0),
    ageColumn,
    ...containerColumns(
      (object) => asReplicaSet(object).spec.template?.spec.containers ?? [],
      (object) => asReplicaSet(object).spec.selector,
    ),
  ],
  applyDefaults: defaultReplicaSet,
  validate(object) {
    const { spec } = asReplicaSet(object);
    return [
      ...nonNegative(spec.replicas, 'spec.replicas'),
      ...nonNegative(spec.minReadySeconds, 'spec.minReadySeconds'),
      ...validateWorkload(spec),
    ];
  },
  validateUpdate: sameSelector,
};
