import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  type HTTPRoute,
  httpRoutes,
  type KubeObject,
  type SecurityPolicy,
  securityPolicies,
} from '../../../src/k8s/resources.ts';
import { calls, documents, type GatewaysServer, service, startGatewaysServer } from './surface.ts';

let server: GatewaysServer;
let call: ReturnType<typeof calls>;
beforeAll(async () => {
  server = await startGatewaysServer();
  call = calls(server);
  for (const name of ['shop', 'bank']) await service(server, name);
  for (const name of ['users', 'others']) {
    await call.createSecret({ basic: { namespace: 'default', name, users: [{ username: 'maria' }] } });
  }
  await call.createSecret({ apiKey: { namespace: 'default', name: 'keys', clients: ['lab'] } });
});
afterAll(() => server.stop());

let count = 0;
let name = '';
let before: { route: HTTPRoute; policy: SecurityPolicy };
let id: string;

/** Fields that no form of ours has, as the platform's own manager, its admission policies and people with kubectl leave. */
beforeEach(async () => {
  name = `krm-${++count}`;
  const labels = { 'app.kubernetes.io/created-by': 'krm', team: 'blue' };
  await server.kube.create(httpRoutes, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name, namespace: 'default', labels, annotations: { 'example.org/owner': 'maria' } },
    spec: {
      parentRefs: [{ name: 'local', namespace: 'slipway-system' }],
      hostnames: [`${name}.services.localhost`, `${name}.elsewhere.localhost`],
      rules: [
        {
          name: 'all',
          matches: [{ path: { type: 'PathPrefix', value: '/v1' } }],
          filters: [
            { type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'x-a', value: '1' }] } },
            {
              type: 'URLRewrite',
              urlRewrite: {
                hostname: 'inside.example.org',
                path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/old' },
              },
            },
            { type: 'ResponseHeaderModifier', responseHeaderModifier: { remove: ['server'] } },
          ],
          timeouts: { request: '30s', backendRequest: '10s' },
          backendRefs: [{ name: 'shop', port: 80, weight: 7 }],
        },
      ],
    },
  });
  const targetRefs = [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name }];
  const spec = {
    targetRefs,
    cors: { allowOrigins: ['https://example.org'] },
    basicAuth: { users: { name: 'users' }, forwardUsernameHeader: 'x-name' },
    authorization: { defaultAction: 'Allow', rules: [] },
  };
  await server.kube.create(securityPolicies, {
    apiVersion: 'gateway.envoyproxy.io/v1alpha1',
    kind: 'SecurityPolicy',
    metadata: { name: `${name}-sp`, namespace: 'default', labels },
    spec,
  });
  ({ id } = await server.until(name, (view) => view.auth.kind !== 'NONE'));
  before = await present();
});

async function present() {
  return {
    route: await server.kube.get(httpRoutes, name, 'default'),
    policy: await server.kube.get(securityPolicies, `${name}-sp`, 'default'),
  };
}

/** All that somebody wrote. */
const written = ({ metadata, ...object }: KubeObject & { status?: unknown; spec?: unknown }): string =>
  JSON.stringify({
    labels: metadata.labels,
    annotations: metadata.annotations,
    ...Object.fromEntries(Object.entries(object).filter(([field]) => field !== 'status')),
  });

const rule = (route: HTTPRoute) => {
  const [first] = route.spec.rules ?? [];
  if (!first) throw new Error('no rule');
  return first;
};

const path = (value: string) => ({ type: 'PathPrefix' as const, value });

test.each<[string, object, (route: HTTPRoute) => void]>([
  ['the path', { pathPrefix: '/v2' }, (route) => Object.assign(rule(route), { matches: [{ path: path('/v2') }] })],
  [
    'the rewriting',
    { rewritePathPrefix: '/new' },
    (route) => Object.assign(rule(route).filters?.[1]?.urlRewrite?.path ?? {}, { replacePrefixMatch: '/new' }),
  ],
  [
    'that nothing is rewritten',
    { rewritePathPrefix: null },
    (route) => delete rule(route).filters?.[1]?.urlRewrite?.path,
  ],
  [
    'the service',
    { backend: { service: 'bank' } },
    (route) => Object.assign(rule(route).backendRefs?.[0] ?? {}, { name: 'bank' }),
  ],
  [
    'the hostname',
    { hostname: 'moved.services.localhost' },
    (route) => route.spec.hostnames?.splice(0, 1, 'moved.services.localhost'),
  ],
])('changing %s leaves every other byte of route and policy alone', async (_, change, expected) => {
  const view = await server.until(name, ({ managed }) => managed);
  expect(view.auth).toMatchObject({ kind: 'BASIC', secretName: 'users' });
  await call.update({ id, ...change });
  const wanted = structuredClone(before.route);
  expected(wanted);
  const after = await present();
  expect(written(after.route)).toBe(written(wanted));
  expect(written(after.policy)).toBe(written(before.policy));
});

