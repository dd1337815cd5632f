import { describe, expect, test } from 'vitest';
import { staleAfterMs } from '../../src/k8s/freshness.ts';
import { deployments, httpRoutes, pods } from '../../src/k8s/resources.ts';
import { deployment } from '../modules/runs/objects.ts';
import { changeInTheGap, prepare } from './gap.ts';
import { type ServerOnFakeApi, startServerOnFakeApi } from './surface.ts';
import { type Watching, startWatching } from './watching.ts';

/** Each turn of the freshness with the ms since now. */
function turnsOf({ cluster, clock }: Watching): [string, number][] {
  const begin = clock.now();
  const turns: [string, number][] = [];
  cluster.freshness.subscribe((state) => turns.push([state, clock.now() - begin]));
  return turns;
}

describe('freshness', () => {
  test.for([
    { how: 'ended', kill: (watching: Watching) => watching.api.disconnect('end') },
    { how: 'reset', kill: (watching: Watching) => watching.api.disconnect('reset') },
  ])('a watch that was $how and can not be opened again: STALE after 5 s', async ({ kill }) => {
    await using watching = await startWatching({ prepare });
    await watching.ready();
    expect(watching.cluster.freshness).toMatchObject({ state: 'FRESH', staleSince: null });
    const turns = turnsOf(watching);
    watching.api.always((exchange) => exchange.reset());
    kill(watching);
    await watching.pass(30_000);
    expect(turns).toEqual([['STALE', staleAfterMs]]);
    expect(watching.cluster.freshness.staleSince).toBe(watching.clock.now() - 30_000 + staleAfterMs);
    expect(watching.watchState()).toMatchObject({ downSince: watching.clock.now() - 30_000 });
  });

  test.for([0, 0.999])('a half-open watch: STALE within 15 s, whatever time-out was drawn (%d)', async (drawn) => {
    await using watching = await startWatching({ prepare, random: () => drawn });
    await watching.converged();
    const turns = turnsOf(watching);
    watching.api.mute();
    watching.api.always(() => {});
    await watching.pass(40_000);
    expect(turns).toHaveLength(1);
    expect(turns[0]?.[0]).toBe('STALE');
    expect(turns[0]?.[1]).toBeLessThan(15_000);
    expect(turns[0]?.[1]).toBeGreaterThan(8_000);
  });

  test('FRESH within 2 s of the watch being back', async () => {
    await using watching = await startWatching({ prepare });
    const { api, clock } = watching;
    await watching.ready();
    const turns = turnsOf(watching);
    api.always((exchange) => exchange.status(503));
    api.disconnect();
    await watching.pass(20_000);
    const back = api.next('watch');
    api.always(null);
    let since = 0;
    void back.then(() => {
      since = clock.now();
    });
    await watching.flow(() => turns.length === 2, 10_000);
    expect(turns.map(([state]) => state)).toEqual(['STALE', 'FRESH']);
    expect(since).toBeGreaterThan(0);
    expect(clock.now() - since).toBeLessThanOrEqual(2_000);
    expect(watching.cluster.freshness.staleSince).toBeNull();
  });

  test('a kind that the cluster is without delays nothing: it is asked for seldom, and has nothing to be stale', async () => {
    await using watching = await startWatching({
      prepare: (api) => {
        prepare(api);
        api.of(httpRoutes).uninstall();
      },
      watches: [{ resource: deployments }, { resource: httpRoutes, optional: true }],
    });
    const { api, cluster } = watching;
    await watching.flow(() => cluster.freshness.watches().every(({ downSince }) => downSince === null), 10_000);
    await watching.pass(300_000);
    const turns = turnsOf(watching);
    api.always((exchange) => exchange.reset());
    api.disconnect();
    await watching.pass(45_000);
    expect(turns.map(([state]) => state)).toEqual(['STALE']);
    const missing = cluster.freshness.watches().find(({ resource }) => resource.startsWith('httproutes'));
    // It was asked for in between.
    expect(missing).toMatchObject({
      downSince: null,
      error: expect.stringContaining('ended the connection') as string,
    });
    api.always(null);
    const back = api.next('watch');
    await watching.flow(() => turns.length === 2, 6_000);
    await back;
    expect(turns.map(([state]) => state)).toEqual(['STALE', 'FRESH']);
  });

  test('at once FRESH when the watch that is back has something to tell', async () => {
    await using watching = await startWatching({ prepare });
    const { api, clock } = watching;
    await watching.ready();
    const turns = turnsOf(watching);
    api.always((exchange) => exchange.status(429));
    api.disconnect();
    changeInTheGap(watching);
    await watching.pass(20_000);
    api.always(null);
    await watching.flow(() => turns.length === 2, 10_000);
    expect(api.requests.at(-1)?.at).toBe(clock.now());
  });

  test('at once FRESH when the kind had to be listed again: only an API server sends lists', async () => {
    await using watching = await startWatching({ prepare });
    const { api, clock } = watching;
    await watching.ready();
    const turns = turnsOf(watching);
    api.always((exchange) => exchange.status(503));
    api.disconnect();
    changeInTheGap(watching);
    api.compact();
    await watching.pass(20_000);
    api.always(null);
    await watching.flow(() => turns.length === 2, 10_000);
    expect(api.requests.slice(-2).map(({ kind }) => kind)).toEqual(['list', 'watch']);
    expect(api.requests.at(-1)?.at).toBe(clock.now());
  });

  test('a watch that is soon opened again is never stale', async () => {
    await using watching = await startWatching({ prepare });
    await watching.ready();
    const turns = turnsOf(watching);
    for (let round = 0; round < 5; round += 1) {
      watching.api.disconnect('reset');
      watching.api.onWatch((exchange) => exchange.status(503));
      await watching.pass(8_000);
    }
    expect(turns).toEqual([]);
  });

  test('one watch of several makes all of it stale, and the last one that is back makes it fresh', async () => {
    await using watching = await startWatching({ prepare, watches: [{ resource: deployments }, { resource: pods }] });
    const { api } = watching;
    await watching.ready();
    const turns = turnsOf(watching);
    let down = ['pods'];
    const isDown = (resource: string) => down.some((kind) => resource.endsWith(kind));
    api.always((exchange) => (isDown(exchange.resource) ? exchange.reset() : exchange.serve()));
    for (const { exchange } of api.of(pods).openWatches()) exchange.reset();
    await watching.pass(10_000);
    expect(turns.map(([state]) => state)).toEqual(['STALE']);
    expect(
      watching.cluster.freshness.watches().map(({ resource, downSince }) => [resource, downSince !== null]),
    ).toEqual([
      ['deployments.apps', false],
      ['pods', true],
    ]);

    down = ['pods', 'deployments'];
    api.disconnect();
    await watching.pass(10_000);
    down = ['pods'];
    await watching.pass(10_000);
    expect(turns.map(([state]) => state)).toEqual(['STALE']);
    down = [];
    await watching.pass(20_000);
    expect(turns.map(([state]) => state)).toEqual(['STALE', 'FRESH']);
  });

  test('a first list that does not come is stale too', async () => {
    await using watching = await startWatching({ prepare: (api) => api.always(() => {}) });
    const turns = turnsOf(watching);
    await watching.pass(10_000);
    expect(turns).toEqual([['STALE', staleAfterMs]]);
  });
});

