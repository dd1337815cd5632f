import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../../src/schema/ids.ts';
import { httpRoutes, securityPolicies } from '../../../src/k8s/resources.ts';
import {
  calls,
  echo,
  errorsOf,
  type GatewaysServer,
  namespace,
  ready,
  rights,
  service,
  startGatewaysServer,
} from './surface.ts';

interface Page {
  nodes: { name: string; service: string }[];
  edges: { cursor: string; node: { name: string } }[];
  totalCount: number;
  freshness: string;
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
}
const list = `query ($filter: GatewayFilter, $first: Int, $after: String, $last: Int, $before: String) {
  page: gateways(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
    nodes { name } edges { cursor node { name } } totalCount freshness
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;
const backends = `query ($filter: GatewayBackendFilter, $first: Int, $after: String, $last: Int, $before: String) {
  page: gatewayBackends(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
    nodes { service namespace port ready project serviceRun { name } labels { key value } ports { name port protocol targetPort } }
    totalCount freshness pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;

let server: GatewaysServer;
let runId = '';
const page = async (variables: object = {}, document = list): Promise<Page> =>
  (await server.data<{ page: Page }>(document, variables as Record<string, unknown>)).page;
const names = async (variables: object = {}, document = list): Promise<string[]> =>
  (await page(variables, document)).nodes.map((node) => node.name ?? node.service);

beforeAll(async () => {
  server = await startGatewaysServer();
  const call = calls(server);
  runId = (await echo(server)).id;
  await namespace(server, 'lab');
  await service(server, 'shop', { namespace: 'lab', labels: { tier: 'front' } });
  await service(server, 'two', {
    ports: [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'admin', port: 81 },
    ],
  });
  await service(server, 'outside', { type: 'ExternalName', externalName: 'example.org' });
  await service(server, 'dns', { ports: [{ port: 53, protocol: 'UDP' }] });
  for (const name of ['a', 'b', 'c', 'd'])
    await call.create({ name, backend: { service: 'echo' }, auth: { none: true } });
  await call.create({ name: 'e', backend: { service: 'shop', namespace: 'lab' }, auth: { none: true } });
  for (const name of ['a', 'b', 'c', 'd', 'e']) await server.until(name, ready);
});
afterAll(() => server.stop());

describe('gateways', () => {
  test('pages lead both ways', async () => {
    const first = await page({ first: 2 });
    expect(first).toMatchObject({
      nodes: [{ name: 'a' }, { name: 'b' }],
      totalCount: 5,
      freshness: 'FRESH',
      pageInfo: { hasNextPage: true, hasPreviousPage: false },
    });
    expect(first.edges.map(({ node }) => node.name)).toEqual(['a', 'b']);
    const after = await page({ first: 2, after: first.pageInfo.endCursor });
    expect(after.nodes.map(({ name }) => name)).toEqual(['c', 'd']);
    expect(after.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
    expect(await names({ last: 2 })).toEqual(['d', 'e']);
    expect(await names({ last: 2, before: after.pageInfo.endCursor })).toEqual(['b', 'c']);
    expect(await names({ first: 200 })).toHaveLength(5);
  });

  test.each([{ first: 0 }, { first: 201 }, { last: 201 }, { first: 1, last: 1 }, { after: 'x' }])(
    '%j is INVALID',
    async (variables) => {
      for (const document of [list, backends]) {
        const answer = await server.query(document, variables);
        expect(errorsOf(answer)).toEqual([
          expect.stringMatching(/^INVALID (first|last|after) (PAGE_SIZE|BAD_CURSOR)$/),
        ]);
        expect(answer.data).toEqual({ page: null });
      }
    },
  );

  test.each<[object, string[]]>([
    [{ namespace: ['lab'] }, ['e']],
    [{ namespace: [] }, []],
    [{ namespace: null, project: ['shop'] }, ['a', 'b', 'c', 'd']],
    [{ project: ['none'] }, []],
    [{ search: 'B.SERVICES' }, ['b']],
    [{ search: 'echo shop a.services' }, ['a']],
    [{ phase: ['READY', 'REJECTED'] }, ['a', 'b', 'c', 'd', 'e']],
    [{ phase: ['UNPROTECTED'] }, []],
    [{ phase: [] }, []],
    [{ serviceRunId: 'garbage' }, []],
  ])('%j: %j', async (filter, expected) => {
    expect(await names({ filter })).toEqual(expected);
  });

  test('those of one run', async () => {
    expect(await names({ filter: { serviceRunId: runId } })).toEqual(['a', 'b', 'c', 'd']);
  });

  test('one by id or name; null when it is not there', async () => {
    const one = async (by: object) =>
      (
        await server.data<{ gateway: { name: string } | null }>(
          'query ($by: GatewayBy!) { gateway(by: $by) { name } }',
          { by },
        )
      ).gateway;
    expect(await one({ name: { namespace: 'default', name: 'a' } })).toEqual({ name: 'a' });
    expect(await one({ id: globalId('Gateway', 'lab/e') })).toEqual({ name: 'e' });
    expect(await one({ id: globalId('ServiceRun', 'lab/e') })).toBeNull();
    expect(await one({ id: 'garbage' })).toBeNull();
    expect(await one({ name: { namespace: 'default', name: 'e' } })).toBeNull();
  });

  test('manifests are what somebody would write', async () => {
    const { gateway } = await server.data<{ gateway: { yaml: string; json: string } }>(
      '{ gateway(by: { name: { namespace: "lab", name: "e" } }) { yaml: manifests json: manifests(format: JSON) } }',
    );
    expect(gateway.yaml).toMatch(/^apiVersion: gateway.networking.k8s.io\/v1\nkind: HTTPRoute\n/);
    expect(gateway.yaml).not.toMatch(/uid|resourceVersion|status:/);
    expect(JSON.parse(gateway.json)).toMatchObject({ kind: 'HTTPRoute', metadata: { name: 'e', namespace: 'lab' } });
  });
});

describe('gatewayBackends', () => {
  test('are the Services that can be exposed, with what is behind them', async () => {
    await server.untilRun('echo', (run) => run.status.replicas.ready === 1);
    const all = await page({}, backends);
    expect(all).toMatchObject({ totalCount: 3, freshness: 'FRESH' });
    expect(all.nodes).toMatchObject([
      { service: 'echo', port: 8080, ready: true, project: 'shop', serviceRun: { name: 'echo' } },
      {
        service: 'two',
        port: null,
        ready: false,
        project: null,
        serviceRun: null,
        ports: [
          { name: 'http', port: 80, protocol: 'TCP', targetPort: '8080' },
          { name: 'admin', port: 81, protocol: 'TCP', targetPort: '81' },
        ],
      },
      { service: 'shop', namespace: 'lab', labels: [{ key: 'tier', value: 'front' }] },
    ]);
  });

  test.each<[object, string[]]>([
    [{ filter: { namespace: ['lab'] } }, ['shop']],
    [{ filter: { project: ['shop'] } }, ['echo']],
    [{ filter: { search: 'front' } }, ['shop']],
    [{ filter: { search: 'lab none' } }, []],
    [{ first: 1 }, ['echo']],
    [{ last: 1 }, ['shop']],
  ])('%j: %j', async (variables, expected) => {
    expect(await names(variables, backends)).toEqual(expected);
  });
});

test('a caller sees the gateways, backends and runs of its own namespaces alone', async () => {
  await using limited = await startGatewaysServer({
    as: { access: rights({ see: ['lab'] }) },
    seed: async (kube) => {
      await namespace({ kube }, 'lab');
      for (const place of ['lab', 'default']) {
        await service({ kube }, 'shop', { namespace: place });
        await kube.create(httpRoutes, {
          apiVersion: 'gateway.networking.k8s.io/v1',
          kind: 'HTTPRoute',
          metadata: { name: place, namespace: place },
          spec: {
            parentRefs: [{ namespace: 'slipway-system', name: 'local' }],
            hostnames: [`${place}.services.localhost`],
            rules: [{ backendRefs: [{ name: 'shop', port: 80 }] }],
          },
        });
      }
      await kube.create(securityPolicies, {
        apiVersion: 'gateway.envoyproxy.io/v1alpha1',
        kind: 'SecurityPolicy',
        metadata: { name: 'for-all', namespace: 'slipway-system' },
        spec: {
          targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'local' }],
          basicAuth: { users: { name: 'staff' } },
        },
      });
    },
  });
  await limited.until('default', () => true);
  const data = await limited.data(
    `query ($hidden: ID!) {
      gateways { totalCount nodes { name auth { kind inherited secretName policy { name } } } }
      gatewayBackends { totalCount nodes { namespace } }
      gateway(by: { id: $hidden }) { name }
      node(id: $hidden) { id }
      nodes(ids: [$hidden]) { id }
    }`,
    { hidden: globalId('Gateway', 'default/default') },
  );
  expect(data).toEqual({
    // The policy of the Gateway lies in a namespace that this caller does not see.
    gateways: {
      totalCount: 1,
      nodes: [{ name: 'lab', auth: { kind: 'UNKNOWN', inherited: true, secretName: null, policy: null } }],
    },
    gatewayBackends: { totalCount: 1, nodes: [{ namespace: 'lab' }] },
    gateway: null,
    node: null,
    nodes: [null],
  });
});
