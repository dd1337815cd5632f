import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployments, services } from '../../../src/k8s/resources.ts';
import { generations } from '../../modules/runs/sources/platform-labels.ts';
import { type ProductCluster, clusters } from './clusters.ts';
import { platformRun, serviceFor, workload } from './objects.ts';
import { type Product, startProduct } from './surface.ts';
import { type ShownRun, comparable, shownRuns } from './views.ts';

/** Runtimes with what they speak, by the ports and addresses that the platform gives them. */
const runtimes = [
  { runtime: 'container', task: 'containerserve', kind: 'container+serve', ports: [3000, 9090], speaks: 'HTTP' },
  { runtime: 'python', task: 'pythonserve', kind: 'python+serve', ports: [8080], speaks: 'HTTP' },
  {
    runtime: 'mlflowserve',
    task: 'mlflowserveserve',
    kind: 'mlflowserve',
    ports: [8080, 8081],
    speaks: 'OPEN_INFERENCE',
  },
  { runtime: 'vllmserve-text', task: 'vllmserve-textserve', kind: 'vllmserve-text', ports: [8000], speaks: 'OPENAI' },
] as const;

const idOf = (generation: number, runtime: number) =>
  `${generation}${runtime}5a7d9e1b4c6f8a2d4e6f8a0b2c4d00`.slice(0, 32).padEnd(32, '0');

const sources = [
  {
    name: 'acme',
    labelSelector: 'acme.dev/tier in (api,web)',
    labels: { runId: 'acme.dev/id', project: 'acme.dev/team', protocol: 'acme.dev/speaks' },
    kind: 'helm',
  },
];
const acme = { 'acme.dev/tier': 'api', 'acme.dev/id': 'a1', 'acme.dev/team': 'core', 'acme.dev/speaks': 'openai' };

/** What each cluster showed, to be held against each other. */
const shown: unknown[] = [];

describe.each(clusters)('runs on %s', (_, open) => {
  let cluster: ProductCluster;
  let product: Product;
  let namespace: string;
  let runs: ShownRun[];
  const runOf = (id: string) => runs.find(({ runId }) => runId === id);

  beforeAll(async () => {
    cluster = await open();
    namespace = await cluster.namespace('discovery');
    product = await startProduct({ kubeconfig: cluster.kubeconfig, config: { runs: { sources } } });
    for (const [generation, labelsOf] of Object.values(generations).entries()) {
      for (const [index, { runtime, task, ports }] of runtimes.entries()) {
        const run = idOf(generation, index);
        const aliases =
          index === 0 ? [`s-prices-forecast-v${generation}`, `s-prices-forecast${generation}-latest`] : [];
        await platformRun(cluster.kube, namespace, { run, task, labels: labelsOf(run, runtime), ports, aliases });
      }
    }
    await cluster.kube.create(deployments, workload('d-acme', namespace, { labels: acme }));
    await cluster.kube.create(services, serviceFor('acme', namespace, acme));
    await cluster.kube.create(deployments, workload('d-nobodys', namespace, { labels: { app: 'nobodys' } }));
    const names = [
      ...Object.keys(generations).flatMap((_, generation) =>
        runtimes.map(({ task }, index) => `d-${task}-${idOf(generation, index)}`),
      ),
      'd-acme',
    ];
    for (const name of names) {
      await product.until(namespace, name, (run) => run.status.health === 'HEALTHY' && run.status.service !== null);
    }
    runs = await shownRuns(product, namespace);
    shown.push(comparable(runs, namespace));
  }, 120_000);
  afterAll(async () => {
    await product.stop();
    await cluster.close();
  });

  it('are those of the platform and of the configured source, and no others', () => {
    expect(runs).toHaveLength(Object.keys(generations).length * runtimes.length + 1);
  });

  it.each(
    Object.keys(generations).flatMap((name, generation) =>
      runtimes.map((of, index) => ({ name, generation, index, ...of })),
    ),
  )('of DigitalHub $name, runtime $runtime', ({ generation, index, runtime, task, kind, ports, speaks }) => {
    const runId = idOf(generation, index);
    const run = runOf(runId);
    const service = `s-${task}-${runId}`;
    expect(run).toMatchObject({
      name: `d-${task}-${runId}`,
      namespace,
      project: 'prices',
      function: 'forecast',
      kind,
      source: 'digitalhub',
      user: 'ada',
      pods: [{ ready: true, phase: 'Running', containers: [{ state: 'running' }] }],
      status: {
        state: 'RUNNING',
        health: 'HEALTHY',
        reasons: [{ code: 'NO_READINESS_PROBE' }],
        replicas: { desired: 1, ready: 1, updated: 1, available: 1 },
        service: { name: service, type: 'NodePort', url: `${service}.${namespace}:${ports[0]}` },
        openInference:
          speaks === 'OPEN_INFERENCE' ? { baseUrl: `http://${service}.${namespace}:8080`, model: 'model' } : null,
        openAI: speaks === 'OPENAI' ? { baseUrl: `http://${service}.${namespace}:8000/v1`, engine: 'vllm' } : null,
      },
    });
    const aliases = [`s-prices-forecast${generation}-latest`, `s-prices-forecast-v${generation}`];
    expect(run?.status.service?.aliases.toSorted()).toEqual(
      runtime === 'container' ? aliases.map((name) => `${name}.${namespace}:3000`).toSorted() : [],
    );
  });

  it('are found by their primary Service and by an alias', async () => {
    const query = `query ($name: String!, $namespace: String!) {
      serviceRun(by: { service: { namespace: $namespace, name: $name } }) { runId } }`;
    for (const name of [`s-containerserve-${idOf(0, 0)}`, 's-prices-forecast0-latest', 's-prices-forecast-v0']) {
      expect(await product.data(query, { name, namespace })).toEqual({ serviceRun: { runId: idOf(0, 0) } });
    }
  });

  it('of a configured source have the fields that its labels name', () => {
    expect(runOf('a1')).toMatchObject({
      source: 'acme',
      project: 'core',
      kind: 'helm',
      pods: [{ ready: true }],
      status: { health: 'HEALTHY', openAI: { baseUrl: `http://acme.${namespace}:8080/v1` } },
    });
  });

  it('take an alias over when the platform points it at the run that comes last', async () => {
    const labels = generations['0.15']?.(idOf(2, 1), 'python') ?? {};
    await cluster.kube.delete(services, 's-prices-forecast2-latest', namespace);
    await cluster.kube.create(services, serviceFor('s-prices-forecast2-latest', namespace, labels));
    const alias = `s-prices-forecast2-latest.${namespace}:8080`;
    await product.until(
      namespace,
      `d-pythonserve-${idOf(2, 1)}`,
      (run) => run.status.service?.aliases.includes(alias) ?? false,
    );
    const before = await product.until(namespace, `d-containerserve-${idOf(2, 0)}`, () => true);
    expect(before.status.service?.aliases).toEqual([`s-prices-forecast-v2.${namespace}:3000`]);
  });
});

it('both clusters show the same', () => {
  const [real, embedded] = shown;
  expect(real).toBeDefined();
  expect(embedded).toEqual(real);
});
