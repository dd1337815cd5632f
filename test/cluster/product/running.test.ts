import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployments, pods, resourcePath, services } from '../../../src/k8s/resources.ts';
import { errorsOf } from '../../modules/runs/surface.ts';
import { annotations } from '../kubelet/pod-status.ts';
import { type ProductCluster, clusters } from './clusters.ts';
import { type Product, nextOfRuns, startProduct } from './surface.ts';

interface HealthEvent {
  serviceHealthChanged: {
    type: string;
    id: string | null;
    previous: string | null;
    serviceRun: { name: string; status: { health: string } } | null;
  };
}

const run = 'mutation ($input: RunServiceInput!) { runService(input: $input) { manifests serviceRun { id name } } }';
const act = (name: string, type = 'ServiceRunActionInput') =>
  `mutation ($input: ${type}!) { ${name}(input: $input) { manifests } }`;
const actions = {
  scale: act('scaleServiceRun', 'ScaleServiceRunInput'),
  stop: act('stopServiceRun'),
  resume: act('resumeServiceRun'),
  restart: act('restartServiceRun'),
  delete: act('deleteServiceRun'),
};
const subscription = `subscription ($namespace: [String!]) { serviceHealthChanged(filter: { namespace: $namespace }) {
  type id previous serviceRun { name status { health } } } }`;

