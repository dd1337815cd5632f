import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { checkCluster } from '../../src/commands/check.ts';
import { runCommand } from './process.ts';

interface Attributes {
  verb: string;
  group: string;
  resource: string;
  namespace?: string;
}

/** What the cluster is like; by default nothing is missing. */
interface World {
  allows: (attributes: Attributes, user: string) => boolean;
  /** Group versions that are served, with their kinds. */
  served: Record<string, string[]>;
  gateways: Record<string, object>;
  gatewayClasses: Record<string, object>;
  asked: (Attributes & { user: string })[];
}

const gatewayApi = 'gateway.networking.k8s.io/v1';
const envoy = 'gateway.envoyproxy.io/v1alpha1';
const listener = { name: 'web', port: 80, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' } } };
const programmed = { conditions: [{ type: 'Programmed', status: 'True' }] };

function gateway(spec: object = {}, status: object = programmed): object {
  return {
    apiVersion: gatewayApi,
    kind: 'Gateway',
    metadata: { name: 'public', namespace: 'infra' },
    spec: { gatewayClassName: 'eg', listeners: [listener], ...spec },
    status,
  };
}

function goodWorld(): World {
  return {
    allows: () => true,
    served: {
      v1: ['pods', 'services', 'events', 'namespaces'],
      'apps/v1': ['deployments', 'replicasets'],
      'discovery.k8s.io/v1': ['endpointslices'],
      [gatewayApi]: ['gateways', 'gatewayclasses', 'httproutes'],
      [envoy]: ['securitypolicies'],
    },
    gateways: { 'infra/public': gateway() },
    gatewayClasses: {
      eg: {
        metadata: { name: 'eg' },
        spec: { controllerName: 'gateway.envoyproxy.io/gatewayclass-controller' },
      },
    },
    asked: [],
  };
}

/** An API server that only answers questions. */
async function answer(world: World, request: IncomingMessage): Promise<object | null> {
  const path = (request.url ?? '').split('?')[0] ?? '';
  const user = String(request.headers['impersonate-user'] ?? 'alice');
  let text = '';
  for await (const chunk of request) text += String(chunk);
  if (path === '/version') return { gitVersion: 'v1.36.2' };
  if (path === '/apis') {
    const versions = Object.keys(world.served).flatMap((one) => (one.includes('/') ? [one.split('/')] : []));
    return { kind: 'APIGroupList', groups: versions.map(([name, version]) => ({ name, versions: [{ version }] })) };
  }
  const [, version] = /^\/apis?\/(v1|[^/]+\/[^/]+)$/.exec(path) ?? [];
  if (version !== undefined) {
    const kinds = world.served[version];
    return kinds ? { kind: 'APIResourceList', resources: kinds.map((name) => ({ name })) } : null;
  }
  if (path.endsWith('/selfsubjectreviews')) return { status: { userInfo: { username: user } } };
  if (path.endsWith('/selfsubjectaccessreviews')) {
    const { resourceAttributes } = (JSON.parse(text) as { spec: { resourceAttributes: Attributes } }).spec;
    world.asked.push({ ...resourceAttributes, user });
    return { status: { allowed: world.allows(resourceAttributes, user) } };
  }
  if (path === `/apis/${gatewayApi}/gateways`)
    return { metadata: { resourceVersion: '1' }, items: Object.values(world.gateways) };
  const [, namespace, name] = /\/namespaces\/([^/]+)\/gateways\/([^/]+)$/.exec(path) ?? [];
  if (name !== undefined) return world.gateways[`${namespace}/${name}`] ?? null;
  return world.gatewayClasses[/\/gatewayclasses\/([^/]+)$/.exec(path)?.[1] ?? ''] ?? null;
}

let folder: string;
let world: World;
let environment: Record<string, string>;
const server = createServer((request, response) => {
  void answer(world, request).then((body) => {
    response.writeHead(body ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body ?? { kind: 'Status', status: 'Failure', code: 404, reason: 'NotFound' }));
  });
});

