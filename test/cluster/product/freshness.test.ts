import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { deployments } from '../../../src/k8s/resources.ts';
import { type ProductCluster, openReal } from './clusters.ts';
import { workload } from './objects.ts';
import { type Product, nextOf, startProduct } from './surface.ts';

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
    expect((await nextOf(events)).serviceHealthChanged.type).toBe('SYNCED');
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
    await expect
      .poll(() => freshness.watches().filter(({ downSince, synced }) => synced && downSince !== null), {
        timeout: 40_000,
      })
      .toEqual([]);
    expect(freshness.state).toBe('FRESH');
    await events.return?.();
  });
});
