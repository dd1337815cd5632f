import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Access, fullAccess } from '../../../../src/caller.ts';
import { type KubeObject, deployments, services } from '../../../../src/k8s/resources.ts';
import { startApiProxy as startLaggingProxy } from '../../../cluster/api-proxy.ts';
import { type Fault, startApiProxy } from '../../gateways/failures/api-proxy.ts';
import { createJumpClock } from '../../gateways/failures/jump-clock.ts';
import { type RunsServer, errorsOf, rights, startReplica, startRunsServer } from '../surface.ts';

const run = 'mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } manifests } }';
const remove = 'mutation ($input: ServiceRunActionInput!) { deleteServiceRun(input: $input) { id manifests } }';

type Replica = Awaited<ReturnType<typeof startReplica>>;
interface Deleted {
  deleteServiceRun: { id: string; manifests: string } | null;
}

let server: RunsServer;
let other: Replica;
beforeAll(async () => {
  server = await startRunsServer();
  other = await startReplica(server);
});
afterAll(async () => {
  await other.stop();
  await server.stop();
});

let count = 0;
let name = '';
beforeEach(() => {
  name = `web-${++count}`;
});

const idempotencyKey = () => `key-for-${name}`;
async function make(called = name): Promise<string> {
  const input = { name: called, image: 'shop:1', ports: [{ port: 80 }], replicas: 0, project: 'shop' };
  const made = await server.data<{ runService: { serviceRun: { id: string } } }>(run, { input });
  return made.runService.serviceRun.id;
}
const ask = (replica: Pick<Replica, 'query'>, id: string, key: string | null = idempotencyKey(), more: object = {}) =>
  replica.query<Deleted>(remove, { input: { id, idempotencyKey: key, ...more } });
const objects = async (): Promise<KubeObject[]> => [
  ...(await server.kube.list(deployments, { namespace: 'default' })).items,
  ...(await server.kube.list(services, { namespace: 'default' })).items,
];
/** The objects of the run of this test. */
const own = async () => (await objects()).filter(({ metadata }) => metadata.name === name);
const records = async () => (await objects()).filter(({ metadata }) => metadata.labels?.['slipway.dev/deleted-run']);

describe('a delete that is repeated with its key', () => {
  test('gets the first answer at any replica, and after a restart', async () => {
    const id = await make();
    const first = await ask(server, id);
    expect(first.data?.deleteServiceRun).toMatchObject({ id, manifests: expect.stringContaining('kind: Deployment') });
    expect(await ask(server, id)).toEqual(first);
    expect(await ask(other, id)).toEqual(first);
    await using restarted = await startReplica(server);
    expect(await ask(restarted, id)).toEqual(first);
    expect(await own()).toEqual([]);
  });

  test('is one when two replicas are asked at once', async () => {
    const id = await make();
    await other.cluster.cache(deployments).seen(await server.kube.get(deployments, name, 'default'));
    const [one, two] = await Promise.all([ask(server, id), ask(other, id)]);
    expect(one.data?.deleteServiceRun?.id).toBe(id);
    expect(two).toEqual(one);
    expect(await own()).toEqual([]);
  });

  test('touches nothing that was made since, be it of the same name', async () => {
    const id = await make();
    const first = await ask(server, id);
    const later = await make();
    expect(later).not.toBe(id);
    expect(await ask(other, id)).toEqual(first);
    expect(await ask(server, id)).toEqual(first);
    expect(await own()).toHaveLength(2);
  });

  test('touches nothing that was made since, be it from the same manifests', async () => {
    const id = await make();
    const made = await own();
    const first = await ask(server, id);
    for (const { kind, ...object } of made) {
      const { uid: _, resourceVersion: __, ownerReferences: ___, ...metadata } = object.metadata;
      const again = { ...object, kind, metadata } as never;
      await server.kube.create<KubeObject>(kind === 'Service' ? services : deployments, again);
    }
    await server.until(name, (view) => view.id === id && view.objects.service !== null);
    expect(await ask(server, id)).toEqual(first);
    await using restarted = await startReplica(server);
    expect(await ask(restarted, id)).toEqual(first);
    expect(await own()).toHaveLength(2);
  });

  test('is refused with another input: CONFLICT, at any replica', async () => {
    await ask(server, await make());
    const another = await make(`${name}-b`);
    for (const { metadata } of await records()) {
      await other.cluster.cache(services).seen(await server.kube.get(services, metadata.name, 'default'));
    }
    await other.cluster.cache(deployments).seen(await server.kube.get(deployments, `${name}-b`, 'default'));
    for (const replica of [server, other]) {
      expect(errorsOf(await ask(replica, another))).toEqual(['CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED']);
    }
    await server.kube.get(deployments, `${name}-b`, 'default');
  });

  test('is shown nowhere as a run', async () => {
    const id = await make();
    await ask(server, id);
    const query = '{ serviceRuns { nodes { id name } } }';
    const { serviceRuns } = await server.data<{ serviceRuns: { nodes: { id: string; name: string }[] } }>(query);
    expect(serviceRuns.nodes.map((node) => node.id)).not.toContain(id);
    expect(serviceRuns.nodes.filter((node) => node.name.startsWith('slipway-deleted'))).toEqual([]);
  });
});

