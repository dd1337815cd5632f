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

/** Whether this server can read a kind at all. */
export function canRead({ objects }: Situation, kind: string): boolean {
  return !objects.unreadable?.includes(kind);
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

/**
 * Events have whole seconds: among those of one second, the one written last comes first. The server counts its writes
 * up; where it does not say so in numbers, the name decides, so that the order stays the same.
 */
export function newerFirst(a: KubeEvent, b: KubeEvent): number {
  const written = ({ metadata }: KubeEvent) => Number(metadata.resourceVersion ?? '') || 0;
  return written(b) - written(a) || (a.metadata.name < b.metadata.name ? -1 : 1);
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
 * When a container was restarted, newest first. Kubernetes keeps the number and the last time; the others are known as
 * far as this server saw them or a warning tells of them, and else taken as early as can be, so that there were never fewer
 * in the window than are counted.
 */
export function restartTimes(situation: Situation, pod: Pod, status: ContainerStatus): Millis[] {
  const count = status.restartCount ?? 0;
  const last = time(status.lastState?.terminated?.finishedAt);
  const seen = new Set(situation.objects.sightings?.get(pod.metadata.uid ?? '')?.ends.get(status.name));
  if (last !== null) seen.add(last);
  const known = [...seen].sort((a, b) => b - a).slice(0, count);
  const backedOff = backOffAt(situation, pod, status, last);
  // Kubernetes waits before a restart only when the container had ended shortly before.
  if (backedOff !== null && known.length < Math.min(count, 2)) known.push(backedOff);
  const others = Array<Millis>(count - known.length).fill(startedAt(pod));
  return [...known, ...others].sort((a, b) => b - a);
}

function backOffAt(situation: Situation, pod: Pod, status: ContainerStatus, last: Millis | null): Millis | null {
  if (status.state?.waiting?.reason === 'CrashLoopBackOff') return last;
  const event = situation.objects.events.findLast(
    ({ involvedObject, reason, message = '' }) =>
      involvedObject.uid === pod.metadata.uid &&
      reason === 'BackOff' &&
      /restarting failed container/i.test(message) &&
      (involvedObject.fieldPath?.includes(`{${status.name}}`) ?? true),
  );
  return event ? eventTime(event) : null;
}

/** When a Pod stopped being ready, newest first, as far as this server saw it. */
export function lossTimes({ objects }: Situation, pod: Pod): Millis[] {
  const losses = objects.sightings?.get(pod.metadata.uid ?? '')?.losses ?? [];
  return [...losses].sort((a, b) => b - a);
}

/** Those of some times, newest first, that still count, and when the next of them no longer does. */
export function inWindow({ settings, now }: Situation, times: readonly Millis[]) {
  const counted = times.filter((at) => at >= now - settings.restartWindowMs);
  const oldest = counted.at(-1);
  return { counted, ...(oldest !== undefined && { changesAt: oldest + settings.restartWindowMs + 1 }) };
}

/** When so many of these times, newest first, were no longer in the window that the run was at rest again. */
export function calmSince({ settings }: Situation, times: readonly Millis[]): Millis | null {
  const decisive = times[settings.restartThreshold - 1];
  return decisive === undefined ? null : decisive + settings.restartWindowMs + 1;
}

/** Patience with what may settle by itself: PROGRESSING until the start deadline, then DEGRADED. */
export function patience({ settings, now }: Situation, since: Millis, extraMs = 0) {
  const deadline = since + settings.startDeadlineMs + extraMs;
  return now > deadline
    ? { health: 'DEGRADED' as const, from: deadline }
    : { health: 'PROGRESSING' as const, changesAt: deadline + 1 };
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
