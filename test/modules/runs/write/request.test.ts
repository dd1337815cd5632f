import { describe, expect, test } from 'vitest';
import { InvalidInput, SlipwayError } from '../../../../src/errors.ts';
import { deploymentOf, serviceOf } from '../../../../src/modules/runs/write/objects.ts';
import { type RunServiceInput, checkRequest } from '../../../../src/modules/runs/write/request.ts';

const rules = { namespace: 'lab', watchedNamespaces: null, maxReplicas: 10, embedded: true };
const base: RunServiceInput = { name: 'web', image: 'shop:1', ports: [{ port: 8080 }] };
const check = (input: Partial<RunServiceInput>, more: Partial<typeof rules> = {}) =>
  checkRequest({ ...base, ...input }, { ...rules, ...more });

function faults(input: Partial<RunServiceInput>, more: Partial<typeof rules> = {}): string[] {
  try {
    check(input, more);
  } catch (error) {
    const errors = error instanceof InvalidInput ? error.errors : [error];
    return errors.map((item) => (item instanceof SlipwayError ? `${item.code} ${item.field}` : String(item)));
  }
  return [];
}

describe('what is wrong is said by field', () => {
  const rows: [string, Partial<RunServiceInput>, string[]][] = [
    ['a name with capitals', { name: 'Web' }, ['INVALID name']],
    ['a name that begins with a digit', { name: '1web' }, ['INVALID name']],
    ['a name that is too long', { name: 'w'.repeat(64) }, ['INVALID name']],
    ['a namespace that can be none', { namespace: 'Lab' }, ['INVALID namespace']],
    ['a project that is no label', { project: 'a b' }, ['INVALID project']],
    ['an empty function', { function: '' }, ['INVALID function']],
    ['neither image nor process', { image: null }, ['INVALID image']],
    ['an image with a blank', { image: 'shop 1' }, ['INVALID image']],
    ['the image that stands for programs', { image: 'slipway.dev/process' }, ['INVALID image']],
    ['image and process', { process: { command: ['x'] } }, ['INVALID process']],
    ['an empty command', { image: null, process: { command: [] } }, ['INVALID process.command']],
    ['a relative folder', { image: null, process: { command: ['x'], cwd: 'here' } }, ['INVALID process.cwd']],
    ['args beside a process', { image: null, process: { command: ['x'] }, args: ['y'] }, ['INVALID args']],
    ['no port', { ports: [] }, ['INVALID ports']],
    ['port 0', { ports: [{ port: 0 }] }, ['INVALID ports.0.port']],
    ['port 65536', { ports: [{ port: 80 }, { port: 65_536 }] }, ['INVALID ports.1.port']],
    ['a target port out of range', { ports: [{ port: 80, targetPort: -1 }] }, ['INVALID ports.0.targetPort']],
    [
      'a port given twice',
      {
        ports: [
          { port: 80, name: 'a' },
          { port: 80, name: 'b' },
        ],
      },
      ['INVALID ports.1.port'],
    ],
    [
      'a port name given twice',
      {
        ports: [
          { port: 80, name: 'a' },
          { port: 81, name: 'a' },
        ],
      },
      ['INVALID ports.1.name'],
    ],
    ['a port name with capitals', { ports: [{ port: 80, name: 'HTTP' }] }, ['INVALID ports.0.name']],
    ['a bad variable', { env: [{ name: 'A=B', value: '' }] }, ['INVALID env.0.name']],
    [
      'a variable given twice',
      {
        env: [
          { name: 'A', value: '1' },
          { name: 'A', value: '2' },
        ],
      },
      ['INVALID env.1.name'],
    ],
    ['a variable with neither', { env: [{ name: 'A' }] }, ['INVALID env.0']],
    ['a variable with both', { env: [{ name: 'A', value: '1', secret: { name: 's', key: 'k' } }] }, ['INVALID env.0']],
    [
      'a bad Secret',
      { env: [{ name: 'A', secret: { name: 'S', key: 'a/b' } }] },
      ['INVALID env.0.secret.name', 'INVALID env.0.secret.key'],
    ],
    ['negative replicas', { replicas: -1 }, ['INVALID replicas']],
    ['more replicas than allowed', { replicas: 11 }, ['INVALID replicas']],
    ['a quantity that is none', { resources: { memory: 'lots' } }, ['INVALID resources.memory']],
    ['a negative quantity', { resources: { cpu: '-1' } }, ['INVALID resources.cpu']],
    [
      'a limit below the request',
      { resources: { memory: '1Gi', memoryLimit: '512Mi' } },
      ['INVALID resources.memoryLimit'],
    ],
    ['a relative readiness path', { readinessPath: 'health' }, ['INVALID readinessPath']],
    ['a readiness path with a line break', { readinessPath: '/a\nb' }, ['INVALID readinessPath']],
    ['a blank model', { model: ' ' }, ['INVALID model']],
    ['a bad label key', { labels: [{ key: 'a b', value: 'x' }] }, ['INVALID labels.0.key']],
    ['a bad label value', { labels: [{ key: 'a', value: '-x' }] }, ['INVALID labels.0.value']],
    [
      'a label given twice',
      {
        labels: [
          { key: 'a', value: '1' },
          { key: 'a', value: '2' },
        ],
      },
      ['INVALID labels.1.key'],
    ],
    [
      'labels of Kubernetes',
      { labels: [{ key: 'app.kubernetes.io/managed-by', value: 'x' }] },
      ['INVALID labels.0.key'],
    ],
    ['labels of Slipway', { labels: [{ key: 'slipway.dev/run', value: 'x' }] }, ['INVALID labels.0.key']],
    ['labels of the platform', { labels: [{ key: 'dhcore/framework', value: 'k8sserve' }] }, ['INVALID labels.0.key']],
    ['a short key', { idempotencyKey: 'short' }, ['INVALID idempotencyKey']],
    [
      'several faults at once',
      { name: 'A', replicas: -1, ports: [] },
      ['INVALID name', 'INVALID replicas', 'INVALID ports'],
    ],
  ];

  test.each(rows)('%s', (_, input, expected) => {
    expect(faults(input)).toEqual(expected);
  });

  test('a process on a real cluster is not supported', () => {
    const input = { image: null, process: { command: ['x'] } };
    expect(faults(input, { embedded: false })).toEqual(['NOT_SUPPORTED process']);
  });

  test('a namespace that is not watched', () => {
    expect(faults({ namespace: 'other' }, { watchedNamespaces: ['lab'] as never })).toEqual(['INVALID namespace']);
  });

  test('nulls mean the defaults', () => {
    const input = { namespace: null, replicas: null, protocol: null, env: null, labels: null, resources: null };
    expect(check(input)).toMatchObject({ namespace: 'lab', replicas: 1, protocol: 'HTTP', env: [], labels: {} });
  });
});