const overview = `{
  cluster { mode freshness staleSince kubernetesVersion watches { resource synced error } }
  serviceRuns { freshness totalCount nodes { name status { health message reasons { code } } } }
}`;

interface Overview {
  cluster: {
    mode: string;
    freshness: string;
    staleSince: string | null;
    kubernetesVersion: string | null;
    watches: { resource: string; synced: boolean; error: string | null }[];
  };
  serviceRuns: {
    freshness: string;
    totalCount: number;
    nodes: { name: string; status: { health: string; message: string | null; reasons: { code: string }[] } }[];
  };
}

interface Told {
  serviceHealthChanged: { type: string; serviceRun: { name: string } | null };
}

const changes = 'subscription { serviceHealthChanged { type serviceRun { name } } }';

function withOneRun(api: ServerOnFakeApi['api']): void {
  api.store(deployment());
}

describe('freshness as clients see it', () => {
  test('queries say since when, every run gets the reason STALE first, and streams tell STALE and FRESH', async () => {
    await using server = await startServerOnFakeApi(withOneRun);
    const { api, flow } = server;
    await flow(() => api.requests.filter(({ kind }) => kind === 'watch').length === 6, 5_000);
    const events = server.subscribe(changes);
    const told = async (): Promise<string> => {
      const { value } = await server.resolved(events.next(), 40_000);
      const event = (value as { data: Told }).data.serviceHealthChanged;
      return [event.type, event.serviceRun?.name].filter(Boolean).join(' ');
    };
    expect([await told(), await told()]).toEqual(['ADDED web', 'SYNCED']);
    const before = await server.data<Overview>(overview);
    expect(before.cluster).toMatchObject({ mode: 'KUBECONFIG', freshness: 'FRESH', staleSince: null });
    expect(before.cluster.kubernetesVersion).toBe('v1.36.2');
    expect(before.serviceRuns).toMatchObject({ freshness: 'FRESH', totalCount: 1 });
    expect(before.serviceRuns.nodes[0]?.status.reasons.map(({ code }) => code)).not.toContain('STALE');

    await api.stop();
    const died = server.clock.now();
    expect(await told()).toBe('STALE');
    expect(server.clock.now() - died).toBeLessThanOrEqual(5_000);
    const stale = await server.data<Overview>(overview);
    expect(stale.cluster.freshness).toBe('STALE');
    expect(Date.parse(stale.cluster.staleSince ?? '') - died).toBe(staleAfterMs);
    expect(stale.cluster.watches.every(({ error }) => error?.includes('ECONNREFUSED'))).toBe(true);
    expect(stale.serviceRuns).toMatchObject({ freshness: 'STALE', totalCount: 1 });
    expect(stale.serviceRuns.nodes[0]?.status).toMatchObject({
      health: before.serviceRuns.nodes[0]?.status.health,
      reasons: [{ code: 'STALE' }, ...(before.serviceRuns.nodes[0]?.status.reasons ?? [])],
    });
    expect((await server.probe('/readyz')).status).toBe(200);

    await api.start();
    expect(await told()).toBe('FRESH');
    const fresh = await server.data<Overview>(overview);
    expect(fresh.cluster).toEqual(before.cluster);
    expect(fresh.serviceRuns).toEqual(before.serviceRuns);
  });

  test('whoever subscribes while it is stale is told so after the snapshot', async () => {
    await using server = await startServerOnFakeApi(withOneRun);
    const { api, flow } = server;
    await flow(() => api.requests.filter(({ kind }) => kind === 'watch').length === 6, 5_000);
    await api.stop();
    await flow(() => server.cluster.freshness.state === 'STALE', 6_000);
    const events = server.subscribe(changes);
    const told: string[] = [];
    for (let count = 0; count < 3; count += 1) {
      const { value } = await server.resolved(events.next(), 1_000);
      told.push((value as { data: Told }).data.serviceHealthChanged.type);
    }
    expect(told).toEqual(['ADDED', 'SYNCED', 'STALE']);
    await api.start();
  });

  test('a server that starts before its cluster is not ready, then is', async () => {
    await using server = await startServerOnFakeApi((api) => {
      withOneRun(api);
      api.always((exchange) => exchange.status(503));
    });
    expect(await server.probe('/readyz')).toMatchObject({
      status: 503,
      body: { reasons: [expect.stringContaining('runs')] },
    });
    await server.flow(() => server.cluster.freshness.state === 'STALE', 10_000);
    // Restarted for that it would be no better.
    expect((await server.probe('/livez')).status).toBe(200);
    expect((await server.data<Overview>(overview)).cluster.freshness).toBe('STALE');
    server.api.always(null);
    await server.resolved(server.cluster.synced(), 35_000);
    await server.flow(() => server.cluster.freshness.state === 'FRESH', 5_000);
    expect((await server.probe('/readyz')).status).toBe(200);
    expect((await server.data<Overview>(overview)).serviceRuns.totalCount).toBe(1);
  });
});
