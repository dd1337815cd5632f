import type { Deployment, Pod, ReplicaSet } from '../../resources.ts';
import { canonicalJson, sameTemplate, templateHash } from './canonical.ts';
import { type DeploymentStatus, deadline, deploymentStatus, hasRunningPods } from './deployment-status.ts';
import { conditionOf } from './pod-state.ts';
import {
  desiredReplicas,
  isRecreate,
  isResized,
  newReplicaSetSize,
  oldReplicaSetSizes,
  proportionalSizes,
  type Resize,
  sizeOf,
} from './rollout.ts';

export const revisionAnnotation = 'deployment.kubernetes.io/revision';

/** What to do for a Deployment now. Carried out it leads to events that lead to the next plan. */
export interface DeploymentPlan {
  /** A ReplicaSet to create for the present template. */
  create?: { name: string; hash: string; replicas: number };
  resize: Resize[];
  remove: ReplicaSet[];
  /** Revision of the present template, noted on the Deployment and its ReplicaSet. */
  revision: number;
  newest: ReplicaSet | undefined;
  status: DeploymentStatus;
  /** When to look again even if nothing changes, in ms since the epoch. */
  checkAt?: number;
}

export function revisionOf(replicaSet: ReplicaSet): number {
  return Number(replicaSet.metadata.annotations?.[revisionAnnotation] ?? 0) || 0;
}

function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const created = (replicaSet: ReplicaSet) => replicaSet.metadata.creationTimestamp ?? '';
  return created(a).localeCompare(created(b)) || a.metadata.name.localeCompare(b.metadata.name);
}

function surplus(deployment: Deployment, old: readonly ReplicaSet[], complete: boolean): ReplicaSet[] {
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  if (!complete) return [];
  const idle = old.filter(
    (replicaSet) =>
      sizeOf(replicaSet) === 0 &&
      (replicaSet.status?.replicas ?? 0) === 0 &&
      (replicaSet.status?.observedGeneration ?? 0) >= (replicaSet.metadata.generation ?? 0) &&
      replicaSet.metadata.deletionTimestamp === undefined,
  );
  return idle.toSorted((a, b) => revisionOf(a) - revisionOf(b)).slice(0, Math.max(0, old.length - limit));
}

function creation(deployment: Deployment, all: readonly ReplicaSet[]): NonNullable<DeploymentPlan['create']> {
  const { template } = deployment.spec;
  const hash = templateHash(template, deployment.status?.collisionCount ?? 0);
  const name = `${deployment.metadata.name}-${hash}`;
  return { name, hash, replicas: newReplicaSetSize(deployment, all, 0) };
}

function rolling(deployment: Deployment, newest: ReplicaSet, old: readonly ReplicaSet[]): Resize[] {
  const size = newReplicaSetSize(deployment, [...old, newest], sizeOf(newest));
  if (size !== sizeOf(newest)) return [{ replicaSet: newest, replicas: size }];
  return oldReplicaSetSizes(deployment, newest, old);
}

interface Step {
  create?: NonNullable<DeploymentPlan['create']>;
  resize: Resize[];
}

function step(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  pods: readonly Pod[],
): Step {
  const all = newest ? [...old, newest] : old;
  if (deployment.spec.paused || isResized(deployment, all)) {
    return { resize: proportionalSizes(deployment, newest, all) };
  }
  if (isRecreate(deployment)) {
    const shrink = old
      .filter((replicaSet) => sizeOf(replicaSet) > 0)
      .map((replicaSet) => ({ replicaSet, replicas: 0 }));
    if (shrink.length > 0 || hasRunningPods(old, pods)) return { resize: shrink };
    if (!newest) return { create: creation(deployment, all), resize: [] };
    const replicas = desiredReplicas(deployment);
    return { resize: sizeOf(newest) === replicas ? [] : [{ replicaSet: newest, replicas }] };
  }
  return newest ? { resize: rolling(deployment, newest, old) } : { create: creation(deployment, all), resize: [] };
}

/** Pure: the next step of a Deployment, from its own ReplicaSets and their Pods. */
export function plan(
  deployment: Deployment,
  replicaSets: readonly ReplicaSet[],
  pods: readonly Pod[],
  now: number,
): DeploymentPlan {
  const sorted = replicaSets.toSorted(byAge);
  const newest = sorted.find((replicaSet) => sameTemplate(replicaSet.spec.template, deployment.spec.template));
  const old = sorted.filter((replicaSet) => replicaSet !== newest);
  const { create, resize } = step(deployment, newest, old, pods);
  const revision = Math.max(newest ? revisionOf(newest) : 0, Math.max(0, ...old.map(revisionOf)) + 1);
  const status = deploymentStatus({ deployment, newest, creating: create?.name, replicaSets: sorted, now });
  const progressing = conditionOf(status.conditions, 'Progressing');
  const due = deadline(deployment, progressing);
  return {
    ...(create && { create }),
    resize,
    remove: surplus(deployment, old, progressing?.reason === 'NewReplicaSetAvailable'),
    revision,
    newest,
    status,
    ...(due !== undefined && { checkAt: due }),
  };
}

/** True if writing `next` would change nothing. */
export function sameStatus(present: unknown, next: unknown): boolean {
  return canonicalJson(present ?? {}) === canonicalJson(next ?? {});
}
