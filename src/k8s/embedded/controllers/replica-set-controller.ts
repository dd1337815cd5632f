import type { Condition, Pod, ReplicaSet } from '../../resources.ts';
import { pods, replicaSets } from '../../resources.ts';
import { randomSuffix } from './canonical.ts';
import type { Controller, ControllerPart } from './controller.ts';
import { sameStatus } from './deployment-plan.ts';
import { claim, controllerReference } from './ownership.ts';
import { availableAt, conditionOf, isActive, isControlledBy, isReady, readySince, rfc3339 } from './pod-state.ts';
import { sizeOf } from './rollout.ts';

const manager = { fieldManager: 'kube-controller-manager' };
const phaseRank: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };

function restarts(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount ?? 0));
}

/** Which Pod is missed least, first: as the real controller ranks them. */
function byWorth(a: Pod, b: Pod): number {
  const assigned = (pod: Pod) => (pod.spec.nodeName ? 1 : 0);
  const phase = (pod: Pod) => phaseRank[pod.status?.phase ?? 'Pending'] ?? 0;
  const cost = (pod: Pod) => Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0) || 0;
  return (
    assigned(a) - assigned(b) ||
    phase(a) - phase(b) ||
    Number(isReady(a)) - Number(isReady(b)) ||
    cost(a) - cost(b) ||
    (readySince(b) ?? 0) - (readySince(a) ?? 0) ||
    restarts(b) - restarts(a) ||
    (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '') ||
    a.metadata.name.localeCompare(b.metadata.name)
  );
}

/** The Pods to delete so that `count` fewer are left. */
export function victims(active: readonly Pod[], count: number): Pod[] {
  return active.toSorted(byWorth).slice(0, Math.max(0, count));
}

function newPod(replicaSet: ReplicaSet): Pod {
  const { metadata, spec } = replicaSet;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${metadata.name}-${randomSuffix()}`,
      generateName: `${metadata.name}-`,
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      ...(spec.template?.metadata?.labels && { labels: spec.template.metadata.labels }),
      ...(spec.template?.metadata?.annotations && { annotations: spec.template.metadata.annotations }),
      ownerReferences: [controllerReference(replicaSet, replicaSets)],
    },
    spec: structuredClone(spec.template?.spec ?? { containers: [] }),
  };
}

interface Outcome {
  status: NonNullable<ReplicaSet['status']>;
  checkAt: number | undefined;
}

/** Pure: the status of a ReplicaSet with these active Pods. */
export function replicaSetStatus(
  replicaSet: ReplicaSet,
  active: readonly Pod[],
  failure: string | undefined,
  now: number,
): Outcome {
  const minReady = replicaSet.spec.minReadySeconds ?? 0;
  const labels = Object.entries(replicaSet.spec.template?.metadata?.labels ?? {});
  const times = active.flatMap((pod) => availableAt(pod, minReady) ?? []);
  const waiting = times.filter((time) => time > now);
  const status: Outcome['status'] = {
    replicas: active.length,
    fullyLabeledReplicas: active.filter((pod) => labels.every(([key, value]) => pod.metadata.labels?.[key] === value))
      .length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: times.length - waiting.length,
    observedGeneration: replicaSet.metadata.generation ?? 0,
  };
  if (failure !== undefined) {
    const present = conditionOf(replicaSet.status?.conditions, 'ReplicaFailure');
    const lastTransitionTime = present?.lastTransitionTime ?? rfc3339(now);
    const condition: Condition = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: failure };
    status.conditions = [{ ...condition, lastTransitionTime }];
  }
  return { status, checkAt: waiting.length > 0 ? Math.min(...waiting) : undefined };
}

/** ReplicaSet → Pod. Keys are `namespace/name`. */
export function createReplicaSetController({ api, clock, events, requeue }: ControllerPart): Controller {
  function activePods(replicaSet: ReplicaSet): Pod[] {
    return api
      .list(pods, replicaSet.metadata.namespace)
      .filter((pod) => isControlledBy(pod, replicaSet.metadata.uid) && isActive(pod));
  }

  async function create(replicaSet: ReplicaSet, count: number): Promise<void> {
    for (let made = 0; made < count; made += 1) {
      const pod = await api.client.create(pods, newPod(replicaSet), manager);
      events.record(replicaSet, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
    }
  }

  async function remove(replicaSet: ReplicaSet, active: readonly Pod[], count: number): Promise<void> {
    for (const { metadata } of victims(active, count)) {
      const preconditions = metadata.uid === undefined ? {} : { uid: metadata.uid };
      await api.client.delete(pods, metadata.name, metadata.namespace, { preconditions });
      events.record(replicaSet, 'Normal', 'SuccessfulDelete', `Deleted pod: ${metadata.name}`);
    }
  }

  /** Resolves with what went wrong, in words: a failure to create Pods is shown on the ReplicaSet. */
  async function resize(replicaSet: ReplicaSet): Promise<Error | undefined> {
    const active = activePods(replicaSet);
    const missing = sizeOf(replicaSet) - active.length;
    try {
      if (missing > 0) await create(replicaSet, missing);
      else await remove(replicaSet, active, -missing);
      return undefined;
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      const [reason, verb] = missing > 0 ? ['FailedCreate', 'creating'] : ['FailedDelete', 'deleting'];
      events.record(replicaSet, 'Warning', reason, `Error ${verb}: ${cause.message}`);
      return cause;
    }
  }

  async function writeStatus(key: string, uid: string | undefined, failure: Error | undefined): Promise<void> {
    const [namespace, name = ''] = key.split('/');
    const present = api.get(replicaSets, namespace, name);
    if (!present || present.metadata.uid !== uid) return;
    const { status, checkAt } = replicaSetStatus(present, activePods(present), failure?.message, clock.now());
    if (checkAt !== undefined) requeue(key, checkAt - clock.now());
    if (sameStatus(present.status, status)) return;
    await api.client.replace(replicaSets, { ...present, status }, { ...manager, subresource: 'status' });
  }

  return {
    name: 'replicaset',
    async sync(key) {
      const [namespace, name = ''] = key.split('/');
      const replicaSet = api.get(replicaSets, namespace, name);
      if (!replicaSet) return;
      const ending = replicaSet.metadata.deletionTimestamp !== undefined;
      await claim(
        api,
        { object: replicaSet, resource: replicaSets },
        { resource: pods, objects: api.list(pods, namespace).filter(isActive) },
      );
      const failure = ending ? undefined : await resize(replicaSet);
      await writeStatus(key, replicaSet.metadata.uid, failure);
      // Thrown after it is shown, so that the queue tries again with back-off.
      if (failure) throw failure;
    },
  };
}
