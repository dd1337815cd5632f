import type { Condition, Deployment, Pod, ReplicaSet } from '../../resources.ts';
import { conditionOf, rfc3339 } from './pod-state.ts';
import { available, desiredReplicas, rollingLimits, sizeOf } from './rollout.ts';

export type DeploymentStatus = NonNullable<Deployment['status']>;

/** What a plan saw or did to the new ReplicaSet in this round. */
export interface RolloutFacts {
  deployment: Deployment;
  newest: ReplicaSet | undefined;
  /** Set when the plan creates the new ReplicaSet now. */
  creating: string | undefined;
  replicaSets: readonly ReplicaSet[];
  now: number;
}

/** A condition as it is to be: its transition time is kept while its status is. */
function set(conditions: readonly Condition[], next: Condition, now: number): Condition[] {
  const present = conditionOf(conditions, next.type);
  const same = present?.status === next.status;
  if (same && present.reason === next.reason && present.message === next.message) return [...conditions];
  const time = rfc3339(now);
  const condition = { ...next, lastUpdateTime: time, lastTransitionTime: (same && present.lastTransitionTime) || time };
  return [...conditions.filter((other) => other.type !== next.type), condition];
}

function refresh(conditions: readonly Condition[], next: Condition, now: number): Condition[] {
  return set(
    conditions.map((old) => (old.type === next.type ? { ...old, message: '' } : old)),
    next,
    now,
  );
}

function counts({ deployment, newest, replicaSets }: RolloutFacts): DeploymentStatus {
  const total = (field: 'replicas' | 'readyReplicas' | 'availableReplicas') =>
    replicaSets.reduce((value, replicaSet) => value + (replicaSet.status?.[field] ?? 0), 0);
  const availableReplicas = total('availableReplicas');
  const wanted = replicaSets.reduce((value, replicaSet) => value + sizeOf(replicaSet), 0);
  const collisionCount = deployment.status?.collisionCount;
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: total('replicas'),
    updatedReplicas: newest?.status?.replicas ?? 0,
    readyReplicas: total('readyReplicas'),
    availableReplicas,
    unavailableReplicas: Math.max(0, wanted - availableReplicas),
    ...(collisionCount !== undefined && { collisionCount }),
  };
}

/** True when all Pods are new and available and none is left of the old. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const desired = desiredReplicas(deployment);
  return (
    status.updatedReplicas === desired &&
    status.replicas === desired &&
    status.availableReplicas === desired &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function isProgressing(before: DeploymentStatus, now: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus) => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(now) < old(before) ||
    (now.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

/** When the rollout counts as stuck unless it progresses before; undefined without a deadline or a rollout. */
export function deadline(deployment: Deployment, progressing: Condition | undefined): number | undefined {
  const seconds = deployment.spec.progressDeadlineSeconds ?? 600;
  if (deployment.spec.paused || !progressing?.lastUpdateTime || seconds >= 2 ** 31 - 1) return undefined;
  if (progressing.reason === 'NewReplicaSetAvailable' || progressing.reason === 'ProgressDeadlineExceeded') {
    return undefined;
  }
  return Date.parse(progressing.lastUpdateTime) + seconds * 1000;
}

function progress(facts: RolloutFacts, status: DeploymentStatus, conditions: readonly Condition[]): Condition[] {
  const { deployment, newest, creating, now } = facts;
  const condition = (value: Condition['status'], reason: string, message: string): Condition => ({
    type: 'Progressing',
    status: value,
    reason,
    message,
  });
  const present = conditionOf(conditions, 'Progressing');
  if (creating !== undefined) {
    return set(conditions, condition('True', 'NewReplicaSetCreated', `Created new replica set "${creating}"`), now);
  }
  if (deployment.spec.paused) {
    return set(conditions, condition('Unknown', 'DeploymentPaused', 'Deployment is paused'), now);
  }
  if (present?.reason === 'DeploymentPaused') {
    return set(conditions, condition('Unknown', 'DeploymentResumed', 'Deployment is resumed'), now);
  }
  const subject = newest ? `ReplicaSet "${newest.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  const settled = present?.reason === 'NewReplicaSetAvailable' && status.replicas === status.updatedReplicas;
  if (settled) return [...conditions];
  if (isComplete(deployment, status)) {
    return set(conditions, condition('True', 'NewReplicaSetAvailable', `${subject} has successfully progressed.`), now);
  }
  if (isProgressing(deployment.status ?? {}, status)) {
    return refresh(conditions, condition('True', 'ReplicaSetUpdated', `${subject} is progressing.`), now);
  }
  const due = deadline(deployment, present);
  if (due !== undefined && now >= due) {
    const message = `${subject} has timed out progressing.`;
    return set(conditions, condition('False', 'ProgressDeadlineExceeded', message), now);
  }
  if (!present && newest) {
    const message = `Found new replica set "${newest.metadata.name}"`;
    return set(conditions, condition('True', 'FoundNewReplicaSet', message), now);
  }
  return [...conditions];
}

function availability({ deployment, now }: RolloutFacts, status: DeploymentStatus, conditions: Condition[]) {
  const enough =
    (status.availableReplicas ?? 0) >= desiredReplicas(deployment) - rollingLimits(deployment).maxUnavailable;
  const condition: Condition = enough
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
  return set(conditions, condition, now);
}

function replicaFailure({ replicaSets, now }: RolloutFacts, conditions: Condition[]): Condition[] {
  const failure = replicaSets
    .filter((replicaSet) => sizeOf(replicaSet) > available(replicaSet))
    .map((replicaSet) => conditionOf(replicaSet.status?.conditions, 'ReplicaFailure'))
    .find((condition) => condition?.status === 'True');
  if (!failure) return conditions.filter((condition) => condition.type !== 'ReplicaFailure');
  const { type, status, reason, message } = failure;
  return set(conditions, { type, status, ...(reason && { reason }), ...(message && { message }) }, now);
}

/** The status a Deployment shall show, as the real controller writes it. */
export function deploymentStatus(facts: RolloutFacts): DeploymentStatus {
  const status = counts(facts);
  const conditions = availability(facts, status, [...(facts.deployment.status?.conditions ?? [])]);
  return { ...status, conditions: replicaFailure(facts, progress(facts, status, conditions)) };
}

/** Pods that still run for these ReplicaSets: a Recreate waits for them. */
export function hasRunningPods(replicaSets: readonly ReplicaSet[], pods: readonly Pod[]): boolean {
  const uids = new Set(replicaSets.map((replicaSet) => replicaSet.metadata.uid));
  return pods.some(
    (pod) =>
      pod.status?.phase !== 'Succeeded' &&
      pod.status?.phase !== 'Failed' &&
      pod.metadata.ownerReferences?.some((owner) => owner.controller && uids.has(owner.uid)),
  );
}
