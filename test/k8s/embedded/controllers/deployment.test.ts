import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deployments, pods, replicaSets } from '../../../../src/k8s/resources.ts';
import { createWorld, namespace, template, unready, watchLimits, type World } from './world.ts';

const revision = 'deployment.kubernetes.io/revision';
const rolling = (maxSurge: number | string, maxUnavailable: number | string) => ({
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
});
const recreate = { strategy: { type: 'Recreate' } };

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

/** Makes Pods ready one by one until nothing is left to do. */
async function finish(): Promise<void> {
  while (unready(world.pods()).length > 0) await world.ready(1);
}

/** A Deployment whose Pods are all ready. */
async function running(name: string, spec: Parameters<World['deployment']>[1] = {}): Promise<void> {
  await world.deployment(name, spec);
  await world.ready();
}

describe('a new Deployment', () => {
  it('gets a ReplicaSet of its template and this its Pods, each owned by the other', async () => {
    const deployment = await world.deployment('web', { replicas: 2 });
    const [replicaSet] = world.replicaSets();
    const hash = replicaSet?.metadata.labels?.['pod-template-hash'];
    expect(replicaSet).toMatchObject({
      metadata: {
        name: `web-${hash}`,
        annotations: { [revision]: '1' },
        ownerReferences: [{ kind: 'Deployment', name: 'web', uid: deployment.metadata.uid, controller: true }],
      },
      spec: { replicas: 2, selector: { matchLabels: { app: 'web', 'pod-template-hash': hash } } },
    });
    expect(deployment.metadata.annotations?.[revision]).toBe('1');
    for (const pod of world.pods()) {
      expect(pod.metadata.name).toMatch(new RegExp(`^web-${hash}-[a-z0-9]{5}$`));
      expect(pod.metadata).toMatchObject({
        labels: { app: 'web', 'pod-template-hash': hash },
        ownerReferences: [{ kind: 'ReplicaSet', uid: replicaSet?.metadata.uid, controller: true }],
      });
    }
    expect(world.told('web')).toEqual([`ScalingReplicaSet: Scaled up replica set web-${hash} from 0 to 2`]);
    expect(world.told(`web-${hash}`).sort()).toEqual(
      world.pods().map(({ metadata }) => `SuccessfulCreate: Created pod: ${metadata.name}`),
    );
  });

  it('counts its Pods, and is available and complete when all are ready', async () => {
    await world.deployment('web', { replicas: 2, ...rolling(1, 0) });
    expect(world.get('web').status).toMatchObject({ replicas: 2, updatedReplicas: 2, unavailableReplicas: 2 });
    expect(world.condition('web', 'Available')).toMatchObject({
      status: 'False',
      reason: 'MinimumReplicasUnavailable',
    });
    expect(world.condition('web', 'Progressing')).toMatchObject({ status: 'True' });
    await world.ready(1);
    expect(world.get('web').status).toMatchObject({ readyReplicas: 1, availableReplicas: 1, unavailableReplicas: 1 });
    expect(world.condition('web', 'Progressing')?.reason).toBe('ReplicaSetUpdated');
    await world.ready();
    expect(world.get('web').status).toMatchObject({ readyReplicas: 2, availableReplicas: 2 });
    expect(world.get('web').status?.unavailableReplicas).toBeUndefined();
    expect(world.condition('web', 'Available')).toMatchObject({ status: 'True', reason: 'MinimumReplicasAvailable' });
    expect(world.condition('web', 'Progressing')?.reason).toBe('NewReplicaSetAvailable');
  });

  it('counts a Pod as available only after it was ready for minReadySeconds', async () => {
    await running('web', { replicas: 1, minReadySeconds: 10 });
    expect(world.get('web').status).toMatchObject({ readyReplicas: 1, unavailableReplicas: 1 });
    await world.pass(9_000);
    expect(world.get('web').status?.availableReplicas).toBeUndefined();
    await world.pass(1_000);
    expect(world.get('web').status?.availableReplicas).toBe(1);
  });

  it('takes another hash where somebody else has the name', async () => {
    await world.deployment('web', { replicas: 1 });
    const name = world.replicaSets()[0]?.metadata.name ?? '';
    await world.api.client.delete(deployments, 'web', namespace);
    await world.settled();
    await world.api.client.create(replicaSets, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name, namespace },
      spec: { replicas: 0, selector: { matchLabels: { app: 'other' } }, template: template('other', 'v9') },
    });
    await world.deployment('web', { replicas: 1 });
    expect(world.get('web').status).toMatchObject({ collisionCount: 1, updatedReplicas: 1 });
    expect(world.replicaSets().map(({ metadata }) => metadata.name)).toContain(name);
    expect(world.versions()).toEqual({ v1: 1 });
  });
});

