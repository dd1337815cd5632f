import type { ContainerStatus, Pod } from '../../k8s/resources.ts';
import { diagnose } from './diagnosis/diagnose.ts';
import { type Finding, earliest, latest } from './diagnosis/finding.ts';
import { livenessForgottenAt } from './diagnosis/probes.ts';
import {
  type Situation,
  calmSince,
  canRead,
  conditionOf,
  createdAt,
  inWindow,
  lossTimes,
  readyChangedAt,
  restartTimes,
  time,
} from './diagnosis/situation.ts';
import type { HealthReason, HealthStatus, Millis, RunState } from './service.ts';

/** The judged part of a run's status. */
export interface Judgment {
  state: RunState;
  health: HealthStatus;
  message: string | null;
  reasons: HealthReason[];
  restarts: number;
  since: Millis;
  changesAt: Millis | null;
}

/** Health is how well the run is: the health of its most important finding, HEALTHY without one (docs/health.md). */
export function judge(situation: Situation): Judgment {
  const findings = diagnose(situation);
  const [first] = findings;
  const health = first?.health ?? 'HEALTHY';
  const { restarts, changesAt } = restartsOfRun(situation);
  const changes = [changesAt, ...findings.map((item) => item.changesAt)];
  return {
    state: stateOf(situation, findings),
    health,
    message: health === 'HEALTHY' ? null : (first?.reason.message ?? null),
    reasons: findings.map((item) => item.reason),
    restarts,
    since: sinceOf(situation, findings, health),
    changesAt: earliest(changes.filter((at) => (at ?? 0) > situation.now)),
  };
}

/** State is what the run is doing, in the words of the platform; a service never completes. */
function stateOf(situation: Situation, findings: readonly Finding[]): RunState {
  const { objects, desired, ready, pods } = situation;
  const { workload, service } = objects;
  const present = workload ?? service;
  if (present?.metadata.deletionTimestamp !== undefined) return 'DELETING';
  if (!workload) return 'ERROR';
  if (desired === 0) return 'STOPPED';
  if (ready.length > 0 || (!canRead(situation, 'Pod') && (workload.status?.readyReplicas ?? 0) > 0)) return 'RUNNING';
  if (findings.some((item) => item.health === 'DEGRADED')) return 'ERROR';
  return pods.length > 0 ? 'PENDING' : 'CREATED';
}

/** All replicas agree on it: it is read off the objects, never off the time at which a change was noticed. */
function sinceOf(situation: Situation, findings: readonly Finding[], health: HealthStatus): Millis {
  const { workload, service } = situation.objects;
  const created = createdAtOf(situation);
  if (health !== 'HEALTHY') {
    const since = earliest(
      findings.filter((item) => item.health === health).map((item) => item.from ?? item.reason.since),
    );
    return Math.max(created, since ?? created);
  }
  const available = conditionOf(workload?.status?.conditions, 'Available');
  return (
    latest([
      created,
      service && createdAt(service),
      available?.status === 'True' ? time(available.lastTransitionTime) : null,
      ...situation.ready.flatMap((pod) => [readyChangedAt(pod), ...calmTimes(situation, pod)]),
    ]) ?? created
  );
}

/** When a Pod with restarts, losses of readiness or failures of its liveness probe was at rest again. */
function calmTimes(situation: Situation, pod: Pod): (Millis | null)[] {
  const restarts = statusesOf(pod).map((status) => restartTimes(situation, pod, status));
  const alive = [lossTimes(situation, pod), ...restarts].map((times) => calmSince(situation, times));
  return [...alive, livenessForgottenAt(situation, pod)];
}

function statusesOf({ status }: Pod): ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
}

/** The restarts of all containers that count, and when the next of them no longer does. */
function restartsOfRun(situation: Situation): { restarts: number; changesAt: Millis | null } {
  const windows = situation.pods.flatMap((pod) =>
    statusesOf(pod).map((status) => inWindow(situation, restartTimes(situation, pod, status))),
  );
  return {
    restarts: windows.reduce((sum, { counted }) => sum + counted.length, 0),
    changesAt: earliest(windows.map((window) => window.changesAt)),
  };
}

function createdAtOf({ objects }: Situation): Millis {
  const object = objects.workload ?? objects.service;
  return object ? createdAt(object) : 0;
}
