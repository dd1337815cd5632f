import type { Deployment } from '../../../k8s/resources.ts';
import type { Millis } from '../service.ts';
import { type Finding, earliest, finding, latest } from './finding.ts';
import { type Situation, canRead, conditionOf, createdAt, startedAt, time } from './situation.ts';

/** How far a Deployment has come: rolling out, starting, stalled. */
export function diagnoseProgress(situation: Situation, workload: Deployment): Finding[] {
  const status = workload.status ?? {};
  const { desired } = situation;
  if (status.observedGeneration === undefined || status.observedGeneration < (workload.metadata.generation ?? 0)) {
    return [unobserved(situation, workload)];
  }
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status;
  const old = Math.max(0, replicas - updatedReplicas);
  if (workload.spec.paused && (old > 0 || updatedReplicas < desired)) return [paused(workload, desired)];
  const complete = old === 0 && updatedReplicas >= desired && availableReplicas >= desired;
  const deadline = complete ? null : deadlineOf(workload);
  const isStalled = deadline !== null && (deadline.passed || situation.now > deadline.at);
  const found = isStalled ? [stalled(workload, deadline.at)] : [];
  const next = deadline !== null && !isStalled ? { changesAt: deadline.at + 1 } : {};
  if (old > 0 || ((situation.objects.replicaSets?.length ?? 1) > 1 && updatedReplicas < desired)) {
    return [...found, { ...rollingOut(workload, desired, old), ...next }];
  }
  if (availableReplicas >= desired && (situation.ready.length >= desired || !canRead(situation, 'Pod'))) return found;
  return [...found, { ...starting(situation, workload), ...next }];
}

/** When a rollout that makes no progress is stalled; `passed` once its controller says so. Null outside a rollout. */
function deadlineOf(workload: Deployment): { at: Millis; passed: boolean } | null {
  const condition = conditionOf(workload.status?.conditions, 'Progressing');
  if (condition?.status === 'False' && condition.reason === 'ProgressDeadlineExceeded') {
    return { at: time(condition.lastTransitionTime ?? condition.lastUpdateTime) ?? createdAt(workload), passed: true };
  }
  const progressed = time(condition?.lastUpdateTime ?? condition?.lastTransitionTime);
  if (condition?.status !== 'True' || condition.reason === 'NewReplicaSetAvailable' || progressed === null) return null;
  return { at: progressed + (workload.spec.progressDeadlineSeconds ?? 600) * 1000, passed: false };
}

function stalled(workload: Deployment, since: Millis): Finding {
  const seconds = workload.spec.progressDeadlineSeconds ?? 600;
  const { updatedReplicas = 0, availableReplicas = 0 } = workload.status ?? {};
  return finding('ROLLOUT_STALLED', {
    health: 'DEGRADED',
    rawReason: conditionOf(workload.status?.conditions, 'Progressing')?.reason,
    message: `The rollout of Deployment ${workload.metadata.name} made no progress for ${seconds} s: ${updatedReplicas} of ${workload.spec.replicas ?? 1} replicas are new, ${availableReplicas} available.`,
    hint: 'Mend what the other reasons say, or go back to the version that worked.',
    object: workload,
    since,
  });
}

function paused(workload: Deployment, desired: number): Finding {
  const { updatedReplicas = 0 } = workload.status ?? {};
  return finding('ROLLING_OUT', {
    health: 'SUSPENDED',
    rawReason: 'DeploymentPaused',
    message: `The rollout of Deployment ${workload.metadata.name} is paused: ${updatedReplicas} of ${desired} replicas are new.`,
    hint: 'Resume the rollout (kubectl rollout resume) to go on.',
    object: workload,
    since: conditionsChangedAt(workload),
  });
}

function rollingOut(workload: Deployment, desired: number, old: number): Finding {
  const { updatedReplicas = 0, conditions } = workload.status ?? {};
  return finding('ROLLING_OUT', {
    health: 'PROGRESSING',
    rawReason: conditionOf(conditions, 'Progressing')?.reason,
    message: `Deployment ${workload.metadata.name} rolls out a new version: ${updatedReplicas} of ${desired} replicas are new, ${old} old ${old === 1 ? 'is' : 'are'} left.`,
    hint: 'Wait: old replicas end as new ones get ready.',
    object: workload,
    since: conditionsChangedAt(workload),
  });
}

function starting(situation: Situation, workload: Deployment): Finding {
  const { desired, pods, ready } = situation;
  const { readyReplicas = 0, availableReplicas = 0 } = workload.status ?? {};
  const what =
    pods.length < desired
      ? `${pods.length} of ${desired} Pods are there`
      : `${Math.max(readyReplicas, ready.length)} of ${desired} replicas are ready, ${availableReplicas} available`;
  return finding('STARTING', {
    health: 'PROGRESSING',
    message: `Deployment ${workload.metadata.name} is starting: ${what}.`,
    hint: workload.spec.minReadySeconds
      ? `Wait: a Pod counts when it has been ready for ${workload.spec.minReadySeconds} s.`
      : 'Wait until all its Pods are ready. If this lasts, check the controllers and the events of the Deployment.',
    object: workload,
    since: lackingSince(situation, workload),
  });
}

/** Since when replicas are missing, as far as the objects tell. */
function lackingSince({ pods, ready, ending }: Situation, workload: Deployment): Millis {
  const unready = earliest(pods.filter((pod) => !ready.includes(pod)).map(startedAt));
  const gone = latest(ending.map((pod) => time(pod.metadata.deletionTimestamp)));
  return unready ?? latest([conditionsChangedAt(workload), gone, ...pods.map(startedAt)]) ?? createdAt(workload);
}

export function conditionsChangedAt(workload: Deployment): Millis {
  const times = (workload.status?.conditions ?? []).map((item) => time(item.lastUpdateTime ?? item.lastTransitionTime));
  return latest(times) ?? createdAt(workload);
}

/** The controller has not seen the newest spec: normal for a moment, a dead controller otherwise. */
function unobserved(situation: Situation, workload: Deployment): Finding {
  const fresh = workload.status?.observedGeneration === undefined;
  const since = createdAt(workload);
  const deadline = since + situation.settings.startDeadlineMs;
  if (fresh && situation.now > deadline) {
    return finding('UNKNOWN', {
      health: 'UNKNOWN',
      rawReason: 'NotObserved',
      message: `No controller has taken up Deployment ${workload.metadata.name} since it was created.`,
      hint: 'Check that the controller manager of the cluster runs.',
      object: workload,
      since,
      from: deadline,
    });
  }
  return finding(fresh ? 'STARTING' : 'ROLLING_OUT', {
    health: 'PROGRESSING',
    rawReason: 'NotObserved',
    message: `Deployment ${workload.metadata.name} was ${fresh ? 'created' : 'changed'}; its controller has not taken it up yet.`,
    hint: 'Wait a moment.',
    object: workload,
    since: fresh ? since : conditionsChangedAt(workload),
    ...(fresh && { changesAt: deadline + 1 }),
  });
}