test('changing the protection leaves the rest of the policy alone, and adds to the route only what was asked for', async () => {
  await call.update({ id, auth: { apiKey: { secretName: 'keys' } } });
  const after = await present();
  const { basicAuth: _, ...spec } = before.policy.spec;
  expect(after.policy.spec).toEqual({
    ...spec,
    apiKeyAuth: {
      credentialRefs: [{ group: '', kind: 'Secret', name: 'keys' }],
      extractFrom: [{ headers: ['x-api-key'] }],
      sanitize: true,
    },
  });
  expect(after.policy.metadata.labels).toEqual(before.policy.metadata.labels);
  expect(after.policy.metadata.annotations).toEqual({ 'slipway.dev/auth': 'apiKey' });
  const wanted = structuredClone(before.route);
  wanted.metadata.annotations = { ...wanted.metadata.annotations, 'slipway.dev/auth': 'apiKey' };
  expect(written(after.route)).toBe(written(wanted));
});

test('other users of the same kind change one name', async () => {
  await call.update({ id, auth: { basic: { secretName: 'others' } } });
  const after = await present();
  const wanted = structuredClone(before.policy.spec);
  Object.assign(wanted.basicAuth ?? {}, { users: { group: '', kind: 'Secret', name: 'others' } });
  expect(after.policy.spec).toEqual(wanted);
});

test('another issuer keeps how tokens are found', async () => {
  const provider = {
    name: 'theirs',
    issuer: 'https://one.example.org',
    audiences: ['shop'],
    remoteJWKS: { uri: 'https://one.example.org/certs', cacheDuration: '60s' },
    extractFrom: { headers: [{ name: 'x-token' }] },
  };
  await server.kube.patch(securityPolicies, `${name}-sp`, 'default', {
    spec: { basicAuth: null, jwt: { providers: [provider] } },
  });
  await server.until(name, ({ auth }) => auth.kind === 'JWT');
  const jwt = { issuer: 'https://two.example.org', jwksUri: 'https://two.example.org/certs' };
  await call.update({ id, auth: { jwt } });
  const { audiences: _, ...rest } = provider;
  expect((await present()).policy.spec.jwt?.providers).toEqual([
    { ...rest, issuer: jwt.issuer, remoteJWKS: { uri: jwt.jwksUri, cacheDuration: '60s' } },
  ]);
});

test('a policy with what we have no form for is shown as OTHER, and the route is still edited without touching it', async () => {
  const jwt = {
    providers: ['one', 'two'].map((provider) => ({
      name: provider,
      issuer: `https://${provider}.example.org`,
      remoteJWKS: { uri: `https://${provider}.example.org/certs` },
    })),
  };
  await server.kube.patch(securityPolicies, `${name}-sp`, 'default', { spec: { basicAuth: null, jwt } });
  await server.until(name, ({ auth }) => auth.kind === 'OTHER');
  before = await present();
  await call.update({ id, pathPrefix: '/v2' });
  expect(written((await present()).policy)).toBe(written(before.policy));
});

test('a route of the platform with what a prefix can not say is shown whole, and refused untouched', async () => {
  const headers = [{ name: 'version', value: 'two' }];
  await server.kube.patch(httpRoutes, name, 'default', [
    { op: 'add', path: '/spec/rules/0/matches/0/headers', value: headers },
  ]);
  const view = await server.until(name, ({ managed }) => !managed);
  expect(view).toMatchObject({ ruleCount: 1, pathPrefix: null, hostnames: before.route.spec.hostnames });
  before = await present();
  expect(await call.refusals(documents.update, { id, pathPrefix: '/x' })).toEqual(['NOT_SUPPORTED id NOT_SIMPLE']);
  expect(written((await present()).route)).toBe(written(before.route));
});

test('deleted here, the policy of the platform goes with its route', async () => {
  await call.delete({ id });
  expect(server.embedded.api.get(httpRoutes, 'default', name)).toBeUndefined();
  expect(server.embedded.api.get(securityPolicies, 'default', `${name}-sp`)).toBeUndefined();
});
