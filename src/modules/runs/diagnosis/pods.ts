import type { Pod } from '../../../k8s/resources.ts';
import { diagnoseContainer } from './containers.ts';
import { type Finding, finding } from './finding.ts';
import {
  type Situation,
  conditionOf,
  createdAt,
  eventTime,
  isReady,
  oneLine,
  plural,
  readyChangedAt,
  startedAt,
  time,
  warningOf,
} from './situation.ts';

/** What is wrong with one Pod that should serve. */
export function diagnosePod(situation: Situation, pod: Pod): Finding[] {
  const placed = placement(situation, pod);
  if (placed) return [placed];
  const lost = nodeLost(situation, pod);
  if (lost) return [lost];
  const found = [
    ...(pod.status?.initContainerStatuses ?? []).flatMap((status) => {
      const spec = pod.spec.initContainers?.find((container) => container.name === status.name);
      return diagnoseContainer({ situation, pod, spec, status, init: true });
    }),
    ...(pod.status?.containerStatuses ?? []).flatMap((status) => {
      const spec = pod.spec.containers.find((container) => container.name === status.name);
      return diagnoseContainer({ situation, pod, spec, status, init: false });
    }),
  ];
  if (isReady(pod) || found.some((item) => item.health !== 'HEALTHY')) return found;
  return [...found, volume(situation, pod) ?? starting(situation, pod)];
}

/** Patience with what may settle by itself: PROGRESSING until the start deadline, then DEGRADED. */
function patience({ settings, now }: Situation, since: number): Pick<Finding, 'health' | 'changesAt'> {
  const deadline = since + settings.startDeadlineMs;
  return now > deadline ? { health: 'DEGRADED' } : { health: 'PROGRESSING', changesAt: deadline + 1 };
}

function placement(situation: Situation, pod: Pod): Finding | null {
  const condition = conditionOf(pod.status?.conditions, 'PodScheduled');
  if (condition?.status !== 'False' || condition.reason === 'SchedulingGated') return null;
  const since = time(condition.lastTransitionTime) ?? createdAt(pod);
  const detail = oneLine(condition.message);
  if (/persistentvolumeclaim|volume/i.test(detail) && !/insufficient/i.test(detail)) {
    return finding('VOLUME_PENDING', {
      ...patience(situation, since),
      rawReason: condition.reason,
      message: `Pod ${pod.metadata.name} waits for a volume: ${detail}.`,
      hint: 'Check that the PersistentVolumeClaim exists and that its storage class can provide it.',
      object: pod,
      since,
    });
  }
  return finding('UNSCHEDULABLE', {
    ...patience(situation, since),
    rawReason: condition.reason,
    message: `No node can take Pod ${pod.metadata.name}${detail && `: ${detail}`}.`,
    hint: /insufficient/i.test(detail)
      ? 'Ask for less CPU, memory or GPU, scale something else down, or add a node.'
      : 'Check node selectors, affinities and tolerations of the Pod against the nodes there are.',
    object: pod,
    since,
  });
}

function nodeLost(situation: Situation, pod: Pod): Finding | null {
  const ready = conditionOf(pod.status?.conditions, 'Ready');
  const containersReady = (pod.status?.containerStatuses ?? []).every((status) => status.ready);
  const notReady = warningOf(situation, pod.metadata.uid, 'NodeNotReady');
  const lost =
    pod.status?.reason === 'NodeLost' ||
    pod.status?.phase === 'Unknown' ||
    ready?.status === 'Unknown' ||
    (ready?.status === 'False' && containersReady && notReady !== undefined && pod.spec.nodeName !== undefined);
  if (!lost) return null;
  return finding('NODE_LOST', {
    health: 'DEGRADED',
    rawReason: pod.status?.reason ?? ready?.reason ?? notReady?.reason,
    message: `Node ${pod.spec.nodeName ?? 'unknown'} of Pod ${pod.metadata.name} no longer reports.`,
    hint: 'Check the node. Kubernetes replaces the Pod some minutes after it lost the node.',
    object: pod,
    since: readyChangedAt(pod),
  });
}

function volume(situation: Situation, pod: Pod): Finding | null {
  const event =
    warningOf(situation, pod.metadata.uid, 'FailedMount') ??
    warningOf(situation, pod.metadata.uid, 'FailedAttachVolume') ??
    warningOf(situation, pod.metadata.uid, 'FailedMapVolume');
  const running = (pod.status?.containerStatuses ?? []).some((status) => status.state?.running);
  if (!event || running) return null;
  const since = startedAt(pod);
  return finding('VOLUME_PENDING', {
    ...patience(situation, since),
    rawReason: event.reason,
    message: `Pod ${pod.metadata.name} can't get a volume: ${oneLine(event.message)}.`,
    hint: 'Check that the volume, Secret or ConfigMap it mounts exists and is not in use by another node.',
    object: pod,
    since,
  });
}

function starting(situation: Situation, pod: Pod): Finding {
  const since = startedAt(pod);
  const warning = situation.objects.events.findLast((event) => event.involvedObject.uid === pod.metadata.uid);
  const detail = warning ? `: ${oneLine(warning.message)}` : '';
  const judged = patience(situation, since);
  return finding('STARTING', {
    ...judged,
    rawReason: warning?.reason,
    message: `Pod ${pod.metadata.name} is not ready yet${detail}.`,
    hint:
      judged.health === 'PROGRESSING'
        ? 'Wait: its image is being fetched or its containers are being made.'
        : 'This takes long: look at the events of the Pod.',
    object: pod,
    since,
  });
}

/** Pods that were put off their node: said while it is recent, or while the run is short of Pods. */
export function diagnoseFinished(situation: Situation): Finding[] {
  const short = situation.ready.length < situation.desired;
  const evicted = situation.finished
    .map((pod) => ({ pod, at: endOf(situation, pod) }))
    .filter(({ pod }) => isEviction(pod))
    .filter(({ at }) => short || at + situation.settings.restartWindowMs >= situation.now);
  const newest = evicted.sort((a, b) => b.at - a.at)[0];
  if (!newest) return [];
  const { pod, at } = newest;
  const detail = oneLine(pod.status?.message);
  return [
    finding('EVICTED', {
      health: short ? 'DEGRADED' : 'HEALTHY',
      rawReason: pod.status?.reason,
      message: `${plural(evicted.length, 'Pod')} lost ${evicted.length === 1 ? 'its' : 'their'} node, last ${pod.metadata.name}${detail && `: ${detail}`}.`,
      hint: 'Give the run requests that fit what it uses, or free the resource that the node ran out of.',
      object: pod,
      count: evicted.length,
      since: at,
      ...(!short && { changesAt: at + situation.settings.restartWindowMs + 1 }),
    }),
  ];
}

function isEviction(pod: Pod): boolean {
  const reason = pod.status?.reason ?? '';
  return (
    ['Evicted', 'Preempting', 'NodeShutdown', 'NodeLost', 'NodeAffinity'].includes(reason) ||
    conditionOf(pod.status?.conditions, 'DisruptionTarget')?.status === 'True'
  );
}

function endOf(situation: Situation, pod: Pod): number {
  const warning = warningOf(situation, pod.metadata.uid, 'Evicted');
  return (
    time(conditionOf(pod.status?.conditions, 'DisruptionTarget')?.lastTransitionTime) ??
    (warning && eventTime(warning)) ??
    readyChangedAt(pod) ??
    startedAt(pod)
  );
}
