import { describe, expect, test } from 'vitest';
import { withStaleness } from '../../../src/modules/runs/staleness.ts';
import { type SourcedIdentity, view } from '../../../src/modules/runs/view.ts';
import { parseGlobalId } from '../../../src/schema/ids.ts';
import * as make from './objects.ts';

const { deployment, objects, pod, service } = make;
const identity: SourcedIdentity = {
  runId: 'r1',
  project: 'shop',
  function: null,
  kind: 'container+serve',
  user: null,
  protocol: 'HTTP',
  model: null,
  source: 'slipway',
};
const settings = { ...make.settings, addressing: 'dns' as const };
const see = (scene = objects(), parts: Partial<SourcedIdentity> = {}, addressing: 'dns' | 'ip' = 'dns') =>
  view(scene, { ...identity, ...parts }, make.now, { ...settings, addressing });
const withService = (spec: Parameters<typeof service>[0]) => objects({ service: service(spec) });
const urls = (run: ReturnType<typeof see>) => run.status.service?.urls.map(({ method, url }) => `${method} ${url}`);

test('the id is made of namespace and run id', () => {
  expect(parseGlobalId(see().id)).toEqual({ typename: 'ServiceRun', local: 'lab/r1' });
});

test('environment: what comes from a Secret, is named like one or holds a password has no value', () => {
  const env = [
    { name: 'PLAIN', value: 'x' },
    { name: 'DB_PASSWORD', value: 'x' },
    { name: 'DATABASE', value: 'postgres://shop:hunter2@db/shop' },
    { name: 'KEYED', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
    { name: 'MAPPED', valueFrom: { configMapKeyRef: { name: 's', key: 'k' } } },
  ];
  const run = see(objects({ workload: deployment({ containers: [make.container({ env })] }) }));
  expect(run.spec.env).toEqual([
    { name: 'PLAIN', value: 'x', secret: false },
    { name: 'DB_PASSWORD', value: null, secret: true },
    { name: 'DATABASE', value: null, secret: true },
    { name: 'KEYED', value: null, secret: true },
    { name: 'MAPPED', value: null, secret: false },
  ]);
});

test('a Pod on its way out is Terminating', () => {
  const leaving = pod({ metadata: { deletionTimestamp: make.ago(2) } });
  expect(see(objects({ pods: [leaving] })).pods[0]).toMatchObject({ phase: 'Terminating', ready: true });
});

test('a Pod shows all its containers, init containers first', () => {
  const started = pod();
  const scene: typeof started = {
    ...started,
    spec: { ...started.spec, initContainers: [make.container({ name: 'fetch', image: 'loader:1' })] },
    status: {
      ...started.status,
      initContainerStatuses: [
        { name: 'fetch', ready: true, restartCount: 1, state: { terminated: { exitCode: 0, reason: 'Completed' } } },
      ],
    },
  };
  expect(see(objects({ pods: [scene] })).pods[0]?.containers).toMatchObject([
    {
      name: 'fetch',
      image: 'loader:1',
      init: true,
      ready: true,
      state: 'terminated',
      reason: 'Completed',
      lastExitCode: 0,
    },
    { name: 'main', image: 'shop:1', init: false, ready: true, state: 'running', lastExitCode: null },
  ]);
});

describe('addresses', () => {
  test('a ClusterIP Service goes by its DNS name, in the embedded cluster by its address', () => {
    expect(see().status.service?.url).toBe('web.lab:80');
    expect(see(objects(), {}, 'ip').status.service?.url).toBe('10.96.0.9:80');
  });

  test('a NodePort Service goes by its DNS name too, and shows its node ports', () => {
    const run = see(withService({ spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 30_080 }] } }));
    expect(run.status.service).toMatchObject({
      type: 'NodePort',
      url: 'web.lab:80',
      ports: [{ port: 80, targetPort: '80', nodePort: 30_080, protocol: 'TCP' }],
    });
  });

  test('a headless Service has no address of its own', () => {
    const headless = withService({ spec: { clusterIP: 'None' } });
    expect(see(headless).status.service).toMatchObject({ clusterIP: null, url: 'web.lab:80' });
    expect(see(headless, {}, 'ip').status.service).toMatchObject({ url: null, urls: [] });
  });

  test('a LoadBalancer that waits for its address is reached inside the cluster', () => {
    const run = see(withService({ spec: { type: 'LoadBalancer', externalIPs: ['192.0.2.7'] } }));
    expect(run.status.service).toMatchObject({
      url: 'web.lab:80',
      ip: null,
      hostname: null,
      externalIPs: ['192.0.2.7'],
    });
  });

  test('every port has its base address, the first one first', () => {
    const ports = [
      { name: 'web', port: 80 },
      { name: 'admin', port: 9000 },
      { port: 7000, name: 'extra' },
    ];
    const { service: info } = see(withService({ spec: { ports } })).status;
    expect(info?.urls.map(({ name, url, port }) => [name, url, port])).toEqual([
      ['base', 'http://web.lab:80/', 80],
      ['admin', 'http://web.lab:9000/', 9000],
      ['extra', 'http://web.lab:7000/', 7000],
    ]);
  });

  test('a Service without ports has no address', () => {
    const external = { type: 'ExternalName' as const, externalName: 'api.example', ports: [] };
    expect(see(withService({ spec: external })).status.service).toMatchObject({ url: null, urls: [] });
  });

  test('where the embedded cluster serves a port on another number, its addresses have that number', () => {
    const annotations = { 'slipway.dev/ports': '{"80":40123}' };
    const moved = objects({
      service: service({ metadata: { annotations }, spec: { clusterIP: '127.0.0.1' } }),
      aliases: [
        service({ metadata: { name: 'web-latest', uid: 'alias', annotations }, spec: { clusterIP: '127.0.0.1' } }),
      ],
    });
    const run = see(moved, {}, 'ip');
    expect(run.status.service).toMatchObject({
      url: '127.0.0.1:40123',
      aliases: ['127.0.0.1:40123'],
      ports: [{ port: 80 }],
    });
    expect(urls(run)).toEqual(['GET http://127.0.0.1:40123/']);
    expect(see(moved).status.service?.url).toBe('web.lab:80');
  });

  test.each([
    ['hostname', { hostname: 'lb.example' }, 'lb.example:80'],
    ['address', { ip: '192.0.2.1' }, '192.0.2.1:80'],
    ['IPv6 address', { ip: '2001:db8::1' }, '[2001:db8::1]:80'],
  ])('a LoadBalancer goes by the %s it was given', (_, ingress, url) => {
    const balanced = {
      ...service({ spec: { type: 'LoadBalancer' } }),
      status: { loadBalancer: { ingress: [ingress] } },
    };
    expect(see(objects({ service: balanced })).status.service?.url).toBe(url);
  });

  test('an ExternalName Service goes by that name', () => {
    const run = see(withService({ spec: { type: 'ExternalName', externalName: 'api.example' } }));
    expect(run.status.service).toMatchObject({ url: 'api.example:80', externalName: 'api.example' });
  });

  test('a Service that is being deleted is none', () => {
    const run = see(withService({ metadata: { deletionTimestamp: make.ago(1) } }));
    expect(run.status).toMatchObject({ service: null, openAI: null, openInference: null });
  });

  test('aliases are listed', () => {
    const alias = service({ metadata: { name: 'web-latest', uid: 'alias' } });
    expect(see(objects({ aliases: [alias] })).status.service?.aliases).toEqual(['web-latest.lab:80']);
  });

  test('gRPC and UDP ports are not offered as HTTP; https is', () => {
    const run = see(
      withService({
        spec: {
          ports: [
            { name: 'http', port: 80, targetPort: 8080 },
            { name: 'grpc', port: 81, targetPort: 8081 },
            { name: 'h2', port: 82, appProtocol: 'kubernetes.io/h2c' },
            { name: 'dns', port: 53, protocol: 'UDP' },
            { name: 'https-admin', port: 8443 },
          ],
        },
      }),
    );
    expect(urls(run)).toEqual(['GET http://web.lab:80/', 'GET https://web.lab:8443/']);
    expect(run.status.service?.ports).toHaveLength(5);
  });

  test('Open Inference: the model in every address, the gRPC port by convention left out', () => {
    const scene = withService({ spec: { ports: [{ port: 8080 }, { name: 'port8081', port: 8081 }] } });
    const run = see(scene, { protocol: 'OPEN_INFERENCE', model: 'iris v1' });
    expect(urls(run)).toEqual([
      'GET http://web.lab:8080/',
      'GET http://web.lab:8080/v2',
      'GET http://web.lab:8080/v2/health/live',
      'GET http://web.lab:8080/v2/health/ready',
      'GET http://web.lab:8080/v2/models/iris%20v1',
      'GET http://web.lab:8080/v2/models/iris%20v1/ready',
      'POST http://web.lab:8080/v2/models/iris%20v1/infer',
    ]);
    expect(run.status.openInference).toMatchObject({ baseUrl: 'http://web.lab:8080', model: 'iris v1' });
    expect(see(scene, { protocol: 'OPEN_INFERENCE' }).status.openInference?.model).toBe('model');
  });

  test('OpenAI: what the features of the server offer', () => {
    const run = see(objects(), { protocol: 'OPENAI', model: 'tiny' });
    expect(urls(run)).toEqual([
      'GET http://web.lab:80/',
      'GET http://web.lab:80/v1/models',
      'POST http://web.lab:80/v1/chat/completions',
      'POST http://web.lab:80/v1/completions',
    ]);
    expect(run.status.openAI).toEqual({
      baseUrl: 'http://web.lab:80/v1',
      model: 'tiny',
      engine: null,
      features: ['TextGeneration'],
    });
    const pooling = see(objects(), { protocol: 'OPENAI', engine: 'vllm', features: ['TextEmbedding', 'Reranking'] });
    expect(pooling.status.service?.urls.map(({ path }) => path)).toEqual([
      '/',
      '/v1/models',
      '/v1/embeddings',
      '/v1/rerank',
      '/v2/rerank',
      '/pooling',
      '/classify',
      '/score',
      '/rerank',
    ]);
  });
});

test('while the cluster is stale the health stays, with STALE as the first reason', () => {
  const run = see();
  const stale = withStaleness(run, { state: 'STALE', staleSince: make.now - 6000 });
  expect(stale.status).toMatchObject({
    health: 'HEALTHY',
    message: expect.stringContaining('2026-11-24T11:59:54.000Z'),
  });
  expect(stale.status.reasons[0]).toMatchObject({ code: 'STALE', since: make.now - 6000 });
  expect(withStaleness(run, { state: 'FRESH', staleSince: null })).toBe(run);
});
