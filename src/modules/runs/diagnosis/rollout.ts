import type { Deployment } from '../../../k8s/resources.ts';
import { replicasAnnotation, stoppedAtAnnotation } from '../labels.ts';
import { type Finding, earliest, finding, latest } from './finding.ts';
import { type Situation, conditionOf, createdAt, duration, oneLine, plural, startedAt, time } from './situation.ts';

/** Deletions with finalizers that take longer than this are stuck. */
const deletionPatienceMs = 60_000;

/** What is wrong with the workload as a whole. */
export function diagnoseWorkload(situation: Situation, workload: Deployment): Finding[] {
  const deleting = terminating(situation, workload);
  if (deleting) return [deleting];
  if (situation.desired === 0) return [scaledToZero(situation, workload)];
  return [
    ...replicaFailure(situation, workload),
    ...stalled(workload),
    ...rollingOut(situation, workload),
    ...withoutProbe(workload),
    ...duplicates(situation, workload),
  ];
}

/** An object that is being deleted. */
export function terminating(
  situation: Situation,
  object: Deployment | { kind: string; metadata: Deployment['metadata'] },
) {
  const since = time(object.metadata.deletionTimestamp);
  if (since === null) return null;
  const finalizers = object.metadata.finalizers ?? [];
  const deadline = since + deletionPatienceMs;
  const stuck = finalizers.length > 0 && situation.now > deadline;
  const left = situation.ending.length + situation.pods.length;
  return finding('TERMINATING', {
    health: stuck ? 'DEGRADED' : 'PROGRESSING',
    rawReason: 'DeletionTimestamp',
    message: stuck
      ? `${object.kind} ${object.metadata.name} is being deleted for ${duration(situation.now - since)} and waits for ${finalizers.join(', ')}.`
      : `${object.kind} ${object.metadata.name} is being deleted; ${plural(left, 'Pod')} ${left === 1 ? 'is' : 'are'} left.`,
    hint: stuck
      ? 'Find out why the owner of that finalizer does not finish; only remove the finalizer by hand if it is gone.'
      : 'Wait until it is gone.',
    object: { apiVersion: object.kind === 'Deployment' ? 'apps/v1' : 'v1', ...object },
    since,
    ...(!stuck && finalizers.length > 0 && { changesAt: deadline + 1 }),
  });
}

function scaledToZero(situation: Situation, workload: Deployment): Finding {
  const annotations = workload.metadata.annotations ?? {};
  const before = annotations[replicasAnnotation];
  const left = situation.ending.length + situation.pods.length;
  const ending = left > 0 ? `; ${plural(left, 'Pod')} still ending` : '';
  const resumes = before ? `, resume brings back ${before}` : '';
  return finding('SCALED_TO_ZERO', {
    health: 'SUSPENDED',
    message: `Deployment ${workload.metadata.name} is stopped: it has 0 replicas${resumes}${ending}.`,
    hint: 'Resume it or scale it up to serve requests again.',
    object: workload,
    since: time(annotations[stoppedAtAnnotation]) ?? conditionsChangedAt(workload),
  });
}

function conditionsChangedAt(workload: Deployment): number {
  const times = (workload.status?.conditions ?? []).map((item) => time(item.lastUpdateTime ?? item.lastTransitionTime));
  return latest(times) ?? createdAt(workload);
}

function replicaFailure({ objects }: Situation, workload: Deployment): Finding[] {
  const condition = [workload.status?.conditions, objects.replicaSets?.[0]?.status?.conditions]
    .map((conditions) => conditionOf(conditions, 'ReplicaFailure'))
    .find((candidate) => candidate?.status === 'True');
  if (!condition) return [];
  const detail = oneLine(condition.message);
  const quota = /exceeded quota|quota/i.test(detail);
  const denied = /admission|denied|violates|forbidden|webhook/i.test(detail);
  const hint = quota
    ? 'Ask for less, free some of the quota of the namespace, or have it raised.'
    : denied
      ? 'A rule of the cluster refuses these Pods: change what it names, or ask who runs the cluster.'
      : 'Read the message: the cluster refuses to create the Pods.';
  return [
    finding(quota ? 'QUOTA_EXCEEDED' : denied ? 'ADMISSION_DENIED' : 'UNKNOWN', {
      health: 'DEGRADED',
      rawReason: condition.reason,
      message: `Pods of Deployment ${workload.metadata.name} can't be created: ${detail || 'no reason was given'}.`,
      hint,
      object: workload,
      since: time(condition.lastTransitionTime),
    }),
  ];
}