describe('who has not deleted it', () => {
  const absent = ['NOT_FOUND id'];

  test('with another key, or none, it is not there', async () => {
    const id = await make();
    await ask(server, id);
    for (const key of [`${idempotencyKey()}-b`, null]) {
      for (const replica of [server, other]) expect(errorsOf(await ask(replica, id, key))).toEqual(absent);
    }
  });

  test('to somebody else with the same key it is not there', async () => {
    const id = await make();
    await ask(server, id);
    await using theirs = await startReplica(server, { as: { name: 'somebody', access: () => fullAccess } });
    expect(errorsOf(await ask(theirs, id))).toEqual(absent);
  });

  test('who has lost their rights is told as little as if it had never been', async () => {
    let access: Access = fullAccess;
    await using mine = await startReplica(server, { as: { name: 'local', access: () => access } });
    const [id, never] = [await make(), await make(`${name}-b`)];
    await ask(server, never, null);
    const first = await ask(mine, id);
    expect(first.data?.deleteServiceRun?.id).toBe(id);
    await using restarted = await startReplica(server, { as: { name: 'local', access: () => access } });
    access = rights({ see: ['default'] });
    for (const replica of [mine, restarted]) expect(errorsOf(await ask(replica, id))).toEqual(['FORBIDDEN id']);
    access = rights({});
    const unknown = await ask(mine, never, 'never-used-key');
    expect(errorsOf(unknown)).toEqual(absent);
    for (const replica of [mine, restarted]) expect(await ask(replica, id)).toEqual(unknown);
    access = fullAccess;
    for (const replica of [mine, restarted]) expect(await ask(replica, id)).toEqual(first);
  });

  test('ids that nobody gave out are not there', async () => {
    const idOf = (text: string) => Buffer.from(text).toString('base64url');
    for (const id of ['x', idOf('ServiceRun:'), idOf('ServiceRun:../..'), idOf('Gateway:default/web')]) {
      expect(errorsOf(await ask(server, id))).toEqual(absent);
    }
  });
});

/** A replica that sees no more Deployments and Services once it is muted. */
async function startBehind() {
  const proxy = await startLaggingProxy({ url: server.kubernetesUrl });
  const replica = await startReplica(server, { url: proxy.url });
  const watched = ['/apis/apps/v1/deployments', '/api/v1/services'];
  await expect.poll(() => proxy.openKinds()).toEqual(expect.arrayContaining(watched));
  return {
    ...replica,
    mute: () => watched.forEach((kind) => proxy.mute(kind)),
    async stop() {
      await replica.stop();
      await proxy.stop();
    },
  };
}

const keys: [string, () => string | null][] = [
  ['with a key', idempotencyKey],
  ['without one', () => null],
];

test.each(keys)('what has taken its name meanwhile is not touched, %s', async (_, key) => {
  const behind = await startBehind();
  const id = await make();
  await behind.cluster.cache(services).seen(await server.kube.get(services, name, 'default'));
  await behind.cluster.cache(deployments).seen(await server.kube.get(deployments, name, 'default'));
  behind.mute();
  await ask(server, id);
  expect(await make()).not.toBe(id);
  expect((await ask(behind, id, key())).data?.deleteServiceRun?.id).toBe(id);
  expect(await own()).toHaveLength(2);
  await behind.stop();
});

