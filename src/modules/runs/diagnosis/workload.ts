import type { Deployment } from '../../../k8s/resources.ts';
import { replicasAnnotation, stoppedAtAnnotation } from '../labels.ts';
import { type Finding, finding } from './finding.ts';
import { conditionsChangedAt, diagnoseProgress } from './progress.ts';
import { type Situation, conditionOf, createdAt, oneLine, plural, time } from './situation.ts';

/** Deletions with finalizers that take longer than this are stuck. */
const deletionPatienceMs = 60_000;

/** What is wrong with the workload as a whole. */
export function diagnoseWorkload(situation: Situation, workload: Deployment): Finding[] {
  const deleting = terminating(situation, workload);
  if (deleting) return [deleting];
  if (situation.desired === 0) return [scaledToZero(situation, workload)];
  return [
    ...replicaFailure(situation, workload),
    ...diagnoseProgress(situation, workload),
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
      ? `${object.kind} ${object.metadata.name} is being deleted for over a minute and waits for ${finalizers.join(', ')}.`
      : `${object.kind} ${object.metadata.name} is being deleted; ${plural(left, 'Pod')} ${left === 1 ? 'is' : 'are'} left.`,
    hint: stuck
      ? 'Find out why the owner of that finalizer does not finish; only remove the finalizer by hand if it is gone.'
      : 'Wait until it is gone.',
    object: { apiVersion: object.kind === 'Deployment' ? 'apps/v1' : 'v1', ...object },
    since,
    ...(stuck ? { from: deadline } : finalizers.length > 0 && { changesAt: deadline + 1 }),
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

function replicaFailure({ objects }: Situation, workload: Deployment): Finding[] {
  const condition = [workload.status?.conditions, objects.replicaSets?.[0]?.status?.conditions]
    .map((conditions) => conditionOf(conditions, 'ReplicaFailure'))
    .find((candidate) => candidate?.status === 'True');
  if (!condition) return [];
  const detail = oneLine(condition.message);
  const quota = /exceeded quota|quota/i.test(detail);
  const denied = /admission|denied|violates|forbidden|webhook/i.test(detail);
  const hint = quota
    ? /must specify/.test(detail)
      ? 'Give the run the resources that the message names: the quota of the namespace wants them said.'
      : 'Ask for less, free some of the quota of the namespace, or have it raised.'
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
      since: time(condition.lastTransitionTime) ?? createdAt(workload),
    }),
  ];
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
      since: createdAt(workload),
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
      since: others[0] && createdAt(others[0]),
    }),
  ];
}
