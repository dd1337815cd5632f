import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { deployments } from '../../../src/k8s/resources.ts';
import { type ApiProxy, startApiProxy } from '../api-proxy.ts';
import { type ProductCluster, openReal } from './clusters.ts';
import { workload } from './objects.ts';
import { type Product, nextOf, nextOfRuns, startProduct } from './surface.ts';
import { realTarget } from '../target.ts';

const { apiServer } = inject('cluster');

interface Told {
  serviceHealthChanged: { type: string; serviceRun: { name: string } | null };
}

describe.runIf(apiServer)('while the API server is restarted', () => {
  let cluster: ProductCluster;
  let product: Product;
  let namespace: string;
  beforeAll(async () => {
    cluster = await openReal();
    namespace = await cluster.namespace('restart');
    product = await startProduct({ kubeconfig: cluster.kubeconfig });
  });
  afterAll(async () => {
    await product.stop();
    await cluster.close();
  });

  it('nothing is missed: what changed meanwhile is told, and the caches are fresh', async () => {
    const subscription = `subscription ($namespace: [String!]) {
      serviceHealthChanged(filter: { namespace: $namespace }) { type serviceRun { name } } }`;
    const events = product.subscribe<Told>(subscription, { namespace: [namespace] });
    expect((await nextOfRuns(events)).type).toBe('SYNCED');
    const labels = (name: string) => ({ 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': name });
    const make = (name: string) =>
      cluster.kube.create(deployments, workload(name, namespace, { labels: labels(name), replicas: 0 }));
    const told = async (type: string, name: string | null) => {
      for (;;) {
        const { serviceHealthChanged: event } = await nextOf(events);
        if (event.type === type && (event.serviceRun?.name ?? null) === name) return;
      }
    };
    await make('before');
    await told('ADDED', 'before');
    expect((await fetch(`${apiServer}/restart`, { method: 'POST' })).status).toBe(200);
    await make('after');
    await told('ADDED', 'after');
    await cluster.kube.delete(deployments, 'before', namespace, { propagationPolicy: 'Background' });
    await told('REMOVED', null);
    const { freshness } = product.cluster;
    const down = () => freshness.watches().filter(({ downSince, synced }) => synced && downSince !== null);
    await expect.poll(() => [down(), freshness.state]).toEqual([[], 'FRESH']);
    await events.return?.();
  });
});

interface Shown {
  cluster: { freshness: string; staleSince: string | null };
  serviceRuns: { freshness: string; nodes: { name: string; status: { reasons: { code: string }[] } }[] };
}

describe.runIf(apiServer)('while the cluster can not be read', () => {
  let cluster: ProductCluster;
  let proxy: ApiProxy;
  let product: Product;
  let folder: string;
  let namespace: string;
  beforeAll(async () => {
    cluster = await openReal();
    namespace = await cluster.namespace('stale');
    const labels = { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': 'shown' };
    await cluster.kube.create(deployments, workload('shown', namespace, { labels, replicas: 0 }));
    const { url, tls } = realTarget();
    const { ca } = typeof tls === 'function' ? await tls() : (tls ?? {});
    proxy = await startApiProxy({ url, ca });
    folder = await mkdtemp(join(tmpdir(), 'slipway-stale-'));
    const kubeconfig = join(folder, 'kubeconfig');
    const own = await readFile(cluster.kubeconfig, 'utf8');
    await writeFile(kubeconfig, own.replaceAll(url, proxy.url), { mode: 0o600 });
    product = await startProduct({ kubeconfig });
  });
  afterAll(async () => {
    await product.stop();
    await proxy.stop();
    await cluster.close();
    await rm(folder, { recursive: true });
  });

  const shown = () =>
    product.data<Shown>(
      `query ($namespace: [String!]) {
        cluster { freshness staleSince }
        serviceRuns(filter: { namespace: $namespace }) { freshness nodes { name status { reasons { code } } } } }`,
      { namespace: [namespace] },
    );

  const order = async (path: string): Promise<void> => {
    expect((await fetch(`${apiServer}/${path}`, { method: 'POST' })).status).toBe(200);
  };
  const outages = [
    { how: 'the API server is gone', begin: () => order('stop'), end: () => order('start') },
    {
      how: 'the connections are half-open',
      begin: () => Promise.resolve(proxy.swallow(true)),
      end: () => Promise.resolve(proxy.swallow(false)),
    },
  ];

  it.for(outages)(
    '$how: queries, connections and streams say STALE, then FRESH',
    { timeout: 600_000 },
    async (outage) => {
      const before = await shown();
      expect(before).toMatchObject({
        cluster: { freshness: 'FRESH', staleSince: null },
        serviceRuns: { freshness: 'FRESH' },
      });
      const events = product.subscribe<Told>('subscription { serviceHealthChanged { type serviceRun { name } } }');
      const told = async (...types: string[]) => {
        for (;;) {
          const { type } = (await nextOf(events)).serviceHealthChanged;
          if (types.includes(type)) return type;
        }
      };
      expect(await told('SYNCED')).toBe('SYNCED');
      await outage.begin();
      expect(await told('STALE', 'FRESH')).toBe('STALE');
      const stale = await shown();
      expect(stale.cluster).toEqual({ freshness: 'STALE', staleSince: expect.any(String) as string });
      expect(stale.serviceRuns.freshness).toBe('STALE');
      expect(stale.serviceRuns.nodes).toEqual([
        { name: 'shown', status: { reasons: expect.arrayContaining([{ code: 'STALE' }]) as object } },
      ]);
      await outage.end();
      expect(await told('STALE', 'FRESH')).toBe('FRESH');
      expect(await shown()).toEqual(before);
      await events.return?.();
    },
  );
});