beforeEach(async () => {
  world = goodWorld();
  folder = await mkdtemp(join(tmpdir(), 'slipway-check-'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(
    kubeconfig,
    stringify({
      'current-context': 'c',
      clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } }],
      contexts: [{ name: 'c', context: { cluster: 'c' } }],
    }),
  );
  environment = {
    SLIPWAY_CLUSTER: 'kubeconfig',
    KUBECONFIG: kubeconfig,
    SLIPWAY_AUTH_ISSUER: 'https://idp.example.org',
    SLIPWAY_AUTH_AUDIENCE: 'slipway',
    SLIPWAY_GATEWAYS_PARENT: 'infra/public',
    SLIPWAY_GATEWAYS_DOMAIN: 'example.org',
  };
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

const check = (extra: Record<string, string> = {}, as?: string) => checkCluster({ ...environment, ...extra }, { as });

describe('slipway check', () => {
  test('says that nothing is missing, and ends with 0', async () => {
    const { code, stdout } = await runCommand(['check'], { PATH: '', ...environment });
    expect(code).toBe(0);
    expect(stdout).toContain('Kubernetes v1.36.2');
    expect(stdout).toContain('Nothing is missing.');
  });

  test('names each right that the modules declare and the identity has not, and how to get it; ends with 1', async () => {
    world.allows = ({ verb, resource }) => !(resource === 'pods' && verb !== 'get') && verb !== 'impersonate';
    const { code, stdout } = await runCommand(['check'], { PATH: '', ...environment });
    expect(code).toBe(1);
    expect(stdout).toContain('MISSING   runs: no right to list, watch pods.');
    expect(stdout).toContain('MISSING   auth: no right to impersonate users; impersonate groups.');
    expect(stdout).toContain('slipway manifests');
    expect(stdout).toMatch(/\n2 problems\.\n$/);
  });

  test('asks in each watched namespace, but for kinds without a namespace', async () => {
    await check({ SLIPWAY_NAMESPACES: 'lab,shop' });
    const places = (resource: string) => [
      ...new Set(world.asked.filter((one) => one.resource === resource).map(({ namespace }) => namespace)),
    ];
    expect(places('deployments')).toEqual(['lab', 'shop']);
    expect(places('namespaces')).toEqual([undefined]);
    expect(places('subjectaccessreviews')).toEqual([undefined]);
  });

  test('asks for another identity with --as', async () => {
    const user = 'system:serviceaccount:slipway:slipway';
    world.allows = (_, asked) => asked === user;
    expect(await check({}, user)).toMatchObject({ problems: 0, text: expect.stringContaining(`Identity  ${user}`) });
    expect((await check()).problems).toBeGreaterThan(0);
  });

  test('asks only for what the enabled modules need', async () => {
    const file = join(folder, 'slipway.yaml');
    await writeFile(file, 'modules: [auth, runs]\n');
    delete world.served[gatewayApi];
    delete world.served[envoy];
    expect(await check({ SLIPWAY_CONFIG: file })).toMatchObject({ problems: 0 });
    expect(world.asked.some(({ group }) => group.startsWith('gateway.'))).toBe(false);
  });

  test('names kinds that are not served, and what to install', async () => {
    delete world.served[envoy];
    const { text, problems } = await check();
    expect(problems).toBe(1);
    expect(text).toContain('gateways: the cluster does not serve securitypolicies.gateway.envoyproxy.io');
    expect(text).toContain('Install Envoy Gateway');
  });

  test('a cluster that can not be reached is a problem, not a crash', async () => {
    server.closeAllConnections();
    server.close();
    const { text, problems } = await check();
    expect([problems, text.includes("can't be reached")]).toEqual([1, true]);
  });

  test('a proxy on the way is named, without its password', async () => {
    const kubeconfig = JSON.stringify({
      'current-context': 'c',
      clusters: [{ name: 'c', cluster: { server: 'https://api.test:6443' } }],
      contexts: [{ name: 'c', context: { cluster: 'c' } }],
    });
    await writeFile(join(folder, 'kubeconfig'), kubeconfig);
    const { port } = server.address() as AddressInfo;
    const { code, stdout, stderr } = await runCommand(['check'], {
      ...{ PATH: '', ...environment },
      HTTPS_PROXY: `http://me:secret-pass@127.0.0.1:${port}`,
    });
    expect(code).toBe(1);
    expect(stdout).toContain(`Proxy     http://127.0.0.1:${port} (HTTPS_PROXY)`);
    expect(stdout).toContain(`it can't be reached through the proxy http://127.0.0.1:${port} (HTTPS_PROXY): the proxy`);
    expect(stdout + stderr).not.toContain('secret-pass');
  });

  test('the embedded cluster needs nothing', async () => {
    expect(await checkCluster({}, {})).toMatchObject({ problems: 0 });
  });
});

describe('the Gateway that serves by default', () => {
  const cases: [what: string, change: () => Record<string, string> | void, message: string][] = [
    ['none is set', () => ({ SLIPWAY_GATEWAYS_PARENT: '' }), 'The cluster has: infra/public.'],
    ['it is not there', () => ({ SLIPWAY_GATEWAYS_PARENT: 'infra/other' }), 'no Gateway other in the namespace infra'],
    ['it lacks the listener', () => ({ SLIPWAY_GATEWAYS_PARENT: 'infra/public/tls' }), 'no listener "tls"'],
    [
      'it is not programmed',
      () => {
        world.gateways['infra/public'] = gateway(
          {},
          { conditions: [{ type: 'Programmed', status: 'False', message: 'No addresses have been assigned' }] },
        );
      },
      'not programmed: No addresses have been assigned',
    ],
    [
      'it takes other hostnames',
      () => {
        world.gateways['infra/public'] = gateway({ listeners: [{ ...listener, hostname: '*.elsewhere.example' }] });
      },
      'no listener of the Gateway public takes hostnames under example.org',
    ],
    [
      'it takes routes of its own namespace only',
      () => {
        world.gateways['infra/public'] = gateway({ listeners: [{ ...listener, allowedRoutes: undefined }] });
      },
      'takes routes from its own namespace only',
    ],
    ['its class is not there', () => void (world.gatewayClasses = {}), 'there is no GatewayClass eg'],
    [
      'nobody can protect it',
      () => {
        world.gatewayClasses['eg'] = { metadata: { name: 'eg' }, spec: { controllerName: 'example.org/own' } };
      },
      'no built-in policy back end speaks for example.org/own',
    ],
  ];
  test.each(cases)('is a problem when %s', async (_what, change, message) => {
    const extra = change() ?? {};
    const { text, problems } = await check(extra);
    expect(text).toContain(message);
    expect(problems).toBe(1);
  });
});