describe('a rolling update', () => {
  it.each([
    { replicas: 3, surge: 1, unavailable: 0, most: 4, fewest: 3 },
    { replicas: 3, surge: 0, unavailable: 1, most: 3, fewest: 2 },
    { replicas: 4, surge: '25%', unavailable: '25%', most: 5, fewest: 3 },
    { replicas: 1, surge: '25%', unavailable: '25%', most: 2, fewest: 1 },
    { replicas: 2, surge: '100%', unavailable: 0, most: 4, fewest: 2 },
    { replicas: 2, surge: 0, unavailable: '100%', most: 2, fewest: 0 },
  ])('of $replicas with maxSurge $surge and maxUnavailable $unavailable keeps to them', async (limits) => {
    await running('web', { replicas: limits.replicas, ...rolling(limits.surge, limits.unavailable) });
    const seen = watchLimits(world);
    await world.roll('web', 'v2');
    await finish();
    expect(world.versions()).toEqual({ v2: limits.replicas });
    expect(seen).toEqual({ most: limits.most, fewestReady: limits.fewest });
    expect(world.get('web')).toMatchObject({
      metadata: { annotations: { [revision]: '2' } },
      status: { updatedReplicas: limits.replicas, replicas: limits.replicas },
    });
    expect(world.condition('web', 'Progressing')?.reason).toBe('NewReplicaSetAvailable');
  });

  it('keeps the old Pods as long as the new ones are not ready', async () => {
    await running('web', { replicas: 2, ...rolling(1, 0) });
    await world.roll('web', 'v2');
    await world.pass(60_000);
    expect(world.versions()).toEqual({ v1: 2, v2: 1 });
    expect(world.condition('web', 'Available')?.status).toBe('True');
    await world.ready();
    expect(world.versions()).toEqual({ v1: 1, v2: 2 });
  });

  it('lets old Pods go first that are not ready anyway', async () => {
    await running('web', { replicas: 2, ...rolling(1, 1) });
    const [broken = ''] = world.pods().map(({ metadata }) => metadata.name);
    await world.report(false, [broken]);
    await world.roll('web', 'v2');
    expect(world.pods().map(({ metadata }) => metadata.name)).not.toContain(broken);
    expect(world.versions()).toEqual({ v1: 1, v2: 2 });
  });

  it('goes back to a template it had: the same ReplicaSet, with a new revision', async () => {
    await running('web', { replicas: 2 });
    const [first] = world.replicaSets();
    await world.roll('web', 'v2');
    await finish();
    await world.roll('web', 'v1');
    await finish();
    expect(world.versions()).toEqual({ v1: 2 });
    expect(world.replicaSets()).toHaveLength(2);
    const now = world.replicaSets().find(({ metadata }) => metadata.uid === first?.metadata.uid);
    expect(now).toMatchObject({ metadata: { annotations: { [revision]: '3' } }, spec: { replicas: 2 } });
    expect(world.get('web').metadata.annotations?.[revision]).toBe('3');
  });

  it('keeps as many old ReplicaSets as its history limit says: the latest', async () => {
    await running('web', { replicas: 1, revisionHistoryLimit: 2 });
    for (const version of ['v2', 'v3', 'v4', 'v5']) {
      await world.roll('web', version);
      await finish();
    }
    const kept = world
      .replicaSets()
      .map(({ metadata, spec }) => [metadata.annotations?.[revision], spec.template?.spec.containers[0]?.image]);
    expect(kept.toSorted((a, b) => String(a).localeCompare(String(b)))).toEqual([
      ['3', 'v3'],
      ['4', 'v4'],
      ['5', 'v5'],
    ]);
  });
});

describe('Recreate', () => {
  it('starts no new Pod before the last old one is gone', async () => {
    await running('web', { replicas: 2, ...recreate });
    const old = world.pods().map(({ metadata }) => metadata.name);
    await world.bind(...old);
    await world.roll('web', 'v2');
    expect(world.pods().every(({ metadata }) => metadata.deletionTimestamp)).toBe(true);
    for (const name of old) {
      expect(world.versions()).not.toHaveProperty('v2');
      await world.remove(name);
    }
    expect(world.versions()).toEqual({ v2: 2 });
  });

  it('does so too when it goes back and is resized in one step', async () => {
    await running('web', { replicas: 1, ...recreate });
    await world.roll('web', 'v2');
    await world.ready();
    const [old = ''] = world.pods().map(({ metadata }) => metadata.name);
    await world.bind(old);
    await world.edit('web', { replicas: 2, template: template('web', 'v1') });
    expect(world.versions()).not.toHaveProperty('v1');
    for (const { metadata } of world.pods()) await world.remove(metadata.name);
    expect(world.versions()).toEqual({ v1: 2 });
  });
});

