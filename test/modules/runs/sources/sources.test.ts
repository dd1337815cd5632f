import { describe, expect, test } from 'vitest';
import { runsConfig } from '../../../../src/modules/runs/config.ts';
import { configuredSource } from '../../../../src/modules/runs/sources/configured.ts';
import { digitalhubSource } from '../../../../src/modules/runs/sources/digitalhub.ts';
import { slipwaySource } from '../../../../src/modules/runs/sources/slipway.ts';
import { deployment, service } from '../objects.ts';

const runId = '0f3c5a7d9e1b4c6f8a2d4e6f8a0b2c4d';
const labelled = (labels: Record<string, string>) => deployment({ metadata: { name: `d-${runId}`, labels } });

describe('slipway', () => {
  const metadata = {
    name: 'shop',
    labels: {
      'app.kubernetes.io/managed-by': 'slipway',
      'slipway.dev/run': 'r7',
      'slipway.dev/project': 'shop',
      'slipway.dev/function': 'price',
    },
    annotations: { 'slipway.dev/protocol': 'OPENAI', 'slipway.dev/model': 'tiny' },
  };

  test('reads labels and annotations', () => {
    expect(slipwaySource.identify(deployment({ metadata }))).toMatchObject({
      runId: 'r7',
      name: 'shop',
      project: 'shop',
      function: 'price',
      kind: 'container+serve',
      protocol: 'OPENAI',
      model: 'tiny',
    });
  });

  test('tells a local program by its image', () => {
    const containers = [{ name: 'main', image: 'slipway.dev/process' }];
    expect(slipwaySource.identify(deployment({ metadata, containers }))?.kind).toBe('process+serve');
  });

  test.each([
    ['of another manager', { 'app.kubernetes.io/managed-by': 'Helm', 'slipway.dev/run': 'r7' }],
    ['without a run id', { 'app.kubernetes.io/managed-by': 'slipway' }],
  ])('leaves objects %s alone', (_, labels) => {
    expect(slipwaySource.identify(labelled(labels))).toBeNull();
  });
});

