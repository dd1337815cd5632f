import { describe, expect, test } from 'vitest';
import { deployments, gatewayClasses, pods, services } from '../../src/k8s/resources.ts';
import type { Step } from './api-server/exchange.ts';
import type { FakeApi } from './api-server/server.ts';
import { type Watching, startWatching } from './watching.ts';

const namespaces = ['lab', 'prod', 'lab'];
const watches = [{ resource: deployments }, { resource: pods }, { resource: gatewayClasses, optional: true }];

function prepare(api: FakeApi): void {
  api.put('a', 1, { namespace: 'lab' });
  api.put('b', 1, { namespace: 'prod' });
  api.put('c', 1, { namespace: 'other' });
}

const watched = ({ api }: Watching) =>
  api.requests
    .filter(({ kind }) => kind === 'watch')
    .map(({ resource, namespace }) => `${resource} ${namespace}`)
    .sort();

const states = ({ cluster }: Watching) =>
  cluster.freshness.watches().map(({ resource, namespace, objects, synced, error }) => ({
    ...{ watch: `${resource} ${namespace}`, objects, synced, error: error !== null },
  }));

describe('several namespaces', () => {
  test('one watch for each kind and namespace; one for a kind that has no namespaces', async () => {
    await using watching = await startWatching({ prepare, namespaces, watches });
    await watching.cluster.synced();
    await watching.flow(() => watched(watching).length === 5, 1_000);
    expect(watched(watching)).toEqual([
      'api/v1/pods lab',
      'api/v1/pods prod',
      'apis/apps/v1/deployments lab',
      'apis/apps/v1/deployments prod',
      'apis/gateway.networking.k8s.io/v1/gatewayclasses null',
    ]);
    expect(watching.names()).toEqual(['a', 'b']);
    expect(watching.cluster.watchedNamespaces).toEqual(['lab', 'prod']);
  });

  test('a list of one namespace says nothing about the others', async () => {
    await using watching = await startWatching({ prepare, namespaces, watches });
    const { api } = watching;
    await watching.cluster.synced();
    await watching.flow(() => watched(watching).length === 5, 1_000);
    await watching.pass(6_000);
    api.compact();
    for (const { exchange } of api.openWatches()) if (exchange.namespace === 'lab') exchange.end();
    api.remove('a', 'lab');
    api.put('d', 1, { namespace: 'prod' });
    await watching.flow(() => watching.names().join() === 'b,d', 5_000);
    expect(watching.events).toEqual(['ADDED a uid-1 1', 'ADDED b uid-2 1', ...watching.events.slice(2).toSorted()]);
    expect(watching.events.slice(2).toSorted()).toEqual(['ADDED d uid-4 1', 'DELETED a uid-1 1']);
    expect(watching.check()).toEqual([]);
  });

  test('one that is forbidden stops neither the kind elsewhere nor other kinds, and is asked for again', async () => {
    let allowed = false;
    const rights: Step = (exchange) => {
      const refused = exchange.namespace === 'prod' && exchange.resource === 'apis/apps/v1/deployments' && !allowed;
      return refused ? exchange.status(403, 'Forbidden') : exchange.serve();
    };
    await using watching = await startWatching({
      prepare: (api) => {
        prepare(api);
        api.always(rights);
      },
      namespaces,
      watches,
    });
    const { api } = watching;
    await watching.cluster.synced();
    await watching.pass(120_000);
    expect(watching.names()).toEqual(['a']);
    expect(states(watching)).toContainEqual({ watch: 'deployments.apps prod', objects: 0, synced: false, error: true });
    expect(states(watching).filter(({ error }) => error)).toHaveLength(1);
    expect(watching.cluster.freshness.state).toBe('STALE');
    const tries = api.requests
      .filter(({ kind, namespace }) => kind === 'list' && namespace === 'prod')
      .map(({ at }) => at);
    expect(Math.max(...tries.map((at, index) => at - (tries[index - 1] ?? at)))).toBeLessThanOrEqual(60_000);
    api.put('a', 2, { namespace: 'lab' });
    await watching.flow(() => watching.events.at(-1) === 'MODIFIED a uid-1 2', 100);

    allowed = true;
    await watching.flow(
      () => watching.names().join() === 'a,b' && watching.cluster.freshness.state === 'FRESH',
      60_000,
    );
    expect(watching.cache.synced).toBe(true);
  });
});

describe('a start with kinds that are not there', () => {
  const kinds = [
    { resource: deployments },
    { resource: services, optional: true },
    { resource: gatewayClasses, optional: true },
  ];

  test('optional ones that are forbidden or absent keep nobody waiting, and come when they are there', async () => {
    let allowed = false;
    await using watching = await startWatching({
      prepare: (api) => {
        prepare(api);
        api.of(gatewayClasses).uninstall();
        api.always((exchange) =>
          exchange.resource === 'api/v1/services' && !allowed ? exchange.status(403, 'Forbidden') : exchange.serve(),
        );
      },
      watches: kinds,
    });
    const { api, cluster } = watching;
    await cluster.synced();
    await watching.flow(() => states(watching).filter(({ error }) => error).length === 2, 5_000);
    await watching.pass(60_000);
    expect(cluster.freshness.state).toBe('FRESH');
    expect(states(watching)).toEqual([
      { watch: 'deployments.apps null', objects: 3, synced: true, error: false },
      { watch: 'services null', objects: 0, synced: false, error: true },
      { watch: 'gatewayclasses.gateway.networking.k8s.io null', objects: 0, synced: true, error: true },
    ]);

    allowed = true;
    api.of(services).store({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's', namespace: 'lab' } });
    api.of(gatewayClasses).install();
    api.of(gatewayClasses).store({ apiVersion: '', kind: '', metadata: { name: 'eg' } });
    await watching.flow(() => cluster.cache(services).size + cluster.cache(gatewayClasses).size === 2, 60_000);
    await watching.flow(() => states(watching).every(({ error, synced }) => synced && !error), 5_000);
  });

  test('a server that is not there at all: everything waits, then comes', async () => {
    await using watching = await startWatching({
      prepare: (api) => {
        prepare(api);
        api.always((exchange) => exchange.reset());
      },
      watches: kinds,
    });
    let synced = false;
    void watching.cluster.synced().then(() => {
      synced = true;
    });
    await watching.pass(30_000);
    expect(synced).toBe(false);
    expect(watching.cluster.freshness.state).toBe('STALE');
    expect(watching.cluster.kubernetesVersion).toBeNull();
    watching.api.always(null);
    await watching.converged(35_000);
    expect(watching.cluster.kubernetesVersion).toBe('v1.36.2');
    expect(synced).toBe(true);
  });
});