describe.each(clusters)('on %s', (_, open) => {
  let cluster: ProductCluster;
  let product: Product;
  let namespace: string;

  beforeAll(async () => {
    cluster = await open();
    namespace = await cluster.namespace('running');
    product = await startProduct({ kubeconfig: cluster.kubeconfig });
  });
  afterAll(async () => {
    await product.stop();
    await cluster.close();
  });

  const input = (name: string, more: object = {}) => ({
    ...{ name, namespace, image: 'team/shop:1', ports: [{ port: 80, targetPort: 8080 }], project: 'shop' },
    ...more,
  });
  const make = async (name: string, more: object = {}): Promise<string> => {
    const { runService } = await product.data<{ runService: { serviceRun: { id: string } } }>(run, {
      input: input(name, more),
    });
    return runService.serviceRun.id;
  };
  const isWell = (name: string, ready = 1) =>
    product.until(
      namespace,
      name,
      ({ status }) =>
        status.health === 'HEALTHY' && status.replicas.ready === ready && status.replicas.desired === ready,
    );
  const deployment = (name: string) => cluster.kube.get(deployments, name, namespace);

  it('a run starts, gets well, and goes, and the subscription tells each step', async () => {
    const events = product.subscribe<HealthEvent>(subscription, { namespace: [namespace] });
    expect((await nextOfRuns(events)).type).toBe('SYNCED');
    const id = await make('told');
    const added = await nextOfRuns(events);
    expect(added).toMatchObject({ type: 'ADDED', id, serviceRun: { name: 'told' } });
    // How many steps there are is the cluster's own business; none is left out.
    const healths = [added.serviceRun?.status.health];
    while (healths.at(-1) !== 'HEALTHY') {
      const { type, serviceRun, previous } = await nextOfRuns(events);
      expect([type, previous]).toEqual(['CHANGED', healths.at(-1)]);
      healths.push(serviceRun?.status.health);
    }
    expect(healths).not.toContain('DEGRADED');
    await product.data(actions.delete, { input: { id } });
    let event = await nextOfRuns(events);
    while (event.type === 'CHANGED') event = await nextOfRuns(events);
    expect(event).toMatchObject({ type: 'REMOVED', id, serviceRun: null });
    await cluster.api.until(resourcePath(deployments, namespace, 'told'), 'gone');
    await cluster.api.until(resourcePath(services, namespace, 'told'), 'gone');
    await events.return?.();
  });

  it('a run that is no longer ready is told so by the first event', async () => {
    await make('losing');
    const well = await isWell('losing');
    const events = product.subscribe<HealthEvent>(subscription, { namespace: [namespace] });
    while ((await nextOfRuns(events)).type !== 'SYNCED');
    const metadata = { annotations: { [annotations.state]: 'not-ready' } };
    await cluster.kube.patch(pods, well.pods[0]?.name ?? '', namespace, { metadata });
    const event = await nextOfRuns(events);
    expect(event).toMatchObject({ type: 'CHANGED', previous: 'HEALTHY', serviceRun: { name: 'losing' } });
    expect(event.serviceRun?.status.health).not.toBe('HEALTHY');
    await events.return?.();
  });

  it('a dry run says what it would write, and writes nothing', async () => {
    const { runService } = await product.data<{ runService: { manifests: string } }>(run, {
      input: input('dry', { dryRun: true }),
    });
    expect(runService.manifests).toMatch(/kind: Deployment[\s\S]*kind: Service/);
    await expect(deployment('dry')).rejects.toMatchObject({ status: 404 });
  });

  it('a taken name is CONFLICT, and the same key does nothing again', async () => {
    const idempotencyKey = `key-${namespace}`;
    const id = await make('keyed', { idempotencyKey });
    const { metadata } = await deployment('keyed');
    expect(await make('keyed', { idempotencyKey })).toBe(id);
    expect((await deployment('keyed')).metadata.uid).toBe(metadata.uid);
    expect(errorsOf(await product.query(run, { input: input('keyed') }))[0]).toMatch(/^CONFLICT/);
  });

  it('a local program is NOT_SUPPORTED', async () => {
    const { image: _, ...rest } = input('local');
    const answer = await product.query(run, { input: { ...rest, process: { command: ['sleep', '60'] } } });
    expect(errorsOf(answer)[0]).toMatch(/^NOT_SUPPORTED process/);
    await expect(deployment('local')).rejects.toMatchObject({ status: 404 });
  });

  it('is scaled, stopped, resumed and restarted', async () => {
    const id = await make('moved');
    await isWell('moved');
    await product.data(actions.scale, { input: { id, replicas: 3 } });
    await isWell('moved', 3);
    await product.data(actions.stop, { input: { id } });
    const stopped = await product.until(
      namespace,
      'moved',
      ({ status, pods }) => status.health === 'SUSPENDED' && pods.length === 0,
    );
    expect(stopped.status).toMatchObject({ state: 'STOPPED', reasons: [{ code: 'SCALED_TO_ZERO' }] });
    await product.data(actions.resume, { input: { id } });
    const before = await isWell('moved', 3);
    await product.data(actions.restart, { input: { id } });
    const known = new Set(before.pods.map(({ uid }) => uid));
    const after = await product.until(
      namespace,
      'moved',
      ({ status, pods }) => status.health === 'HEALTHY' && pods.length === 3 && !pods.some(({ uid }) => known.has(uid)),
    );
    expect(after.status.replicas).toEqual({ desired: 3, ready: 3, updated: 3, available: 3 });
    expect((await deployment('moved')).metadata.annotations?.['slipway.dev/replicas']).toBeUndefined();
  });

  it('replicas that somebody else declares are CONFLICT, which names the owner', async () => {
    const id = await make('owned', { replicas: 0 });
    const path = resourcePath(deployments, namespace, 'owned');
    const own = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'owned' }, spec: { replicas: 1 } };
    (await cluster.api.apply(path, 'gitops', own, { query: { force: true } })).succeeded();
    const before = await deployment('owned');
    const scaled = await product.query(actions.scale, { input: { id, replicas: 5 } });
    expect(errorsOf(scaled)).toEqual(['CONFLICT replicas FIELD_MANAGED']);
    expect(scaled.errors?.[0]?.message).toBe(
      'spec.replicas of Deployment owned is managed by gitops: change it there.',
    );
    expect(errorsOf(await product.query(actions.stop, { input: { id } }))).toEqual(['CONFLICT id FIELD_MANAGED']);
    expect((await deployment('owned')).spec).toEqual(before.spec);
  });

  it('what an autoscaler set is its own as well', async () => {
    const id = await make('autoscaled', { replicas: 0 });
    const options = { fieldManager: 'kube-controller-manager', subresource: 'scale' };
    await cluster.kube.patch(deployments, 'autoscaled', namespace, { spec: { replicas: 2 } }, options);
    const scaled = await product.query(actions.scale, { input: { id, replicas: 5 } });
    expect(errorsOf(scaled)).toEqual(['CONFLICT replicas FIELD_MANAGED']);
    expect(scaled.errors?.[0]?.message).toContain('managed by kube-controller-manager');
  });
});