describe('objects', () => {
  const origin = { runId: 'r9', user: 'ada', embedded: false, annotations: {} };

  test('a container with everything', () => {
    const request = check({
      project: 'shop',
      command: ['serve'],
      args: ['--port', '8080'],
      env: [
        { name: 'A', value: '1' },
        { name: 'B', secret: { name: 's', key: 'k' } },
      ],
      ports: [
        { port: 80, targetPort: 8080, name: 'http' },
        { port: 81, targetPort: 8080 },
      ],
      replicas: 2,
      resources: { cpu: '250m', memoryLimit: '1Gi' },
      readinessPath: '/health',
      protocol: 'OPENAI',
      model: 'org/tiny model',
      labels: [{ key: 'team', value: 'a' }],
    });
    const made = deploymentOf(request, origin);
    expect(made.spec.template.spec.containers).toEqual([
      {
        name: 'main',
        image: 'shop:1',
        command: ['serve'],
        args: ['--port', '8080'],
        env: [
          { name: 'A', value: '1' },
          { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
        ],
        ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
        resources: { requests: { cpu: '250m' }, limits: { memory: '1Gi' } },
        readinessProbe: {
          httpGet: { path: '/health', port: 8080 },
          periodSeconds: 5,
          timeoutSeconds: 2,
          failureThreshold: 3,
        },
      },
    ]);
    expect(made.metadata.labels).toEqual({
      team: 'a',
      'app.kubernetes.io/managed-by': 'slipway',
      'slipway.dev/run': 'r9',
      'slipway.dev/project': 'shop',
    });
    expect(made.metadata.annotations).toMatchObject({ 'slipway.dev/model': 'org/tiny model' });
    expect(serviceOf(request, origin, { ...made, metadata: { ...made.metadata, uid: 'u' } })).toMatchObject({
      metadata: { name: 'web', ownerReferences: [{ kind: 'Deployment', name: 'web', uid: 'u' }] },
      spec: {
        selector: { 'slipway.dev/run': 'r9' },
        ports: [
          { name: 'http', port: 80, targetPort: 8080 },
          { name: 'port-81', port: 81, targetPort: 8080 },
        ],
      },
    });
  });

  test('a local program is probed by a connection every second', () => {
    const request = check({ image: null, process: { command: ['node', 'x.mjs'], cwd: '/srv' } });
    const [container] = deploymentOf(request, { ...origin, embedded: true }).spec.template.spec.containers;
    expect(container).toMatchObject({
      image: 'slipway.dev/process',
      command: ['node', 'x.mjs'],
      workingDir: '/srv',
      readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
    });
  });
});
