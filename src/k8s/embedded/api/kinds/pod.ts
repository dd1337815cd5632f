import type { ContainerStatus, Pod } from '../../../resources.ts';
import type { Definition, Draft } from '../definition.ts';
import { equal, isObject } from '../json.ts';
import { pod as schema } from '../schemas/pod.ts';
import type { FieldError } from '../status.ts';
import { forbiddenField } from '../validation/field-errors.ts';
import { validatePodSpec } from '../validation/pod.ts';
import { age, ageColumn, nameColumn, specOf, statusOfObject, textColumn, textOf } from './columns.ts';
import { defaultPodSpec, qosClass } from './pod-defaults.ts';

const asPod = (object: Draft) => object as unknown as Pod;

/** A restartable init container, a sidecar, counts as a container. */
function isSidecar(container: object): boolean {
  return 'restartPolicy' in container && container.restartPolicy === 'Always';
}

function readiness(object: Draft): string {
  const { spec, status } = asPod(object);
  const sidecars = (spec.initContainers ?? []).filter(isSidecar);
  const running = (status?.containerStatuses ?? []).filter((each) => each.ready && each.state?.running).length;
  const readySidecars = (status?.initContainerStatuses ?? []).filter(
    (each) => each.ready && each.started && sidecars.some(({ name }) => name === each.name),
  ).length;
  return `${running + readySidecars}/${spec.containers.length + sidecars.length}`;
}

function exitText({ reason, signal, exitCode }: { reason?: string; signal?: number; exitCode: number }): string {
  return reason || (signal ? `Signal:${signal}` : `ExitCode:${exitCode}`);
}

/** `Init:…` while an init container is not done. */
function initReason({ spec, status }: Pod): string | undefined {
  const containers = spec.initContainers ?? [];
  for (const [index, each] of (status?.initContainerStatuses ?? []).entries()) {
    const { terminated, waiting } = each.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (each.started && containers.some((container) => container.name === each.name && isSidecar(container))) continue;
    if (terminated) return `Init:${exitText(terminated)}`;
    if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
    return `Init:${index}/${containers.length}`;
  }
  return undefined;
}

function isTrue(pod: Pod, type: string): boolean {
  return (pod.status?.conditions ?? []).some((condition) => condition.type === type && condition.status === 'True');
}

function containersReason(pod: Pod, initial: string): string {
  const statuses = pod.status?.containerStatuses ?? [];
  let reason = initial;
  let failed = '';
  for (const { state } of statuses.toReversed()) {
    if (state?.waiting?.reason) reason = state.waiting.reason;
    else if (state?.terminated) {
      reason = exitText(state.terminated);
      if (state.terminated.exitCode !== 0) failed = reason;
    }
  }
  if (reason !== 'Completed') return reason;
  const running = statuses.some((each) => each.ready && each.state?.running);
  if (running && isTrue(pod, 'Ready')) return 'Running';
  return failed || (running ? 'NotReady' : reason);
}

/** The word that `kubectl get pods` shows under STATUS. */
export function podStatusText(object: Draft): string {
  const pod = asPod(object);
  const phase = pod.status?.phase ?? '';
  const initial = pod.status?.reason || phase;
  const initializing = initReason(pod);
  const reason = initializing && !isTrue(pod, 'Initialized') ? initializing : containersReason(pod, initial);
  const ended = phase === 'Succeeded' || phase === 'Failed';
  return pod.metadata.deletionTimestamp !== undefined && !ended ? 'Terminating' : reason;
}

function restarts(object: Draft, now: number): string {
  const { status } = asPod(object);
  const initializing = initReason(asPod(object)) !== undefined;
  const counted: ContainerStatus[] = initializing
    ? (status?.initContainerStatuses ?? [])
    : (status?.containerStatuses ?? []);
  const count = counted.reduce((sum, each) => sum + (each.restartCount ?? 0), 0);
  const last = counted
    .map((each) => each.lastState?.terminated?.finishedAt ?? '')
    .sort()
    .at(-1);
  return count > 0 && last ? `${count} (${age(last, now)} ago)` : String(count);
}

/** Only these parts of a running Pod may change. */
function fixedParts(object: Draft): unknown {
  const spec = structuredClone(specOf(object));
  for (const key of ['initContainers', 'containers'] as const) {
    const containers = spec[key];
    for (const container of Array.isArray(containers) ? containers : [])
      if (isObject(container)) delete container.image;
  }
  delete spec.tolerations;
  delete spec.activeDeadlineSeconds;
  // Set once, by whoever binds the Pod to a node.
  delete spec.nodeName;
  delete spec.terminationGracePeriodSeconds;
  return spec;
}

function validateUpdate(next: Draft, live: Draft): FieldError[] {
  const [before, after] = [specOf(live).nodeName, specOf(next).nodeName];
  if (equal(fixedParts(next), fixedParts(live)) && (before === undefined || before === after)) return [];
  return [
    forbiddenField(
      'spec',
      'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
    ),
  ];
}

function gracePeriod(object: Draft, asked: number | undefined): number {
  const { spec, status } = asPod(object);
  // Nobody has to end a Pod that runs nowhere or no more.
  if (!spec.nodeName || status?.phase === 'Failed' || status?.phase === 'Succeeded') return 0;
  const period = asked ?? spec.terminationGracePeriodSeconds ?? 0;
  return period < 0 ? 1 : period;
}

const orNone = (value: unknown) => (typeof value === 'string' && value !== '' ? value : '<none>');

export const pod: Definition = {
  deleteReturnsObject: true,
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  description: 'Pod is a collection of containers that run on one machine.',
  schema,
  statusSubresource: true,
  statusKeeps: ['ownerReferences'],
  logs: true,
  generationOf: (object) => object.spec,
  selectableFields: {
    'spec.nodeName': (object) => asPod(object).spec.nodeName ?? '',
    'spec.restartPolicy': (object) => asPod(object).spec.restartPolicy ?? '',
    'spec.schedulerName': (object) => textOf(specOf(object).schedulerName),
    'spec.serviceAccountName': (object) => asPod(object).spec.serviceAccountName ?? '',
    'spec.hostNetwork': (object) => String(asPod(object).spec.hostNetwork ?? false),
    'status.phase': (object) => asPod(object).status?.phase ?? '',
    'status.podIP': (object) => asPod(object).status?.podIP ?? '',
    'status.nominatedNodeName': (object) => textOf(statusOfObject(object).nominatedNodeName),
  },
  columns: [
    nameColumn,
    textColumn('Ready', 'How many of the containers are ready.', readiness),
    textColumn('Status', 'What the containers are doing, in one word.', podStatusText),
    { ...textColumn('Restarts', 'How often the containers were restarted, and when last.', () => ''), cell: restarts },
    ageColumn,
    textColumn('IP', 'The address of the Pod.', (object) => orNone(asPod(object).status?.podIP), 1),
    textColumn('Node', 'Where the Pod runs.', (object) => orNone(asPod(object).spec.nodeName), 1),
    textColumn(
      'Nominated Node',
      'Where the Pod may run.',
      (object) => orNone(statusOfObject(object).nominatedNodeName),
      1,
    ),
    textColumn('Readiness Gates', 'Further conditions of readiness.', () => '<none>', 1),
  ],
  applyDefaults: (object) => defaultPodSpec(asPod(object).spec, { template: false }),
  prepareCreate(object) {
    object.status = { phase: 'Pending', qosClass: qosClass(asPod(object).spec) };
  },
  validate: (object) => validatePodSpec(asPod(object).spec, 'spec'),
  validateUpdate,
  gracePeriod,
};