test('a dry run remembers nothing', async () => {
  const id = await make();
  const before = await records();
  expect(errorsOf(await ask(server, id, idempotencyKey(), { dryRun: true }))).toEqual([]);
  expect(await records()).toEqual(before);
  expect(await own()).toHaveLength(2);
});

test('a day later the key is free again, and what remembered it goes with the next such delete', async () => {
  const clock = createJumpClock();
  await using later = await startReplica(server, { clock });
  const id = await make();
  await ask(server, id);
  expect(errorsOf(await ask(later, id))).toEqual([]);
  clock.jump(24 * 60 * 60 * 1000 + 1);
  await using restarted = await startReplica(server, { clock });
  expect(errorsOf(await ask(restarted, id))).toEqual(['NOT_FOUND id']);
  const again = await make();
  await restarted.cluster.cache(deployments).seen(await server.kube.get(deployments, name, 'default'));
  const known = (await records()).length;
  expect((await ask(restarted, again)).data?.deleteServiceRun?.id).toBe(again);
  // At most ten of them at a time, and one has come.
  expect((await records()).length).toBe(known - Math.min(10, known) + 1);
  expect((await ask(restarted, again)).data?.deleteServiceRun?.id).toBe(again);
});

describe('a delete that fails on its way', () => {
  // What a keyed delete asks of Deployments and Services: see the first test.
  const steps = ['POST services', 'GET deployments', 'DELETE deployments', 'GET services', 'DELETE services'];
  const kinds = ['deployments', 'services'];

  test('asks for no more than this', async () => {
    const proxy = await startApiProxy(server.kubernetesUrl, kinds);
    const failing = await startReplica(server, { url: proxy.url });
    const id = await make();
    await failing.cluster.cache(services).seen(await server.kube.get(services, name, 'default'));
    proxy.arm(new Map());
    expect(errorsOf(await ask(failing, id))).toEqual([]);
    // The cluster may have collected the Service already.
    expect(steps.slice(0, 4)).toEqual(proxy.asked.slice(0, 4));
    expect(steps).toEqual(expect.arrayContaining([...proxy.asked]));
    await failing.stop();
    await proxy.stop();
  });

  const faults: Fault[] = ['lost', 'unanswered', 'diedBefore', 'diedAfter'];
  const cases = steps.slice(0, 4).flatMap((step, index) => faults.map((fault) => [step, fault, index] as const));
  test.each(cases)('at %s, %s: the repeat at another replica carries it to its end', async (_, fault, index) => {
    const proxy = await startApiProxy(server.kubernetesUrl, kinds);
    const failing = await startReplica(server, { url: proxy.url });
    const id = await make();
    await failing.cluster.cache(services).seen(await server.kube.get(services, name, 'default'));
    await other.cluster.cache(services).seen(await server.kube.get(services, name, 'default'));
    proxy.arm(new Map([[index, fault]]));
    await Promise.race([ask(failing, id), proxy.death]);
    const repeated = await ask(other, id);
    expect(repeated.data?.deleteServiceRun).toMatchObject({ id, manifests: expect.stringMatching(/kind: Deployment/) });
    expect(await own()).toEqual([]);
    await failing.stop();
    await proxy.stop();
  });

  test('also at a replica that has not seen the run', async () => {
    const proxy = await startApiProxy(server.kubernetesUrl, kinds);
    const failing = await startReplica(server, { url: proxy.url });
    const behind = await startBehind();
    behind.mute();
    const id = await make();
    await failing.cluster.cache(services).seen(await server.kube.get(services, name, 'default'));
    proxy.arm(new Map([[steps.indexOf('DELETE deployments'), 'diedBefore']]));
    await Promise.race([ask(failing, id), proxy.death]);
    expect(await own()).toHaveLength(2);
    expect(behind.cluster.cache(deployments).get('default', name)).toBeUndefined();
    const repeated = await ask(behind, id);
    expect(repeated.data?.deleteServiceRun).toMatchObject({ id, manifests: expect.stringMatching(/kind: Deployment/) });
    expect(behind.cluster.cache(deployments).get('default', name)).toBeUndefined();
    await expect(server.kube.get(deployments, name, 'default')).rejects.toMatchObject({ status: 404 });
    await expect(server.kube.get(services, name, 'default')).rejects.toMatchObject({ status: 404 });
    for (const stopped of [failing, behind, proxy]) await stopped.stop();
  });
});
