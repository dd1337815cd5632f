import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { deployments } from '../../../src/k8s/resources.ts';
import { type TestProxy, startHttpProxy, startSocksProxy } from '../../k8s/proxies.ts';
import { type ProductCluster, openReal } from './clusters.ts';
import { workload } from './objects.ts';
import { nextOfRuns, startProduct } from './surface.ts';
import { realTarget } from '../target.ts';

interface Told {
  serviceHealthChanged: { type: string; serviceRun: { name: string } | null };
}

interface Kubeconfig {
  clusters: { cluster: Record<string, unknown> }[];
}

const account = { username: 'me', password: 'secret-of-the-proxy' };
const ways: { name: string; scheme: string; start: () => Promise<TestProxy> }[] = [
  { name: 'an HTTP proxy', scheme: 'http', start: () => startHttpProxy() },
  { name: 'a SOCKS5 proxy', scheme: 'socks5', start: () => startSocksProxy(account) },
];

describe.runIf(inject('cluster').apiServer)('the API server behind a proxy', () => {
  let cluster: ProductCluster;
  let folder: string;
  beforeAll(async () => {
    cluster = await openReal();
    folder = await mkdtemp(join(tmpdir(), 'slipway-proxies-'));
  });
  afterAll(async () => {
    await cluster.close();
    await rm(folder, { recursive: true });
  });

  it.for(ways)('$name: lists, watches and writes go through tunnels, and it sees nothing of them', async (way) => {
    const namespace = await cluster.namespace('proxied');
    const { host } = new URL(realTarget().url);
    await using proxy = await way.start();
    proxy.route(host, realTarget().url);
    const kubeconfig = join(folder, way.scheme);
    const own = JSON.parse(await readFile(cluster.kubeconfig, 'utf8')) as Kubeconfig;
    const url = `${way.scheme}://${account.username}:${account.password}@127.0.0.1:${proxy.port}`;
    for (const { cluster } of own.clusters) cluster['proxy-url'] = url;
    await writeFile(kubeconfig, JSON.stringify(own), { mode: 0o600 });

    const product = await startProduct({ kubeconfig });
    try {
      const events = product.subscribe<Told>(
        'subscription ($in: [String!]) { serviceHealthChanged(filter: { namespace: $in }) { type serviceRun { name } } }',
        { in: [namespace] },
      );
      expect((await nextOfRuns(events)).type).toBe('SYNCED');
      const labels = { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': 'seen' };
      await cluster.kube.create(deployments, workload('seen', namespace, { labels, replicas: 0 }));
      expect(await nextOfRuns(events)).toMatchObject({ type: 'ADDED', serviceRun: { name: 'seen' } });
      const id = [...product.runs.all()].find((run) => run.namespace === namespace)?.id;
      await product.data('mutation ($id: ID!) { deleteServiceRun(input: { id: $id }) { __typename } }', { id });
      // Until it is gone its Deployment may change, in its status or by what waits for its end.
      let { type } = await nextOfRuns(events);
      while (type === 'CHANGED') ({ type } = await nextOfRuns(events));
      expect(type).toBe('REMOVED');
    } finally {
      await product.stop();
    }
    expect([...new Set(proxy.asked)]).toEqual([`CONNECT ${host}`]);
    expect(proxy.credentials).not.toContain(null);
    expect(proxy.passed()).not.toMatch(/Bearer|apis\/apps/);
  });
});