function stalled(workload: Deployment): Finding[] {
  const condition = conditionOf(workload.status?.conditions, 'Progressing');
  if (condition?.status !== 'False' || condition.reason !== 'ProgressDeadlineExceeded') return [];
  const seconds = workload.spec.progressDeadlineSeconds ?? 600;
  const { updatedReplicas = 0, availableReplicas = 0 } = workload.status ?? {};
  const desired = workload.spec.replicas ?? 1;
  return [
    finding('ROLLOUT_STALLED', {
      health: 'DEGRADED',
      rawReason: condition.reason,
      message: `The rollout of Deployment ${workload.metadata.name} made no progress for ${seconds} s: ${updatedReplicas} of ${desired} replicas are new, ${availableReplicas} available.`,
      hint: 'Mend what the other reasons say, or go back to the version that worked.',
      object: workload,
      since: time(condition.lastTransitionTime ?? condition.lastUpdateTime),
    }),
  ];
}

function rollingOut(situation: Situation, workload: Deployment): Finding[] {
  const { name, generation = 0 } = workload.metadata;
  const status = workload.status ?? {};
  const { desired } = situation;
  const since = conditionsChangedAt(workload);
  if (status.observedGeneration === undefined || status.observedGeneration < generation) {
    return [unobserved(situation, workload)];
  }
  const { replicas = 0, updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = status;
  const old = replicas - updatedReplicas;
  if (workload.spec.paused && (old > 0 || updatedReplicas < desired)) {
    return [
      finding('ROLLING_OUT', {
        health: 'SUSPENDED',
        rawReason: 'DeploymentPaused',
        message: `The rollout of Deployment ${name} is paused: ${updatedReplicas} of ${desired} replicas are new.`,
        hint: 'Resume the rollout (kubectl rollout resume) to go on.',
        object: workload,
        since,
      }),
    ];
  }
  if (old > 0 || ((situation.objects.replicaSets?.length ?? 1) > 1 && updatedReplicas < desired)) {
    return [
      finding('ROLLING_OUT', {
        health: 'PROGRESSING',
        rawReason: conditionOf(status.conditions, 'Progressing')?.reason,
        message: `Deployment ${name} rolls out a new version: ${updatedReplicas} of ${desired} replicas are new, ${old} old ${old === 1 ? 'is' : 'are'} left.`,
        hint: 'Wait: old replicas end as new ones get ready.',
        object: workload,
        since,
      }),
    ];
  }
  if (availableReplicas >= desired && situation.ready.length >= desired) return [];
  const what =
    situation.pods.length < desired
      ? `${situation.pods.length} of ${desired} Pods are there`
      : `${Math.max(readyReplicas, situation.ready.length)} of ${desired} replicas are ready, ${availableReplicas} available`;
  return [
    finding('STARTING', {
      health: 'PROGRESSING',
      message: `Deployment ${name} is starting: ${what}.`,
      hint: workload.spec.minReadySeconds
        ? `Wait: a Pod counts when it has been ready for ${workload.spec.minReadySeconds} s.`
        : 'Wait until all its Pods are ready.',
      object: workload,
      since: earliest(situation.pods.filter((pod) => !situation.ready.includes(pod)).map(startedAt)) ?? since,
    }),
  ];
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
      message: `No controller has taken up Deployment ${workload.metadata.name} since it was created ${duration(situation.now - since)} ago.`,
      hint: 'Check that the controller manager of the cluster runs.',
      object: workload,
      since,
    });
  }
  return finding(fresh ? 'STARTING' : 'ROLLING_OUT', {
    health: 'PROGRESSING',
    rawReason: 'NotObserved',
    message: `Deployment ${workload.metadata.name} was ${fresh ? 'created' : 'changed'}; its controller has not taken it up yet.`,
    hint: 'Wait a moment.',
    object: workload,
    since: fresh ? since : null,
    ...(fresh && { changesAt: deadline + 1 }),
  });
}

function withoutProbe(workload: Deployment): Finding[] {
  const blind = workload.spec.template.spec.containers.filter((container) => !container.readinessProbe);
  const [first] = blind;
  if (!first || blind.length < workload.spec.template.spec.containers.length) return [];
  return [
    finding('NO_READINESS_PROBE', {
      health: 'HEALTHY',
      message: `Container ${first.name} has no readiness probe: ready only means that its process runs.`,
      hint: 'Give it a readiness probe, so that health says whether it answers.',
      object: workload,
    }),
  ];
}

function duplicates({ objects }: Situation, workload: Deployment): Finding[] {
  const others = objects.duplicates ?? [];
  if (others.length === 0) return [];
  return [
    finding('UNKNOWN', {
      health: 'HEALTHY',
      rawReason: 'DuplicateWorkload',
      message: `${plural(others.length, 'other Deployment')} ${others.length === 1 ? 'claims' : 'claim'} to be this run too: ${others.map((other) => other.metadata.name).join(', ')}; ${workload.metadata.name} is the oldest and is shown.`,
      hint: 'Give each Deployment a run id of its own.',
      object: others[0] ?? null,
      count: others.length,
    }),
  ];
}
