import { describe, expect, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import { connect } from '../../src/k8s/connect.ts';
import { deployments } from '../../src/k8s/resources.ts';
import { deployment } from '../modules/runs/objects.ts';
import type { FakeApi } from './api-server/server.ts';
import { changeInTheGap, first, gap, prepare } from './gap.ts';
import { startServerOnFakeApi } from './surface.ts';
import { embeddedAt, fakeDeployments, sameObjects, startWatching, until } from './watching.ts';

const hour = 3_600_000;

describe('much at once', () => {
  test('fault 29: a list of 20,000 objects, then 5,000 events at once with a disconnect among them', async () => {
    await using watching = await startWatching({
      prepare(api) {
        for (let index = 0; index < 20_000; index += 1) api.put(`object-${index}`);
      },
    });
    const { api } = watching;
    await until(() => watching.cache.size === 20_000);
    await watching.converged();
    expect(api.count('list')).toBe(40);
    for (let index = 0; index < 5_000; index += 1) {
      api.put(`object-${(index * 7) % 20_000}`, index);
      if (index === 2_500) api.disconnect('reset');
    }
    await watching.converged();
    expect(watching.events).toHaveLength(25_000);
    expect(watching.check()).toEqual([]);
    expect(api.count('list')).toBe(40);
  });

  test('whoever reads the cache, and however many they are, there is one list and one watch', async () => {
    await using watching = await startWatching({ prepare });
    await watching.ready();
    const told = Array.from({ length: 1_000 }, () => 0);
    for (const reader of told.keys()) {
      watching.cluster.cache(fakeDeployments).subscribe(() => {
        told[reader] = (told[reader] ?? 0) + 1;
      });
    }
    watching.api.put('changed', 2);
    await until(() => told.every((count) => count === 1));
    expect(watching.api.requests.map(({ kind }) => kind).sort()).toEqual(['get', 'list', 'watch']);
  });
});

/** That a server which has just started has not judged yet. */
const many = 300;
const startServerOfMany = (prepare: (api: FakeApi) => void = () => {}) =>
  startServerOnFakeApi((api) => {
    prepare(api);
    for (let index = 0; index < many; index += 1) {
      const [name, labels] = [`run-${index}`, { 'slipway.dev/run': `run-${index}` }];
      const managed = { 'app.kubernetes.io/managed-by': 'slipway' };
      api.of(deployments).store(deployment({ metadata: { name, labels: { ...managed, ...labels } } }));
    }
  });

test('who asks before all runs were judged gets all of them', async () => {
  const list = Promise.withResolvers<() => void>();
  await using server = await startServerOfMany((api) =>
    api.of(deployments).onList((exchange) => list.resolve(() => exchange.serve())),
  );
  const serve = await list.promise;
  const answer = server.data('{ serviceRuns { totalCount } }');
  expect((await server.probe('/readyz')).status).toBe(503);
  serve();
  expect(await answer).toEqual({ serviceRuns: { totalCount: many } });
});

test('who asks while the cluster can not be listed is told that nothing is known', async () => {
  await using server = await startServerOnFakeApi((api) => {
    api.always((exchange) => exchange.status(503));
  });
  const list = server.resolved(server.data('{ serviceRuns { freshness totalCount } }'), 10_000);
  const one = server.resolved(server.data('{ serviceRun(by: { runId: "there" }) { name } }'), 10_000);
  expect(await list).toEqual({ serviceRuns: { freshness: 'STALE', totalCount: 0 } });
  await expect(one).rejects.toThrow('"code":"UNAVAILABLE","reason":"NOT_LISTED"');
});

test('who subscribes before all runs were judged is told all of them before SYNCED', async () => {
  await using server = await startServerOfMany();
  const types: unknown[] = [];
  for await (const { data } of server.subscribe('subscription { serviceHealthChanged { type } }')) {
    const { type } = (data as { serviceHealthChanged: { type: string } }).serviceHealthChanged;
    types.push(type);
    if (type === 'SYNCED') break;
  }
  expect(types).toHaveLength(many + 1);
  expect((await server.probe('/readyz')).status).toBe(200);
});

describe('time that is not what it seems', () => {
  test.for([
    { what: 'a process that is stopped for 60 s', ms: 60_000 },
    { what: 'an event loop that is blocked for 5 s', ms: 5_000 },
  ])('fault 30: $what: no false alarm, and what was missed is told', async ({ ms }) => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    const turns: string[] = [];
    watching.cluster.freshness.subscribe((state) => turns.push(state));
    await watching.ready();
    changeInTheGap(watching);
    watching.clock.freeze(ms);
    await watching.converged();
    expect(watching.events).toEqual([...first, ...gap]);
    expect(turns).toEqual([]);
    expect(api.count('list')).toBe(1);
    expect(watching.check()).toEqual([]);
  });

  test('fault 30: a process that is stopped while the connection dies notices soon after', async () => {
    await using watching = await startWatching({ prepare });
    const { api } = watching;
    await watching.ready();
    api.mute();
    changeInTheGap(watching);
    watching.clock.freeze(60_000);
    await watching.flow(() => watching.cluster.freshness.state === 'STALE', 5_000);
    await watching.converged();
    expect(watching.events).toEqual([...first, ...gap]);
  });

  test.for([
    { way: 'forward', jump: hour },
    { way: 'back', jump: -hour },
  ])('fault 30: a clock that is set $way by an hour changes nothing', async ({ jump }) => {
    await using watching = await startWatching({ prepare });
    const { api, clock } = watching;
    const turns: string[] = [];
    watching.cluster.freshness.subscribe((state) => turns.push(state));
    await watching.ready();
    clock.set(clock.now() + jump);
    await watching.pass(30_000);
    changeInTheGap(watching);
    await watching.converged();
    expect(turns).toEqual([]);
    expect(watching.events).toEqual([...first, ...gap]);
    expect(api.count('list')).toBe(1);
    expect(watching.watchState().restarts).toBe(0);
  });

  test.for([
    { way: 'forward', jump: hour },
    { way: 'back', jump: -hour },
  ])('fault 30: nor does it keep a dead watch alive (set $way)', async ({ jump }) => {
    await using watching = await startWatching({ prepare });
    const { api, clock } = watching;
    await watching.ready();
    api.mute();
    changeInTheGap(watching);
    clock.set(clock.now() + jump);
    await watching.flow(() => watching.events.length > first.length, 20_000);
    await watching.converged();
    expect(watching.events).toEqual([...first, ...gap]);
    expect(watching.check()).toEqual([]);
  });

  test('fault 30: an end in the middle of the first list leaves nothing behind', async () => {
    await using watching = await startWatching({
      prepare(api) {
        for (let index = 0; index < 1_200; index += 1) api.put(`object-${index}`);
        api.onList(
          (exchange) => exchange.serve(),
          () => {},
        );
      },
    });
    const { api, clock } = watching;
    await until(() => api.count('list') === 2);
    await watching.cluster.stop();
    expect(watching.events).toEqual([]);
    expect(clock.timers).toBe(0);

    const connection = await connect({
      ...{ mode: 'EMBEDDED', embedded: embeddedAt(api.url), clock, random: () => 0, log: createLog('silent') },
    });
    const next = await connection.open([{ resource: deployments }]);
    await next.synced();
    expect(sameObjects(next.cache(fakeDeployments).list(), api.held())).toBe(true);
    await next.stop();
    // What is left is the server's own: the end of a watch that nobody waits for.
    await until(() => api.openWatches().length === 0);
    expect(clock.timers).toBe(0);
  });
});
