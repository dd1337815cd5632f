import type { Condition, ContainerStatus, KubeEvent, KubeObject, Pod } from '../../../k8s/resources.ts';
import type { Millis, RunObjects } from '../service.ts';

/** What judgments depend on besides the objects. */
export interface HealthSettings {
  /** How long a restart counts. */
  restartWindowMs: number;
  /** Restarts within the window from which a ready run is DEGRADED. */
  restartThreshold: number;
  /** How long a start may take before it counts as failing. */
  startDeadlineMs: number;
}

/** The objects of one run at one time, with what every check needs to know of them. */
export interface Situation {
  readonly objects: RunObjects;
  readonly settings: HealthSettings;
  readonly now: Millis;
  readonly desired: number;
  /** Neither finished nor on their way out. */
  readonly pods: readonly Pod[];
  /** On their way out. */
  readonly ending: readonly Pod[];
  /** Finished, as an evicted Pod is. */
  readonly finished: readonly Pod[];
  readonly ready: readonly Pod[];
}

export function situationOf(objects: RunObjects, settings: HealthSettings, now: Millis): Situation {
  const ending = objects.pods.filter((pod) => pod.metadata.deletionTimestamp !== undefined);
  const rest = objects.pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  const isFinished = (pod: Pod) => pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
  const pods = rest.filter((pod) => !isFinished(pod));
  return {
    objects,
    settings,
    now,
    desired: objects.workload ? (objects.workload.spec.replicas ?? 1) : 0,
    pods,
    ending,
    finished: rest.filter(isFinished),
    ready: pods.filter(isReady),
  };
}

/** Kubernetes' times as ms since the epoch; null for none. */
export function time(text: string | null | undefined): Millis | null {
  const value = text ? Date.parse(text) : Number.NaN;
  return Number.isNaN(value) ? null : value;
}

export function createdAt(object: KubeObject): Millis {
  return time(object.metadata.creationTimestamp) ?? 0;
}

export function conditionOf(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isReady(pod: Pod): boolean {
  return conditionOf(pod.status?.conditions, 'Ready')?.status === 'True';
}

/** When the Pod became ready or stopped being so. */
export function readyChangedAt(pod: Pod): Millis | null {
  return time(conditionOf(pod.status?.conditions, 'Ready')?.lastTransitionTime);
}

export function startedAt(pod: Pod): Millis {
  return time(pod.status?.startTime) ?? createdAt(pod);
}

export function eventTime(event: KubeEvent): Millis | null {
  return time(event.series?.lastObservedTime) ?? time(event.lastTimestamp) ?? time(event.eventTime);
}

/** The newest warning about an object with this reason, and where given, a message that fits. */
export function warningOf(
  { objects }: Situation,
  uid: string | undefined,
  reason: string,
  message?: RegExp,
): KubeEvent | undefined {
  return objects.events.findLast(
    (event) =>
      event.involvedObject.uid === uid && event.reason === reason && (!message || message.test(event.message ?? '')),
  );
}

/** The embedded cluster's warning that a program of the Pod listens on a wrong address, or found its port taken. */
export function listeningFault(situation: Situation, pod: Pod, from: Millis): KubeEvent | undefined {
  const event =
    warningOf(situation, pod.metadata.uid, 'PortTaken') ?? warningOf(situation, pod.metadata.uid, 'WrongAddress');
  return event && (eventTime(event) ?? 0) >= from ? event : undefined;
}

/** How the last run of a container ended, also while the next one is already up. */
export function lastEnd(status: ContainerStatus) {
  return status.state?.terminated ?? status.lastState?.terminated;
}

/**
 * Restarts of a container within the window. Kubernetes keeps only their number and the last end, so for a Pod older
 * than the window this is the least there can have been.
 */
export function restartsOf(pod: Pod, status: ContainerStatus, settings: HealthSettings, now: Millis): number {
  const count = status.restartCount ?? 0;
  const ended = time(status.lastState?.terminated?.finishedAt);
  const from = now - settings.restartWindowMs;
  if (count === 0 || (ended !== null && ended < from)) return 0;
  if (startedAt(pod) >= from) return count;
  return Math.min(count, status.state?.waiting?.reason === 'CrashLoopBackOff' ? 2 : 1);
}

/** One line of at most 300 characters, without a final stop. */
export function oneLine(text: string | undefined): string {
  const line = (text ?? '').replace(/\s+/g, ' ').trim().replace(/\.$/, '');
  return line.length > 300 ? `${line.slice(0, 299)}…` : line;
}

/** `3 Pods`, `1 Pod`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** `10 minutes`, `1 second`. */
export function duration(ms: number): string {
  if (ms >= 120_000) return plural(Math.round(ms / 60_000), 'minute');
  return plural(Math.round(ms / 1000), 'second');
}
