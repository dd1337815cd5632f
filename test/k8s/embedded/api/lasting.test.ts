import { describe, expect, it } from 'vitest';
import { configMaps, events, httpRoutes, resourcePath, secrets, services } from '../../../../src/k8s/resources.ts';
import { configMap, httpRoute, service } from '../../../cluster/conformance/objects.ts';
import { createTestClock } from '../../../faults/test-clock.ts';
import { createWorld } from './world.ts';

const path = (resource: typeof configMaps | typeof secrets, name?: string) => resourcePath(resource, 'default', name);

describe('what was stored', () => {
  it('is there again after a restart, at the same version', async () => {
    await using world = await createWorld();
    const made = (await world.api.post(path(configMaps), configMap('kept'))).object;
    await world.restart();
    expect((await world.api.get(path(configMaps, 'kept'))).object).toEqual(made);
    const next = (await world.api.post(path(configMaps), configMap('next'))).object;
    expect(Number(next.metadata.resourceVersion)).toBeGreaterThan(Number(made.metadata.resourceVersion));
  });

  it('is collected after a restart when its owner went before', async () => {
    await using world = await createWorld();
    const owner = (await world.api.post(path(configMaps), configMap('owner', {}, { finalizers: ['example.net/hold'] })))
      .object;
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid }];
    await world.api.post(path(secrets), { metadata: { name: 'owned', ownerReferences } });
    await world.api.delete(path(configMaps, 'owner'));
    await world.restart();
    expect((await world.api.get(path(secrets, 'owned'))).code).toBe(200);
    await world.api.mergePatch(path(configMaps, 'owner'), { metadata: { finalizers: null } });
    await world.api.until(path(secrets, 'owned'), 'gone');
    expect(world.server.list(secrets)).toEqual([]);
  });
});

describe('versions that are no longer known', () => {
  it('a watch from before a restart is told so, and begins anew', async () => {
    await using world = await createWorld();
    const first = (await world.api.post(path(configMaps), configMap('first'))).object;
    await world.api.post(path(configMaps), configMap('second'));
    await world.restart();
    const { resourceVersion } = first.metadata;
    await using watch = await world.api.watch(path(configMaps), { resourceVersion });
    expect(await watch.next()).toMatchObject({
      type: 'ERROR',
      object: {
        kind: 'Status',
        code: 410,
        reason: 'Expired',
        message: expect.stringMatching(/^too old resource version: \d+ \(\d+\)$/) as string,
      },
    });
    const { items, metadata } = (await world.api.get(path(configMaps))).list;
    expect(items).toHaveLength(2);
    await using again = await world.api.watch(path(configMaps), { resourceVersion: metadata.resourceVersion });
    await world.api.post(path(configMaps), configMap('third'));
    expect((await again.next()).object.metadata.name).toBe('third');
  });

  it('a continue token from before a restart is Expired', async () => {
    await using world = await createWorld();
    for (const name of ['a', 'b', 'c']) await world.api.post(path(configMaps), configMap(name));
    const { metadata } = (await world.api.get(path(configMaps), { query: { limit: 1 } })).list;
    await world.api.post(path(configMaps), configMap('d'));
    await world.restart();
    await world.api.post(path(configMaps), configMap('e'));
    const answer = await world.api.get(path(configMaps), { query: { limit: 1, continue: metadata.continue ?? '' } });
    expect(answer.failure).toMatchObject({
      code: 410,
      reason: 'Expired',
      message:
        'The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.',
    });
  });

  it('a version that this data folder never gave out is too old', async () => {
    await using world = await createWorld();
    await using watch = await world.api.watch(path(configMaps), { resourceVersion: '999999999' });
    expect(await watch.next()).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
  });
});

describe('time', () => {
  it('brings a bookmark every minute, and ends a watch when its time is over', async () => {
    const clock = createTestClock();
    await using world = await createWorld(clock);
    const { resourceVersion } = (await world.api.get(path(configMaps))).list.metadata;
    await using watch = await world.api.watch(path(configMaps), {
      resourceVersion,
      allowWatchBookmarks: true,
      timeoutSeconds: 100,
    });
    clock.advance(60_000);
    expect(await watch.next()).toMatchObject({ type: 'BOOKMARK', object: { metadata: { resourceVersion } } });
    clock.advance(40_000);
    expect((await watch.rest()).map(({ type }) => type)).toEqual(['BOOKMARK']);
  });

  it('takes events away an hour after they were seen last', async () => {
    const clock = createTestClock();
    await using world = await createWorld(clock);
    const event = (name: string, lastTimestamp: string) => ({
      metadata: { name },
      involvedObject: { kind: 'Pod', name: 'web', namespace: 'default' },
      lastTimestamp,
      reason: 'Tested',
      type: 'Normal',
    });
    const collection = resourcePath(events, 'default');
    await world.api.post(collection, event('old', '2026-01-01T00:00:00Z'));
    await world.api.post(collection, event('seen-again', '2026-01-01T00:59:00Z'));
    clock.advance(3_700_000);
    await world.api.until(`${collection}/old`, 'gone');
    expect((await world.api.get(`${collection}/seen-again`)).code).toBe(200);
  });

  it('is what objects are stamped with', async () => {
    const clock = createTestClock(Date.parse('2026-05-05T05:05:05.500Z'));
    await using world = await createWorld(clock);
    const made = (await world.api.post(path(configMaps), configMap('stamped'))).object;
    expect(made.metadata.creationTimestamp).toBe('2026-05-05T05:05:05Z');
    expect(made.metadata.managedFields?.[0]?.time).toBe('2026-05-05T05:05:05Z');
  });
});

