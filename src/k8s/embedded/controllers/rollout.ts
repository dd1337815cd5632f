import type { Deployment, ReplicaSet } from '../../resources.ts';

/** How many Pods more, and how many fewer, than asked for a rolling update may have. */
export interface RollingLimits {
  maxSurge: number;
  maxUnavailable: number;
}

/** A ReplicaSet and the size it shall have. */
export interface Resize {
  replicaSet: ReplicaSet;
  replicas: number;
}

export const desiredReplicasAnnotation = 'deployment.kubernetes.io/desired-replicas';
export const maxReplicasAnnotation = 'deployment.kubernetes.io/max-replicas';

export function desiredReplicas(deployment: Deployment): number {
  return deployment.spec.replicas ?? 1;
}

export function sizeOf(replicaSet: ReplicaSet): number {
  return replicaSet.spec.replicas ?? 0;
}

export function isRecreate(deployment: Deployment): boolean {
  return deployment.spec.strategy?.type === 'Recreate';
}

function resolvePercent(value: number | string | undefined, total: number, round: (n: number) => number): number {
  const text = String(value ?? '25%');
  const match = /^(\d+)%$/.exec(text);
  if (match) return round((Number(match[1]) * total) / 100);
  const count = Number(text);
  return Number.isInteger(count) && count >= 0 ? count : 0;
}

export function rollingLimits(deployment: Deployment): RollingLimits {
  if (isRecreate(deployment)) return { maxSurge: 0, maxUnavailable: 0 };
  const total = desiredReplicas(deployment);
  const rolling = deployment.spec.strategy?.rollingUpdate;
  const maxSurge = resolvePercent(rolling?.maxSurge, total, Math.ceil);
  const maxUnavailable = Math.min(resolvePercent(rolling?.maxUnavailable, total, Math.floor), total);
  // Both zero could never make progress.
  return maxSurge === 0 && maxUnavailable === 0 ? { maxSurge, maxUnavailable: 1 } : { maxSurge, maxUnavailable };
}

function sum(replicaSets: readonly ReplicaSet[], value: (replicaSet: ReplicaSet) => number): number {
  return replicaSets.reduce((total, replicaSet) => total + value(replicaSet), 0);
}

export function available(replicaSet: ReplicaSet): number {
  return replicaSet.status?.availableReplicas ?? 0;
}

/** Size of the new ReplicaSet now, given the sizes of all. */
export function newReplicaSetSize(deployment: Deployment, all: readonly ReplicaSet[], current: number): number {
  const desired = desiredReplicas(deployment);
  if (isRecreate(deployment)) return desired;
  if (current >= desired) return desired;
  const room = desired + rollingLimits(deployment).maxSurge - sum(all, sizeOf);
  return room <= 0 ? current : Math.min(current + room, desired);
}

/** Sizes of the old ReplicaSets in a rolling update: first what is not available anyway goes, oldest first. */
export function oldReplicaSetSizes(deployment: Deployment, newest: ReplicaSet, old: readonly ReplicaSet[]): Resize[] {
  const minAvailable = desiredReplicas(deployment) - rollingLimits(deployment).maxUnavailable;
  const all = [...old, newest];
  const sizes = new Map(old.map((replicaSet) => [replicaSet, sizeOf(replicaSet)]));
  const newUnavailable = sizeOf(newest) - available(newest);

  let unhealthy = Math.max(0, sum(all, sizeOf) - minAvailable - newUnavailable);
  let removable = Math.min(unhealthy, Math.max(0, sum(all, available) - minAvailable));
  for (const replicaSet of old) {
    const size = sizeOf(replicaSet);
    const gone = Math.min(unhealthy, Math.max(0, size - available(replicaSet)));
    sizes.set(replicaSet, size - gone);
    unhealthy -= gone;
  }
  removable = Math.min(removable, unhealthy);
  for (const replicaSet of old) {
    const size = sizes.get(replicaSet) ?? 0;
    const gone = Math.min(removable, size);
    sizes.set(replicaSet, size - gone);
    removable -= gone;
  }
  return old.flatMap((replicaSet) => {
    const replicas = sizes.get(replicaSet) ?? 0;
    return replicas === sizeOf(replicaSet) ? [] : [{ replicaSet, replicas }];
  });
}

/** True if the Deployment was resized since its ReplicaSets were. */
export function isResized(deployment: Deployment, replicaSets: readonly ReplicaSet[]): boolean {
  const desired = String(desiredReplicas(deployment));
  return replicaSets.some((replicaSet) => {
    const noted = replicaSet.metadata.annotations?.[desiredReplicasAnnotation];
    return sizeOf(replicaSet) > 0 && noted !== undefined && noted !== desired;
  });
}

/** Spreads a change of size over all active ReplicaSets in proportion, so a rollout under way keeps its balance. */
export function proportionalSizes(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  all: readonly ReplicaSet[],
): Resize[] {
  const desired = desiredReplicas(deployment);
  const active = all.filter((replicaSet) => sizeOf(replicaSet) > 0);
  if (active.length <= 1) {
    const only = active[0] ?? newest;
    return only && sizeOf(only) !== desired ? [{ replicaSet: only, replicas: desired }] : [];
  }
  if (newest && sizeOf(newest) === desired && available(newest) === desired) {
    return active.filter((replicaSet) => replicaSet !== newest).map((replicaSet) => ({ replicaSet, replicas: 0 }));
  }
  const present = sum(active, sizeOf);
  const allowed = desired > 0 ? desired + rollingLimits(deployment).maxSurge : 0;
  let left = allowed - present;
  const shares = active
    .toSorted((a, b) => sizeOf(b) - sizeOf(a))
    .map((replicaSet) => {
      const share = Math.trunc(Math.round((sizeOf(replicaSet) * allowed) / present) - sizeOf(replicaSet));
      const change = left > 0 ? Math.min(Math.max(share, 0), left) : Math.max(Math.min(share, 0), left);
      left -= change;
      return { replicaSet, replicas: sizeOf(replicaSet) + change };
    });
  const [largest] = shares;
  if (largest) largest.replicas = Math.max(0, largest.replicas + left);
  return shares.filter(({ replicaSet, replicas }) => replicas !== sizeOf(replicaSet));
}
