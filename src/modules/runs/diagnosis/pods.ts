import type { Pod } from '../../../k8s/resources.ts';
import { diagnoseContainer } from './containers.ts';
import { type Finding, finding } from './finding.ts';
import {
  type Situation,
  conditionOf,
  createdAt,
  duration,
  inWindow,
  isReady,
  lossTimes,
  oneLine,
  patience,
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
  if (found.some((item) => item.health !== 'HEALTHY')) return found;
  if (isReady(pod)) return [...unsteady(situation, pod), ...found];
  return [...found, gates(situation, pod) ?? volume(situation, pod) ?? starting(situation, pod)];
}

/** A Pod that is ready now but keeps losing it. */
function unsteady(situation: Situation, pod: Pod): Finding[] {
  const { restartThreshold, restartWindowMs } = situation.settings;
  const { counted, changesAt } = inWindow(situation, lossTimes(situation, pod));
  if (counted.length < restartThreshold) return [];
  const warning = warningOf(situation, pod.metadata.uid, 'Unhealthy', /^Readiness probe/i);
  const detail = warning ? `: ${oneLine(warning.message)}` : '';
  return [
    finding('READINESS_FAILING', {
      health: 'DEGRADED',
      rawReason: warning?.reason,
      message: `Pod ${pod.metadata.name} stopped being ready ${counted.length} times in the last ${duration(restartWindowMs)}${detail}.`,
      hint: 'It is ready at the moment: look at its load and logs, and give the probe more time if it is only slow.',
      object: pod,
      count: counted.length,
      since: counted.at(-restartThreshold),
      changesAt,
    }),
  ];
}

/** Containers that are ready in a Pod that waits for a readiness gate. */
function gates(situation: Situation, pod: Pod): Finding | null {
  const ready = conditionOf(pod.status?.conditions, 'Ready');
  if (ready?.reason !== 'ReadinessGatesNotReady') return null;
  const since = readyChangedAt(pod) ?? startedAt(pod);
  return finding('READINESS_FAILING', {
    ...patience(situation, since),
    rawReason: ready.reason,
    message: `Pod ${pod.metadata.name} waits for a readiness gate${ready.message ? `: ${oneLine(ready.message)}` : ''}.`,
    hint: 'Check the controller that sets the condition, a load balancer for example.',
    object: pod,
    since,
  });
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
