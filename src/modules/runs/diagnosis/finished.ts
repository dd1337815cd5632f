import type { Pod } from '../../../k8s/resources.ts';
import type { HealthReasonCode, Millis } from '../service.ts';
import { type Finding, finding } from './finding.ts';
import {
  type Situation,
  conditionOf,
  eventTime,
  oneLine,
  plural,
  readyChangedAt,
  startedAt,
  time,
  warningOf,
} from './situation.ts';

interface Ended {
  pod: Pod;
  at: Millis;
}

/** Pods that ended without being asked to: said while it is recent, or while the run is short of Pods. */
export function diagnoseFinished(situation: Situation): Finding[] {
  const short = situation.ready.length < situation.desired;
  const from = situation.now - situation.settings.restartWindowMs;
  const ended = situation.finished
    .map((pod) => ({ pod, at: endOf(situation, pod) }))
    .filter(({ at }) => short || at >= from)
    .sort((a, b) => b.at - a.at);
  const evicted = ended.filter(({ pod }) => isEviction(pod));
  // While no other Pod takes their place, they are why.
  const relevant = (at: Millis): boolean => situation.pods.length === 0 || at >= from;
  const refused = ended.filter(
    ({ pod, at }) => short && relevant(at) && !isEviction(pod) && pod.status?.phase === 'Failed',
  );
  return [...evictions(situation, evicted, short), ...refusals(situation, refused)];
}

function evictions(situation: Situation, evicted: readonly Ended[], short: boolean): Finding[] {
  const [newest] = evicted;
  if (!newest) return [];
  const { pod, at } = newest;
  const detail = oneLine(pod.status?.message);
  const oldest = evicted.at(-1)?.at ?? at;
  return [
    finding('EVICTED', {
      health: short ? 'DEGRADED' : 'HEALTHY',
      rawReason: pod.status?.reason,
      message: `${plural(evicted.length, 'Pod')} lost ${evicted.length === 1 ? 'its' : 'their'} node, last ${pod.metadata.name}${detail && `: ${detail}`}.`,
      hint: 'Give the run requests that fit what it uses, or free the resource that the node ran out of.',
      object: pod,
      count: evicted.length,
      since: at,
      ...(!short && { changesAt: oldest + situation.settings.restartWindowMs + 1 }),
    }),
  ];
}

function isEviction(pod: Pod): boolean {
  const reason = pod.status?.reason ?? '';
  return (
    ['Evicted', 'Preempting', 'NodeShutdown', 'Terminated', 'NodeLost', 'NodeAffinity'].includes(reason) ||
    conditionOf(pod.status?.conditions, 'DisruptionTarget')?.status === 'True'
  );
}

/** Pods that a node refused, or that failed as a whole: the ReplicaSet makes new ones, which fail alike. */
function refusals(situation: Situation, refused: readonly Ended[]): Finding[] {
  const [newest] = refused;
  if (!newest) return [];
  const { pod, at } = newest;
  const reason = pod.status?.reason ?? '';
  const { code, hint } = refusalOf(reason);
  const detail = oneLine(pod.status?.message) || oneLine(reason);
  return [
    finding(code, {
      health: 'DEGRADED',
      rawReason: reason,
      message: `${plural(refused.length, 'Pod')} failed, last ${pod.metadata.name}${detail && `: ${detail}`}.`,
      hint,
      object: pod,
      count: refused.length,
      since: at,
      ...(situation.pods.length > 0 && {
        changesAt: (refused.at(-1)?.at ?? at) + situation.settings.restartWindowMs + 1,
      }),
    }),
  ];
}

function refusalOf(reason: string): { code: HealthReasonCode; hint: string } {
  if (reason.startsWith('OutOf')) {
    return {
      code: 'UNSCHEDULABLE',
      hint: 'Ask for less CPU, memory or Pods, scale something else down, or add a node.',
    };
  }
  if (/Admission|Affinity|AppArmor|Sysctl|PodOS/.test(reason)) {
    return { code: 'ADMISSION_DENIED', hint: 'The node refuses these Pods: change what the message names.' };
  }
  return { code: 'UNKNOWN', hint: 'Look at the message and at the events of the Pod.' };
}

function endOf(situation: Situation, pod: Pod): Millis {
  const warning = warningOf(situation, pod.metadata.uid, 'Evicted');
  return (
    time(conditionOf(pod.status?.conditions, 'DisruptionTarget')?.lastTransitionTime) ??
    (warning && eventTime(warning)) ??
    readyChangedAt(pod) ??
    startedAt(pod)
  );
}
