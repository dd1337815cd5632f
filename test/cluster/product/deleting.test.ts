import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KubeObject, deployments, resourcePath, services } from '../../../src/k8s/resources.ts';
import { errorsOf } from '../../modules/runs/surface.ts';
import { type ProductCluster, clusters } from './clusters.ts';
import { type Product, startProduct } from './surface.ts';

const run = 'mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } } }';
const remove = 'mutation ($input: ServiceRunActionInput!) { deleteServiceRun(input: $input) { id manifests } }';

interface Deleted {
  deleteServiceRun: { id: string; manifests: string } | null;
}

describe.each(clusters)('a delete that is repeated with its key, on %s', (_, open) => {
  let cluster: ProductCluster;
  let replicas: Product[];
  let namespace: string;
  beforeAll(async () => {
    cluster = await open();
    namespace = await cluster.namespace('deleting');
    const { kubeconfig } = cluster;
    replicas = await Promise.all([1, 2].map(() => startProduct({ kubeconfig })));
  });
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await cluster.close();
  });

  const input = (name: string) => ({ name, namespace, image: 'team/shop:1', ports: [{ port: 80 }], replicas: 0 });
  /** A run that every replica knows. */
  async function make(name: string): Promise<string> {
    const [first] = replicas;
    const made = await first?.data<{ runService: { serviceRun: { id: string } } }>(run, { input: input(name) });
    const id = made?.runService.serviceRun.id ?? '';
    const isWhole = (view: { id: string; objects: { workload: unknown; service: unknown } }) =>
      view.id === id && view.objects.workload !== null && view.objects.service !== null;
    for (const replica of replicas) await replica.until(namespace, name, isWhole);
    return id;
  }
  const ask = (replica: Product | undefined, id: string, idempotencyKey: string) => {
    if (!replica) throw new Error('no such replica');
    return replica.query<Deleted>(remove, { input: { id, idempotencyKey } });
  };
  const gone = async (name: string) => {
    await cluster.api.until(resourcePath(deployments, namespace, name), 'gone');
    await cluster.api.until(resourcePath(services, namespace, name), 'gone');
  };

  it('gets the first answer from another server, and from one that was started since', async () => {
    const id = await make('keyed');
    const first = await ask(replicas[0], id, 'first-delete');
    expect(first.data?.deleteServiceRun).toMatchObject({ id, manifests: expect.stringContaining('name: keyed') });
    expect(await ask(replicas[1], id, 'first-delete')).toEqual(first);
    await gone('keyed');
    const restarted = await startProduct({ kubeconfig: cluster.kubeconfig });
    expect(await ask(restarted, id, 'first-delete')).toEqual(first);
    expect(errorsOf(await ask(restarted, id, 'second-delete'))).toEqual(['NOT_FOUND id']);
    await restarted.stop();
  });

  it('is one when two servers are asked at once, and touches no later run of that name', async () => {
    const id = await make('twice');
    const [one, two] = await Promise.all(replicas.map((replica) => ask(replica, id, 'delete-at-once')));
    expect(one?.data?.deleteServiceRun?.id).toBe(id);
    expect(two).toEqual(one);
    await gone('twice');
    const later = await make('twice');
    for (const replica of replicas) expect(await ask(replica, id, 'delete-at-once')).toEqual(one);
    const { metadata } = await cluster.kube.get(deployments, 'twice', namespace);
    expect(metadata.deletionTimestamp).toBeUndefined();
    for (const replica of replicas) {
      const answer = await ask(replica, later, 'delete-at-once');
      expect(errorsOf(answer)).toEqual(['CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED']);
    }
  });

  it('is remembered by a Service that leads nowhere', async () => {
    await ask(replicas[0], await make('remembered'), 'remember-this');
    const { items } = await cluster.kube.list(services, { namespace, labelSelector: 'slipway.dev/deleted-run' });
    for (const { spec } of items) {
      expect(spec).toMatchObject({ clusterIP: 'None' });
      expect([spec.selector, spec.ports]).toEqual([undefined, undefined]);
    }
    const slices = { group: 'discovery.k8s.io', version: 'v1', kind: 'EndpointSlice', plural: 'endpointslices' };
    const found = await cluster.kube.list<KubeObject>({ ...slices, namespaced: true }, { namespace });
    const names = new Set(items.map(({ metadata }) => metadata.name));
    expect(names.size).toBeGreaterThan(0);
    const led = found.items.filter(({ metadata }) => names.has(metadata.labels?.['kubernetes.io/service-name'] ?? ''));
    expect(led).toEqual([]);
  });
});