describe('who may ask', () => {
  it('nobody by another host name, from another origin, or with a form', async () => {
    await using world = await createWorld();
    const ask = (headers: Record<string, string>) => world.api.get('/api', { headers });
    expect((await ask({ host: 'evil.example' })).failure).toMatchObject({ kind: 'Status', code: 421 });
    expect((await ask({ origin: 'http://evil.example' })).failure).toMatchObject({ code: 403, reason: 'Forbidden' });
    const form = await world.api.send('POST', path(configMaps), {
      body: 'a=1',
      type: 'application/x-www-form-urlencoded',
    });
    expect(form.failure).toMatchObject({ code: 415, reason: 'UnsupportedMediaType' });
    expect((await world.api.get(path(configMaps))).list.items).toEqual([]);
  });

  it('a body that is too large is refused', async () => {
    await using world = await createWorld();
    const body = JSON.stringify(configMap('large', { a: 'x'.repeat(4 * 1024 * 1024) }));
    expect((await world.api.send('POST', path(configMaps), { body })).failure).toMatchObject({
      code: 413,
      reason: 'RequestEntityTooLarge',
    });
  });

  it('custom resources are not read from protobuf', async () => {
    await using world = await createWorld();
    const type = 'application/vnd.kubernetes.protobuf';
    const answer = await world.api.send('POST', resourcePath(httpRoutes, 'default'), { body: 'k8s\0', type });
    expect(answer.failure).toMatchObject({ code: 415, reason: 'UnsupportedMediaType' });
  });
});

describe('the same objects without HTTP', () => {
  it('are read, written and checked alike', async () => {
    await using world = await createWorld();
    const { client } = world.server;
    const made = await client.create(
      httpRoutes,
      httpRoute('local', { hostnames: ['a.example'] }, { namespace: 'default' }),
    );
    expect((await world.api.get(resourcePath(httpRoutes, 'default', 'local'))).object).toEqual(made);
    await expect(client.create(httpRoutes, httpRoute('local', {}, { namespace: 'default' }))).rejects.toMatchObject({
      status: 409,
      reason: 'AlreadyExists',
    });
    await expect(client.patch(httpRoutes, 'local', 'default', { spec: { hostnames: ['A'] } })).rejects.toMatchObject({
      status: 422,
      reason: 'Invalid',
    });
    await expect(
      client.patch(services, 'none', 'default', [{ op: 'test', path: '/metadata/name', value: 'x' }]),
    ).rejects.toMatchObject({ status: 404 });
  });

  it('are observed in order: what is there, then every change', async () => {
    await using world = await createWorld();
    await world.api.post(path(configMaps), configMap('there'));
    const seen: string[] = [];
    const stop = world.server.observe(
      configMaps,
      ({ type, object }) => void seen.push(`${type} ${object.metadata.name}`),
    );
    await world.api.post(path(configMaps), configMap('new'));
    await world.api.delete(path(configMaps, 'there'));
    stop();
    await world.api.delete(path(configMaps, 'new'));
    expect(seen).toEqual(['ADDED there', 'ADDED new', 'DELETED there']);
  });

  it('are frozen copies: what a caller does to one changes nothing', async () => {
    await using world = await createWorld();
    await world.api.post(resourcePath(services, 'default'), service('shared'));
    const got = await world.server.client.get(services, 'shared', 'default');
    got.spec.ports = [];
    expect(world.server.get(services, 'default', 'shared')?.spec.ports).toHaveLength(1);
  });

  it('logs come from whoever runs the Pods', async () => {
    await using world = await createWorld();
    await world.api.post('/api/v1/namespaces/default/pods', {
      metadata: { name: 'web' },
      spec: { containers: [{ name: 'main', image: 'web:1' }] },
    });
    const log = '/api/v1/namespaces/default/pods/web/log';
    expect((await world.api.get(log)).failure.code).toBe(500);
    const asked: unknown[] = [];
    world.server.servePodLogs({
      async *read(pod, options) {
        asked.push([pod.name, options.container, options.tailLines]);
        yield Buffer.from('hello\n');
      },
    });
    expect((await world.api.get(log, { query: { tailLines: 5 } })).text).toBe('hello\n');
    expect(asked).toEqual([['web', 'main', 5]]);
    (await world.api.get(log, { query: { container: 'other' } })).refuses(
      400,
      'BadRequest',
      'container other is not valid for pod web',
    );
  });
});
