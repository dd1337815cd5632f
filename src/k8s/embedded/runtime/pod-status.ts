import type { Condition, ContainerStatus, Pod } from '../../resources.ts';
import { conditionOf, rfc3339 } from '../controllers/pod-state.ts';

export type PodStatus = NonNullable<Pod['status']>;

/** What the runtime knows of a Pod beside its containers. */
export interface PodFacts {
  pod: Pod;
  /** Its address; undefined while it has none. */
  address: string | undefined;
  containers: ContainerStatus[];
  initContainers: ContainerStatus[];
  /** In ms since the epoch. */
  startTime: number;
  now: number;
}

function exitCode(status: ContainerStatus): number | undefined {
  return status.state?.terminated?.exitCode;
}

function hasRun(status: ContainerStatus): boolean {
  return status.lastState?.terminated !== undefined;
}

/** The kubelet's rules for the phase. */
function phaseOf(policy: string, containers: readonly ContainerStatus[], init: readonly ContainerStatus[]) {
  if (init.some((status) => exitCode(status) !== 0)) {
    const failed = init.some((status) => (exitCode(status) ?? 0) !== 0) && policy === 'Never';
    return failed ? 'Failed' : 'Pending';
  }
  if (containers.some((status) => status.state?.waiting && !hasRun(status))) return 'Pending';
  if (containers.some((status) => status.state?.running)) return 'Running';
  const codes = containers.map(exitCode);
  if (policy === 'Always' || codes.includes(undefined)) return 'Running';
  if (codes.every((code) => code === 0)) return 'Succeeded';
  return policy === 'Never' ? 'Failed' : 'Running';
}

function names(statuses: readonly ContainerStatus[]): string {
  return `[${statuses.map((status) => status.name).join(' ')}]`;
}

function conditions(facts: PodFacts, phase: string): Condition[] {
  const { containers, initContainers } = facts;
  const unready = containers.filter((status) => !status.ready);
  const incomplete = initContainers.filter((status) => exitCode(status) !== 0);
  const ready: Omit<Condition, 'type'> =
    phase === 'Succeeded'
      ? { status: 'False', reason: 'PodCompleted' }
      : unready.length === 0
        ? { status: 'True' }
        : {
            status: 'False',
            reason: 'ContainersNotReady',
            message: `containers with unready status: ${names(unready)}`,
          };
  const initialized: Omit<Condition, 'type'> =
    incomplete.length === 0
      ? { status: 'True' }
      : {
          status: 'False',
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: ${names(incomplete)}`,
        };
  return [
    { type: 'PodScheduled', status: 'True' },
    { type: 'Initialized', ...initialized },
    { type: 'ContainersReady', ...ready },
    { type: 'Ready', ...ready },
  ];
}

/** Keeps the time of each condition whose status is as before, and the order of them all. */
export function withTimes(next: Condition[], before: readonly Condition[] | undefined, now: number): Condition[] {
  const ours = new Set(next.map((condition) => condition.type));
  const foreign = (before ?? []).filter((condition) => !ours.has(condition.type));
  const timed = next.map((condition) => {
    const old = conditionOf(before, condition.type);
    const since = old?.status === condition.status ? old.lastTransitionTime : undefined;
    return { ...condition, lastTransitionTime: since ?? rfc3339(now) };
  });
  return [...timed, ...foreign];
}

/** Pure: the status of a Pod on this node. */
export function podStatus(facts: PodFacts): PodStatus {
  const { pod, address, containers, initContainers, now } = facts;
  const phase = phaseOf(pod.spec.restartPolicy ?? 'Always', containers, initContainers);
  return {
    phase,
    conditions: withTimes(conditions(facts, phase), pod.status?.conditions, now),
    hostIP: '127.0.0.1',
    ...(address !== undefined && { podIP: address, podIPs: [{ ip: address }] }),
    startTime: pod.status?.startTime ?? rfc3339(facts.startTime),
    ...(initContainers.length > 0 && { initContainerStatuses: initContainers }),
    containerStatuses: containers,
  };
}

/** Pure: the status of a Pod that no node can run. */
export function unschedulableStatus(pod: Pod, message: string, now: number): PodStatus {
  const condition: Condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message };
  return { ...pod.status, phase: 'Pending', conditions: withTimes([condition], pod.status?.conditions, now) };
}
