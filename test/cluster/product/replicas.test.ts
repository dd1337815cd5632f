import { join } from 'node:path';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { type Resource, deployments, services } from '../../../src/k8s/resources.ts';
import { readKubeconfig } from '../../../src/k8s/kubeconfig.ts';
import { systemClock } from '../../../src/clock.ts';
import { annotations } from '../kubelet/pod-status.ts';
import { type ProductCluster, openReal } from './clusters.ts';
import { serviceFor, workload } from './objects.ts';
import { type Product, startProduct } from './surface.ts';
import { shownRuns } from './views.ts';

const labelsOf = (name: string) => ({ 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': name });

let cluster: ProductCluster;
beforeAll(async () => {
  cluster = await openReal();
});
afterAll(() => cluster.close());

async function make(namespace: string, name: string, state: Record<string, string> = {}): Promise<void> {
  const labels = labelsOf(name);
  await cluster.kube.create(deployments, workload(name, namespace, { labels, annotations: state }));
  await cluster.kube.create(services, serviceFor(name, namespace, labels));
}

describe('three replicas of the server on one cluster', () => {
  let replicas: Product[];
  let namespace: string;
  beforeAll(async () => {
    namespace = await cluster.namespace('replicas');
    const { kubeconfig } = cluster;
    replicas = await Promise.all([1, 2, 3].map(() => startProduct({ kubeconfig })));
    await make(namespace, 'well');
    await make(namespace, 'crashing', { [annotations.state]: 'crash-loop', [annotations.restarts]: '5' });
    await make(namespace, 'no-image', { [annotations.state]: 'waiting', [annotations.reason]: 'ImagePullBackOff' });
    for (const replica of replicas) {
      await replica.until(namespace, 'well', ({ status }) => status.health === 'HEALTHY');
      for (const name of ['crashing', 'no-image'])
        await replica.until(namespace, name, ({ status }) => status.health === 'DEGRADED');
    }
  });
  afterAll(() => Promise.all(replicas.map((replica) => replica.stop())));

  it('give equal answers to equal questions, times and ids included', async () => {
    // Each learns of the last change in its own time.
    await vi.waitFor(
      async () => {
        const [first, ...others] = await Promise.all(replicas.map((replica) => shownRuns(replica, namespace)));
        expect(first).toHaveLength(3);
        for (const other of others) expect(other).toEqual(first);
      },
      { timeout: 240_000 },
    );
  });

  it('give equal pages, and go on with the cursors of each other', async () => {
    const page = `query ($namespace: [String!], $after: String) {
      serviceRuns(filter: { namespace: $namespace }, first: 2, after: $after, orderBy: { field: NAME, direction: ASC }) {
        totalCount pageInfo { hasNextPage endCursor } nodes { id name } } }`;
    type Page = { serviceRuns: { pageInfo: { endCursor: string }; nodes: { name: string }[] } };
    const [one, two] = replicas;
    const first = await one?.data<Page>(page, { namespace });
    const rest = await two?.data<Page>(page, { namespace, after: first?.serviceRuns.pageInfo.endCursor });
    const names = [first, rest].flatMap((each) => each?.serviceRuns.nodes.map(({ name }) => name));
    expect(names).toEqual(['crashing', 'no-image', 'well']);
  });

  it('what one wrote, the others show', async () => {
    const [writer, ...others] = replicas;
    const run = 'mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } } }';
    const input = { name: 'written', namespace, image: 'team/shop:1', ports: [{ port: 80 }] };
    const made = await writer?.data<{ runService: { serviceRun: { id: string } } }>(run, { input });
    for (const other of others) {
      const seen = await other.until(namespace, 'written', ({ status }) => status.health === 'HEALTHY');
      expect(seen.id).toBe(made?.runService.serviceRun.id);
    }
  });
});

const rbac = (kind: string, plural: string): Resource => ({
  ...{ group: 'rbac.authorization.k8s.io', version: 'v1', kind, plural, namespaced: true },
});

/** Who may only read in one namespace, and of routes nothing at all. */
const rules = [
  { apiGroups: ['apps'], resources: ['deployments', 'replicasets'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: [''], resources: ['pods', 'services', 'events'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list', 'watch'] },
];

describe.runIf(inject('cluster').viewerToken)('with rights in one namespace, which it watches', () => {
  let folder: string;
  let namespace: string;
  let other: string;
  let product: Product;
  beforeAll(async () => {
    namespace = await cluster.namespace('own');
    other = await cluster.namespace('others');
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    const metadata = { name: 'slipway', namespace };
    const role = { apiVersion, kind: 'Role', metadata, rules };
    await cluster.kube.create(rbac('Role', 'roles'), role);
    const binding = {
      ...{ apiVersion, kind: 'RoleBinding', metadata },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'slipway' },
      subjects: [{ kind: 'User', name: 'viewer', apiGroup: 'rbac.authorization.k8s.io' }],
    };
    await cluster.kube.create(rbac('RoleBinding', 'rolebindings'), binding);
    folder = await mkdtemp(join(tmpdir(), 'slipway-viewer-'));
    const kubeconfig = join(folder, 'kubeconfig');
    await writeFile(kubeconfig, JSON.stringify(await viewerKubeconfig()));
    await make(namespace, 'seen');
    await make(other, 'hidden');
    product = await startProduct({ kubeconfig, namespaces: [namespace] });
  });
  afterAll(async () => {
    await product.stop();
    await rm(folder, { recursive: true });
  });

  it('sees the runs of that namespace, and no others', async () => {
    await product.until(namespace, 'seen', ({ status }) => status.health === 'HEALTHY');
    const query = '{ serviceRuns { totalCount nodes { name } } }';
    expect(await product.data(query)).toEqual({ serviceRuns: { totalCount: 1, nodes: [{ name: 'seen' }] } });
  });

  it('is fresh and ready, and says which kinds it may not read', async () => {
    const { cluster: shown } = await product.data<{
      cluster: { freshness: string; watches: { resource: string; namespace: string | null; error: string | null }[] };
    }>('{ cluster { freshness watches { resource namespace synced error } } }');
    expect(shown.freshness).toBe('FRESH');
    const refused = shown.watches.filter(({ error }) => error !== null);
    expect(refused.map(({ resource }) => resource).toSorted()).toEqual(
      expect.arrayContaining([expect.stringContaining('httproutes'), expect.stringContaining('securitypolicies')]),
    );
    for (const { error } of refused) expect(error).toContain('(403)');
    expect(shown.watches.filter(({ resource }) => resource.includes('deployments'))).toEqual([
      expect.objectContaining({ namespace, synced: true, error: null }),
    ]);
    expect((await fetch(`${product.url}/readyz`)).status).toBe(200);
  });

  it('names what it was refused when it is to write', async () => {
    const run = 'mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } } }';
    const input = { name: 'written', namespace, image: 'team/shop:1', ports: [{ port: 80 }] };
    const { errors } = await product.query(run, { input });
    expect(errors?.[0]?.extensions['code']).toBe('FORBIDDEN');
  });
});

/** The kubeconfig of the administrator, with another token. */
async function viewerKubeconfig(): Promise<object> {
  const { kubeconfig, viewerToken } = inject('cluster');
  const { url, tls } = readKubeconfig({ paths: kubeconfig, clock: systemClock });
  const { ca } = await tls();
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'test',
        cluster: { server: url, 'certificate-authority-data': Buffer.from(String(ca)).toString('base64') },
      },
    ],
    users: [{ name: 'test', user: { token: viewerToken } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  };
}