describe('digitalhub', () => {
  const common = { 'app.kubernetes.io/version': runId, 'app.kubernetes.io/instance': `digitalhub-core-${runId}` };
  const generations: [string, Record<string, string>][] = [
    [
      '0.13',
      {
        ...common,
        'app.kubernetes.io/managed-by': 'digitalhub-core',
        'app.kubernetes.io/part-of': 'digitalhub-core-prices',
        'digitalhub-core/framework': 'k8sserve',
        'digitalhub-core/project': 'prices',
        'digitalhub-core/run': runId,
        'digitalhub-core/runtime': 'sklearnserve',
        'digitalhub-core/function': 'forecast',
        'digitalhub-core/user': 'ada',
      },
    ],
    [
      '0.14',
      {
        ...common,
        'app.kubernetes.io/managed-by': 'digitalhub-core',
        'app.kubernetes.io/part-of': 'digitalhub-core-prices',
        'dhcore.digitalhub-core/framework': 'k8sserve',
        'dhcore.digitalhub-core/project': 'prices',
        'dhcore.digitalhub-core/run': runId,
        'dhcore.digitalhub-core/runtime': 'sklearnserve',
        'digitalhub-core/function': 'forecast',
        'dhcore.digitalhub-core/user': 'ada',
      },
    ],
    [
      '0.15',
      {
        ...common,
        'app.kubernetes.io/managed-by': 'dhcore',
        'app.kubernetes.io/part-of': 'digitalhub-core',
        'app.kubernetes.io/component': 'digitalhub-core-prices',
        'dhcore/framework': 'k8sserve',
        'dhcore/project': 'prices',
        'dhcore/run': runId,
        'dhcore/runtime': 'sklearnserve',
        'digitalhub-core/function': 'forecast',
        'dhcore/user': 'ada',
      },
    ],
  ];

  test.each(generations)('recognises the labels of %s', (_, labels) => {
    expect(digitalhubSource.identify(labelled(labels))).toEqual({
      runId,
      project: 'prices',
      function: 'forecast',
      kind: 'sklearnserve',
      user: 'ada',
      protocol: 'OPEN_INFERENCE',
      model: null,
    });
  });

  const of = (runtime: string, extra: Record<string, string> = {}) => ({
    'app.kubernetes.io/managed-by': 'dhcore',
    'dhcore/framework': 'k8sserve',
    'dhcore/run': runId,
    'dhcore/runtime': runtime,
    ...extra,
  });

  test.each([
    ['container', 'HTTP', 'container+serve'],
    ['python', 'HTTP', 'python+serve'],
    ['mlflowserve', 'OPEN_INFERENCE', 'mlflowserve'],
    ['huggingfaceserve', 'OPEN_INFERENCE', 'huggingfaceserve'],
    ['openinference', 'OPEN_INFERENCE', 'openinference+serve'],
    ['vllmserve-text', 'OPENAI', 'vllmserve-text'],
    ['guardrail', 'HTTP', 'guardrail+serve'],
  ])('runtime %s speaks %s and is of kind %s', (runtime, protocol, kind) => {
    expect(digitalhubSource.identify(labelled(of(runtime)))).toMatchObject({ protocol, kind });
  });

  test.each([
    ['vllmserve-text', ['TextGeneration']],
    ['vllmserve-pooling', ['TextEmbedding', 'Reranking']],
    ['vllmserve-speech', ['SpeechToText']],
  ])('runtime %s offers %j', (runtime, features) => {
    expect(digitalhubSource.identify(labelled(of(runtime)))).toMatchObject({ engine: 'vllm', features });
  });

  test.each([
    [`s-containerserve-${runId}`, true],
    ['s-prices-forecast-latest', false],
  ])('Service %s is primary: %s', (name, primary) => {
    const object = service({ metadata: { name, labels: of('container') } });
    expect(digitalhubSource.identify(object)?.primary).toBe(primary);
  });

  test('an empty user is none', () => {
    expect(digitalhubSource.identify(labelled(of('container', { 'dhcore/user': '' })))?.user).toBeNull();
  });

  test.each([
    ['a job of the platform', of('container', { 'dhcore/framework': 'k8sjob' })],
    ['a foreign prefix', { 'app.kubernetes.io/managed-by': 'x', 'y/framework': 'k8sserve', 'y/run': runId }],
    ['no run id', { 'app.kubernetes.io/managed-by': 'dhcore', 'dhcore/framework': 'k8sserve' }],
  ])('leaves %s alone', (_, labels) => {
    expect(digitalhubSource.identify(labelled(labels))).toBeNull();
  });
});

describe('configured', () => {
  const parse = (source: object) => runsConfig.safeParse({ sources: [source] });
  const sourceOf = (source: object) => {
    const [config] = runsConfig.parse({ sources: [source] }).sources;
    if (!config) throw new Error('no source');
    return configuredSource(config);
  };

  test('maps labels to fields', () => {
    const source = sourceOf({
      name: 'acme',
      labelSelector: 'acme.dev/service in (api,web)',
      labels: { runId: 'acme.dev/id', project: 'acme.dev/team', protocol: 'acme.dev/protocol' },
      kind: 'helm',
    });
    const labels = {
      'acme.dev/service': 'api',
      'acme.dev/id': '77',
      'acme.dev/team': 'core',
      'acme.dev/protocol': 'open-inference',
    };
    expect(source.identify(labelled(labels))).toEqual({
      runId: '77',
      project: 'core',
      function: null,
      kind: 'helm',
      user: null,
      protocol: 'OPEN_INFERENCE',
      model: null,
    });
    expect(source.identify(labelled({ 'acme.dev/service': 'job' }))).toBeNull();
  });

  test('takes the instance label, then the name, for a run id', () => {
    const source = sourceOf({ name: 'acme', labelSelector: 'tier' });
    expect(source.identify(labelled({ tier: 'x', 'app.kubernetes.io/instance': 'i1' }))?.runId).toBe('i1');
    expect(source.identify(labelled({ tier: 'x' }))?.runId).toBe(`d-${runId}`);
  });

  test.each([
    ['a bad selector', { name: 'acme', labelSelector: 'a in (' }],
    ['the name of a built-in source', { name: 'slipway', labelSelector: 'a' }],
    ['an unknown field', { name: 'acme', labelSelector: 'a', labels: { colour: 'c' } }],
  ])('%s is refused at boot', (_, source) => {
    expect(parse(source).success).toBe(false);
  });
});
