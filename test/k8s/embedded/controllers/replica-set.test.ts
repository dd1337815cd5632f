import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pods, replicaSets } from '../../../../src/k8s/resources.ts';
import { createWorld, namespace, template, type World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

async function replicaSet(name: string, replicas: number): Promise<string> {
  const { metadata } = await world.api.client.create(replicaSets, {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name, namespace },
    spec: { replicas, selector: { matchLabels: { app: name } }, template: template(name, 'v1') },
  });
  await world.settled();
  return metadata.uid ?? '';
}
const resize = async (name: string, replicas: number) => {
  await world.api.client.patch(replicaSets, name, namespace, { spec: { replicas } });
  await world.settled();
};
const label = async (name: string, app: string | null) => {
  await world.api.client.patch(pods, name, namespace, { metadata: { labels: { app } } });
  await world.settled();
};
const names = () => world.pods().map(({ metadata }) => metadata.name);
const owner = (name: string) => world.api.get(pods, namespace, name)?.metadata.ownerReferences?.[0]?.uid;

describe('adoption', () => {
  it('takes in Pods of its selector that nobody controls instead of making its own', async () => {
    await world.pod('alone', { app: 'web' });
    await world.pod('foreign', { app: 'other' });
    await world.pod(
      'taken',
      { app: 'web' },
      {
        ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'x', uid: 'x', controller: true }],
      },
    );
    const uid = await replicaSet('web', 2);
    expect(owner('alone')).toBe(uid);
    expect(owner('foreign')).toBeUndefined();
    expect(names().filter((name) => name.startsWith('web-'))).toHaveLength(1);
  });

  it('takes in one that appears later, and deletes what is too much then', async () => {
    const uid = await replicaSet('web', 1);
    await world.ready();
    await world.pod('late', { app: 'web' });
    expect(names()).not.toContain('late');
    await resize('web', 2);
    expect(names().map(owner)).toEqual([uid, uid]);
  });

  it('leaves finished Pods and those on their way out alone', async () => {
    await world.pod('done', { app: 'web' });
    await world.report(false, ['done'], { phase: 'Succeeded' });
    await world.pod('leaving', { app: 'web' });
    await world.bind('leaving');
    await world.api.client.delete(pods, 'leaving', namespace);
    await replicaSet('web', 1);
    expect([owner('done'), owner('leaving')]).toEqual([undefined, undefined]);
    expect(names()).toHaveLength(3);
  });
});

describe('release', () => {
  it('lets a Pod go whose labels do not match any more, and makes another one', async () => {
    const uid = await replicaSet('web', 1);
    const [first = ''] = names();
    await label(first, 'debug');
    expect(owner(first)).toBeUndefined();
    expect(names()).toHaveLength(2);
    expect(
      names()
        .filter((name) => name !== first)
        .map(owner),
    ).toEqual([uid]);
    await label(first, 'web');
    expect(names()).toHaveLength(1);
  });
});

describe('which Pod goes', () => {
  const sizes = async (ready: string[], unready: string[]) => {
    await world.report(true, ready);
    await world.report(false, unready);
  };

  it('unbound before bound, not ready before ready', async () => {
    await replicaSet('web', 4);
    const [a = '', b = '', c = '', d = ''] = names();
    await world.bind(a, b, c);
    await sizes([a, b], [c]);
    await resize('web', 3);
    expect(names()).toEqual([a, b, c].sort());
    await resize('web', 2);
    expect(world.api.get(pods, namespace, c)?.metadata.deletionTimestamp).toBeDefined();
    expect(names()).not.toContain(d);
  });

  it('the one with the lower deletion cost, then the one that became ready last', async () => {
    await replicaSet('web', 3);
    const [a = '', b = '', c = ''] = names();
    const cost = { 'controller.kubernetes.io/pod-deletion-cost': '-5' };
    await world.api.client.patch(pods, b, namespace, { metadata: { annotations: cost } });
    await world.report(true, [b]);
    await world.pass(1000);
    await world.report(true, [c]);
    await world.pass(1000);
    await world.report(true, [a]);
    await resize('web', 2);
    expect(names()).toEqual([a, c].sort());
    await resize('web', 1);
    expect(names()).toEqual([c]);
  });

  it('the one that was restarted more often', async () => {
    await replicaSet('web', 2);
    const [a = '', b = ''] = names();
    const restarted = (restartCount: number) => ({
      containerStatuses: [{ name: 'main', image: '', imageID: '', ready: true, restartCount }],
    });
    await world.report(true, [a], restarted(3));
    await world.report(true, [b], restarted(0));
    await resize('web', 1);
    expect(names()).toEqual([b]);
    expect(world.told('web')).toContain(`SuccessfulDelete: Deleted pod: ${a}`);
  });
});
