import { diagnose } from './diagnosis/diagnose.ts';
import { type Finding, earliest, latest } from './diagnosis/finding.ts';
import { type Situation, conditionOf, createdAt, readyChangedAt, restartsOf, time } from './diagnosis/situation.ts';
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
  return {
    state: stateOf(situation, health),
    health,
    message: health === 'HEALTHY' ? null : (first?.reason.message ?? null),
    reasons: findings.map((item) => item.reason),
    restarts: restartsOfRun(situation),
    since: sinceOf(situation, findings, health),
    changesAt: earliest(findings.map((item) => item.changesAt)),
  };
}

/** State is what the run is doing, in the words of the platform; a service never completes. */
function stateOf({ objects, desired, ready, pods }: Situation, health: HealthStatus): RunState {
  const { workload, service } = objects;
  const present = workload ?? service;
  if (present?.metadata.deletionTimestamp !== undefined) return 'DELETING';
  if (!workload) return 'ERROR';
  if (desired === 0) return 'STOPPED';
  if (ready.length > 0) return 'RUNNING';
  if (health === 'DEGRADED') return 'ERROR';
  return pods.length > 0 ? 'PENDING' : 'CREATED';
}

/** All replicas agree on it: it is read off the objects, never off the time at which a change was noticed. */
function sinceOf(situation: Situation, findings: readonly Finding[], health: HealthStatus): Millis {
  const { workload, service } = situation.objects;
  const created = createdAtOf(situation);
  if (health !== 'HEALTHY') {
    const since = earliest(findings.filter((item) => item.health === health).map((item) => item.reason.since));
    return Math.max(created, since ?? created);
  }
  const available = conditionOf(workload?.status?.conditions, 'Available');
  return (
    latest([
      created,
      service && createdAt(service),
      available?.status === 'True' ? time(available.lastTransitionTime) : null,
      ...situation.ready.map(readyChangedAt),
    ]) ?? created
  );
}

function createdAtOf({ objects }: Situation): Millis {
  const object = objects.workload ?? objects.service;
  return object ? createdAt(object) : 0;
}

function restartsOfRun({ pods, settings, now }: Situation): number {
  let sum = 0;
  for (const pod of pods) {
    for (const status of pod.status?.containerStatuses ?? []) sum += restartsOf(pod, status, settings, now);
  }
  return sum;
}