describe('the size', () => {
  it('follows replicas up and down', async () => {
    await running('web', { replicas: 1 });
    await world.edit('web', { replicas: 3 });
    await world.ready();
    expect(world.get('web').status).toMatchObject({ replicas: 3, availableReplicas: 3 });
    await world.edit('web', { replicas: 0 });
    expect(world.pods()).toEqual([]);
    expect(world.get('web').status?.replicas).toBeUndefined();
    const set = world.replicaSets()[0]?.metadata.name;
    expect(world.told('web')).toEqual(
      expect.arrayContaining([
        `ScalingReplicaSet: Scaled up replica set ${set} from 1 to 3`,
        `ScalingReplicaSet: Scaled down replica set ${set} from 3 to 0`,
      ]),
    );
  });

  it('is kept where Pods vanish or finish', async () => {
    await running('web', { replicas: 2 });
    const [first, second] = world.pods().map(({ metadata }) => metadata.name);
    await world.remove(first ?? '');
    await world.report(false, [second ?? ''], { phase: 'Failed' });
    const live = world.pods().filter(({ status }) => status?.phase !== 'Failed');
    expect(live.map(({ metadata }) => metadata.name)).not.toContain(first);
    expect(live).toHaveLength(2);
  });

  it('changes old and new Pods in proportion while a rollout is under way', async () => {
    await running('web', { replicas: 10, ...rolling(2, 0) });
    await world.roll('web', 'v2');
    expect(world.versions()).toEqual({ v1: 10, v2: 2 });
    await world.edit('web', { replicas: 20 });
    const { v1 = 0, v2 = 0 } = world.versions();
    expect(v1 + v2).toBe(22);
    expect(v1).toBeGreaterThan(15);
    expect(v2).toBeGreaterThan(2);
    await finish();
    expect(world.versions()).toEqual({ v2: 20 });
  });
});

describe('paused', () => {
  it('rolls nothing out, but is resized; resumed it goes on', async () => {
    await running('web', { replicas: 1, paused: true });
    expect(world.pods()).toEqual([]);
    await world.edit('web', { paused: false });
    await world.ready();
    await world.edit('web', { paused: true });
    expect(world.condition('web', 'Progressing')).toMatchObject({ status: 'Unknown', reason: 'DeploymentPaused' });
    await world.roll('web', 'v2');
    await world.edit('web', { replicas: 2 });
    await world.ready();
    expect(world.versions()).toEqual({ v1: 2 });
    await world.edit('web', { paused: false });
    await finish();
    expect(world.versions()).toEqual({ v2: 2 });
    expect(world.condition('web', 'Progressing')?.reason).toBe('NewReplicaSetAvailable');
  });
});

describe('the progress deadline', () => {
  it('fails a rollout that stands still for so long, and no other', async () => {
    await running('web', { replicas: 2, progressDeadlineSeconds: 30, ...rolling(1, 0) });
    await world.pass(100_000);
    expect(world.condition('web', 'Progressing')?.reason).toBe('NewReplicaSetAvailable');
    await world.roll('web', 'v2');
    await world.pass(20_000);
    await world.ready();
    await world.pass(20_000);
    expect(world.condition('web', 'Progressing')?.status).toBe('True');
    await world.pass(10_000);
    const name = world.replicaSets().find(({ metadata }) => metadata.annotations?.[revision] === '2')?.metadata.name;
    expect(world.condition('web', 'Progressing')).toMatchObject({
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
      message: `ReplicaSet "${name}" has timed out progressing.`,
    });
    await finish();
    expect(world.condition('web', 'Progressing')).toMatchObject({ status: 'True', reason: 'NewReplicaSetAvailable' });
  });
});

describe('deletion', () => {
  it('takes ReplicaSets and Pods with it', async () => {
    await running('web', { replicas: 2 });
    await world.api.client.delete(deployments, 'web', namespace);
    await world.settled();
    expect([world.replicaSets(), world.pods()]).toEqual([[], []]);
  });

  it('leaves them as orphans where asked, for a Deployment of the same selector to take in', async () => {
    await running('web', { replicas: 2 });
    const before = world.pods().map(({ metadata }) => metadata.uid);
    await world.api.client.delete(deployments, 'web', namespace, { propagationPolicy: 'Orphan' });
    await world.settled();
    expect(world.replicaSets()[0]?.metadata.ownerReferences).toBeUndefined();
    expect(world.api.list(pods, namespace)).toHaveLength(2);
    const again = await world.deployment('web', { replicas: 2 });
    expect(world.replicaSets()).toMatchObject([{ metadata: { ownerReferences: [{ uid: again.metadata.uid }] } }]);
    expect(world.pods().map(({ metadata }) => metadata.uid)).toEqual(before);
    expect(again.status?.availableReplicas).toBe(2);
  });
});
