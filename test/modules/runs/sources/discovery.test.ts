import { describe, expect, test } from 'vitest';
import type { Deployment, KubeObject, Pod, ReplicaSet, Service } from '../../../../src/k8s/resources.ts';
import { runsConfig } from '../../../../src/modules/runs/config.ts';
import type { RunView } from '../../../../src/modules/runs/service.ts';
import { builtinSources } from '../../../../src/modules/runs/sources/index.ts';
import { runWatches } from '../../../../src/modules/runs/watches.ts';
import * as make from '../objects.ts';
import { createWorld } from '../world.ts';
import { generations } from './platform-labels.ts';

type Labels = Record<string, string>;

/** All that the platform makes of one run, as it names things. */
function platformRun(labels: Labels, run: string, task: string, ports: number[]) {
  const at = (name: string) => ({ name, uid: `uid-${name}`, labels, creationTimestamp: make.ago(3600) });
  const owned = (kind: string, name: string) => [
    { apiVersion: 'apps/v1', kind, name, uid: `uid-${name}`, controller: true },
  ];
  const [deployment, set, pod] = [`d-${task}-${run}`, `d-${task}-${run}-1`, `d-${task}-${run}-1-a`];
  const container = make.container({
    name: `c-${task}-${run}`,
    ports: ports.map((containerPort) => ({ containerPort })),
  });
  const { readinessProbe: _, ...bare } = container;
  const service = (name: string): Service =>
    make.service({
      metadata: at(name),
      spec: {
        type: 'NodePort',
        selector: labels,
        ports: ports.map((port) => ({ name: `port${port}`, port, targetPort: port, protocol: 'TCP' })),
      },
    });
  const primary = service(`s-${task}-${run}`);
  const workload: Deployment = make.deployment({ metadata: at(deployment), containers: [bare] });
  workload.spec.template.metadata = { labels };
  const replicaSet: ReplicaSet = make.replicaSet(set, {
    metadata: { ...at(set), namespace: 'lab', ownerReferences: owned('Deployment', deployment) },
  });
  const running: Pod = make.pod({ name: pod, metadata: { ...at(pod), ownerReferences: owned('ReplicaSet', set) } });
  const slice = make.slice();
  slice.metadata = {
    ...slice.metadata,
    ...at(`${primary.metadata.name}-x`),
    labels: { 'kubernetes.io/service-name': primary.metadata.name },
  };
  return { workload, replicaSet, pod: running, primary, slice, service };
}

async function find(...objects: KubeObject[]): Promise<RunView[]> {
  const world = createWorld();
  world.put(...objects);
  await world.begin();
  return [...world.runs.all()];
}

const runId = '0f3c5a7d9e1b4c6f8a2d4e6f8a0b2c4d';

describe.each(Object.entries(generations))('DigitalHub %s', (_, labelsOf) => {
  test('a run with its primary Service and its aliases', async () => {
    const made = platformRun(labelsOf(runId, 'container'), runId, 'containerserve', [8080, 9090]);
    // Aliases may be older than the run that took them over.
    const alias = (name: string) => ({
      ...made.service(name),
      metadata: { ...made.service(name).metadata, creationTimestamp: make.ago(9000) },
    });
    const found = await find(
      alias('s-prices-forecast-latest'),
      alias('s-prices-forecast-api'),
      ...[made.workload, made.replicaSet, made.pod, made.primary, made.slice],
    );
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({
      runId,
      name: `d-containerserve-${runId}`,
      namespace: 'lab',
      project: 'prices',
      function: 'forecast',
      kind: 'container+serve',
      source: 'digitalhub',
      user: 'ada',
      protocol: 'HTTP',
      pods: [{ ready: true }],
      status: {
        state: 'RUNNING',
        health: 'HEALTHY',
        reasons: [{ code: 'NO_READINESS_PROBE' }],
        openInference: null,
        openAI: null,
        service: {
          name: `s-containerserve-${runId}`,
          type: 'NodePort',
          url: `s-containerserve-${runId}.lab:8080`,
          aliases: ['s-prices-forecast-api.lab:8080', 's-prices-forecast-latest.lab:8080'],
        },
      },
    });
    expect(found[0]?.status.service?.urls.map(({ url }) => url)).toEqual([
      `http://s-containerserve-${runId}.lab:8080/`,
      `http://s-containerserve-${runId}.lab:9090/`,
    ]);
  });

  test('is wanted from the watches with all its objects, and nothing else is', () => {
    const made = platformRun(labelsOf(runId, 'python'), runId, 'pythonserve', [8080]);
    const wanted = (object: KubeObject) =>
      runWatches(runsConfig.parse({})).some(
        ({ resource, wants }) => resource.kind === object.kind && (wants?.(object) ?? true),
      );
    for (const object of [made.workload, made.replicaSet, made.pod, made.primary, made.slice]) {
      expect([object.kind, wanted(object)]).toEqual([object.kind, true]);
      const job = Object.entries(object.metadata.labels ?? {}).map(([key, value]) => [
        key,
        value === 'k8sserve' ? 'k8sjob' : value,
      ]);
      const other = { ...object, metadata: { ...object.metadata, labels: Object.fromEntries(job) as Labels } };
      expect([object.kind, wanted(other)]).toEqual([object.kind, object.kind === 'EndpointSlice']);
    }
  });
});

const runtimes: [runtime: string, task: string, ports: number[], paths: string[]][] = [
  ['container', 'containerserve', [3000], ['/']],
  ['python', 'pythonserve', [8080], ['/']],
  ['guardrail', 'guardrailserve', [5051], ['/']],
  ...['mlflowserve', 'sklearnserve', 'huggingfaceserve', 'openinference'].map((runtime): (typeof runtimes)[number] => [
    runtime,
    'serve',
    [8080, 8081],
    [
      '/',
      '/v2',
      '/v2/health/live',
      '/v2/health/ready',
      '/v2/models/model',
      '/v2/models/model/ready',
      '/v2/models/model/infer',
    ],
  ]),
  [
    'vllmserve-text',
    'serve',
    [8000],
    ['/', '/v1/models', '/v1/chat/completions', '/v1/completions', '/tokenize', '/detokenize'],
  ],
  [
    'vllmserve-pooling',
    'serve',
    [8000],
    ['/', '/v1/models', '/v1/embeddings', '/v1/rerank', '/v2/rerank', '/pooling', '/classify', '/score', '/rerank'],
  ],
  ['vllmserve-speech', 'serve', [8000], ['/', '/v1/models', '/v1/audio/transcriptions', '/v1/audio/translations']],
];

test.each(runtimes)('the runtime %s has these addresses, always in this order', async (runtime, task, ports, paths) => {
  for (const labelsOf of Object.values(generations)) {
    const made = platformRun(labelsOf(runId, runtime), runId, task, ports);
    const [run] = await find(made.workload, made.replicaSet, made.pod, made.primary, made.slice);
    expect(run?.status.service?.urls.map(({ path }) => path)).toEqual(paths);
    expect(new Set(run?.status.service?.urls.map(({ port }) => port))).toEqual(new Set([ports[0]]));
    const { openInference, openAI } = run?.status ?? {};
    expect([openInference?.model, openAI?.engine]).toEqual([
      paths.includes('/v2') ? 'model' : undefined,
      paths.includes('/v1/models') ? 'vllm' : undefined,
    ]);
  }
});

test('an alias goes over to the run that comes last', async () => {
  const labelsOf = generations['0.15'] ?? (() => ({}));
  const [older, newer] = ['a'.repeat(32), 'b'.repeat(32)].map((run) =>
    platformRun(labelsOf(run, 'container'), run, 'containerserve', [80]),
  );
  if (!older || !newer) throw new Error('no runs');
  const world = createWorld();
  world.put(older.workload, older.primary, newer.workload, newer.primary, older.service('s-prices-forecast-latest'));
  await world.begin();
  const aliases = () => [...world.runs.all()].map((run) => [run.runId[0], run.status.service?.aliases.length]);
  expect(aliases()).toEqual([
    ['a', 1],
    ['b', 0],
  ]);
  world.remove(older.service('s-prices-forecast-latest'));
  world.put(newer.service('s-prices-forecast-latest'));
  await world.settled();
  expect(aliases()).toEqual([
    ['a', 0],
    ['b', 1],
  ]);
  expect(world.runs.byService('lab', 's-prices-forecast-latest')?.runId).toBe('b'.repeat(32));
});

test('a run whose platform lost it halfway: the Deployment alone, or an alias alone', async () => {
  const made = platformRun((generations['0.15'] ?? (() => ({})))(runId, 'container'), runId, 'containerserve', [80]);
  const [alone] = await find(made.workload, made.replicaSet, made.pod);
  expect(alone?.status).toMatchObject({ health: 'MISSING', service: null, reasons: [{ code: 'SERVICE_MISSING' }, {}] });
  const [left] = await find(made.service('s-prices-forecast-latest'));
  expect(left).toMatchObject({ runId, status: { state: 'ERROR', reasons: [{ code: 'WORKLOAD_MISSING' }] } });
});

describe('a configured source', () => {
  const config = runsConfig.parse({
    sources: [
      {
        name: 'acme',
        labelSelector: 'acme.dev/tier in (api,web)',
        labels: { runId: 'acme.dev/id', project: 'acme.dev/team', protocol: 'acme.dev/speaks' },
        kind: 'helm',
      },
    ],
  });
  const labels = { 'acme.dev/tier': 'api', 'acme.dev/id': 'a1', 'acme.dev/team': 'core', 'acme.dev/speaks': 'openai' };

  test('finds the run, with Pods that bear none of its labels', async () => {
    const bare = { 'acme.dev/tier': 'none' };
    const objects = [
      make.deployment({ metadata: { labels } }),
      make.service({ metadata: { labels } }),
      { ...make.replicaSet(), metadata: { ...make.replicaSet().metadata, labels: bare } },
      make.pod({ metadata: { labels: bare } }),
      make.slice(),
    ];
    const watches = runWatches(config);
    const kept = objects.filter((object) =>
      watches.some(({ resource, wants }) => resource.kind === object.kind && (wants?.(object) ?? true)),
    );
    expect(kept).toHaveLength(objects.length);
    const world = createWorld(builtinSources(config));
    world.put(...kept);
    await world.begin();
    expect(world.runs.get('lab/a1')).toMatchObject({
      source: 'acme',
      project: 'core',
      kind: 'helm',
      protocol: 'OPENAI',
      status: { health: 'HEALTHY', openAI: { baseUrl: 'http://web.lab:80/v1' } },
      pods: [{ ready: true }],
    });
  });

  test('leaves to the built-in sources what is theirs', async () => {
    const both = { ...labels, 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': 'r1' };
    const world = createWorld(builtinSources(config));
    world.put(make.deployment({ metadata: { labels: both } }));
    await world.begin();
    expect([...world.runs.all()].map(({ source, runId: id }) => [source, id])).toEqual([['slipway', 'r1']]);
  });
});
