import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { httpRoutes, type KubeObject, middlewares, secrets } from '../../../src/k8s/resources.ts';
import { calls, documents, type GatewaysServer, ready, service, startGatewaysServer } from './surface.ts';
import { accept, addGateway, edge, middleware } from './traefik-kind.ts';

let server: GatewaysServer;
let call: ReturnType<typeof calls>;
beforeAll(async () => {
  server = await startGatewaysServer({
    kinds: [middleware],
    config: { gateways: { parent: 'default/edge', domain: 'services.example.org' } },
    seed: (kube) => addGateway({ kube }, 'traefik.io/gateway-controller'),
  });
  call = calls(server);
  await service(server, 'shop');
  for (const name of ['users', 'others']) {
    await call.createSecret({ basic: { namespace: 'default', name, users: [{ username: 'maria' }] } });
  }
  await call.createSecret({ apiKey: { namespace: 'default', name: 'keys', clients: ['lab', 'desk'] } });
});
afterAll(() => server.stop());

let count = 0;
let name = '';
beforeEach(() => {
  name = `gw-${++count}`;
});
const secured = { basic: { secretName: 'users' } };
const input = (more: object = {}) => ({ name, backend: { service: 'shop' }, auth: secured, ...more });
const route = () => server.embedded.api.get(httpRoutes, 'default', name);
const policy = () => server.embedded.api.get(middlewares, 'default', `${name}-sp`);
const filters = () => route()?.spec.rules?.[0]?.filters;
const reference = () => ({
  type: 'ExtensionRef',
  extensionRef: { group: 'traefik.io', kind: 'Middleware', name: `${name}-sp` },
});
const rewrite = {
  type: 'URLRewrite',
  urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } },
};

/** Every state in which the route names no protection that is there, though its annotation asks for one. */
function watchForOpen(): { order: string[]; open: string[]; stop: () => void } {
  const [order, open]: [string[], string[]] = [[], []];
  const stops = [httpRoutes, middlewares].map((resource) =>
    server.embedded.api.observe<KubeObject>(resource, ({ type, object }) => {
      if (!object.metadata.name.startsWith(name)) return;
      order.push(`${object.kind} ${type}`);
      const asked = route()?.metadata.annotations?.['slipway.dev/auth'] ?? 'none';
      const named = filters()?.some((filter) => filter.type === 'ExtensionRef');
      if (asked !== 'none' && !named) open.push(order.join(', '));
    }),
  );
  return { order, open, stop: () => stops.forEach((stop) => stop()) };
}

test('passwords are asked by a Middleware that a filter of the route names, before anything is rewritten', async () => {
  const watching = watchForOpen();
  const { gateway } = await call.create(input({ pathPrefix: '/v1', rewritePathPrefix: '/' }));
  watching.stop();
  expect(watching).toMatchObject({
    order: ['Middleware ADDED', 'HTTPRoute ADDED', 'Middleware MODIFIED'],
    open: [],
  });
  expect(gateway.auth).toEqual({
    kind: 'BASIC',
    secretName: 'users',
    headerName: null,
    policy: { name: `${name}-sp` },
  });
  expect(filters()).toEqual([reference(), rewrite]);
  expect(policy()).toMatchObject({
    metadata: { ownerReferences: [{ kind: 'HTTPRoute', uid: route()?.metadata.uid }] },
    spec: { basicAuth: { secret: 'users', removeHeader: true } },
  });
  expect(policy()?.metadata.annotations).toEqual({ 'slipway.dev/auth': 'basic' });
});

test.each([
  ['API keys', { apiKey: { secretName: 'keys' } }],
  [
    'signed tokens',
    { jwt: { jwksUri: 'https://login.example.org/certs', issuer: 'https://login.example.org', audiences: ['shop'] } },
  ],
])('%s are refused, and nothing is written', async (_, auth) => {
  expect(await call.refusals(documents.create, input({ auth }))).toEqual(['NOT_SUPPORTED auth AUTH_NOT_SUPPORTED']);
  expect([route(), policy()]).toEqual([undefined, undefined]);
  const { gateway } = await call.create(input());
  expect(await call.refusals(documents.update, { id: gateway.id, auth })).toEqual([
    'NOT_SUPPORTED auth AUTH_NOT_SUPPORTED',
  ]);
  expect(filters()).toEqual([reference()]);
});

test('from open to protected, to other users, and back there is no open moment', async () => {
  const { gateway } = await call.create(input({ auth: { none: true }, pathPrefix: '/v1', rewritePathPrefix: '/' }));
  const { id } = gateway;
  expect(filters()).toEqual([rewrite]);
  const watching = watchForOpen();
  await call.update({ id, auth: secured });
  expect(filters()).toEqual([reference(), rewrite]);
  const uid = policy()?.metadata.uid;
  await call.update({ id, auth: { basic: { secretName: 'others' } }, rewritePathPrefix: null });
  expect(filters()).toEqual([reference()]);
  expect(policy()).toMatchObject({ metadata: { uid }, spec: { basicAuth: { secret: 'others' } } });
  expect((await call.update({ id, auth: { none: true } })).gateway.auth.kind).toBe('NONE');
  watching.stop();
  expect([filters(), policy(), watching.open]).toEqual([undefined, undefined, []]);
  expect(watching.order.slice(-2)).toEqual(['HTTPRoute MODIFIED', 'Middleware DELETED']);
});

test('on delete the route goes first', async () => {
  const { gateway } = await call.create(input());
  const watching = watchForOpen();
  await call.delete({ id: gateway.id });
  watching.stop();
  expect(watching.order.slice(-2)).toEqual(['HTTPRoute DELETED', 'Middleware DELETED']);
});

describe('the phase', () => {
  test('is READY with the route alone: a Middleware has no status', async () => {
    await call.create(input());
    await accept(server, name);
    expect((await server.until(name, ready)).auth.kind).toBe('BASIC');
  });

  test('is REJECTED when the Middleware is gone, for then requests get 500', async () => {
    await call.create(input());
    await accept(server, name);
    await server.until(name, ready);
    await server.kube.delete(middlewares, `${name}-sp`, 'default');
    const { id, status } = await server.until(name, ({ status: { phase } }) => phase === 'REJECTED');
    expect(status.message).toMatch(/is missing, so nobody gets through/);
    await call.update({ id, auth: secured });
    await server.until(name, ready);
  });

  test('is UNPROTECTED when somebody takes the filter away, and setting the protection again puts it back', async () => {
    await call.create(input());
    await server.kube.patch(httpRoutes, name, 'default', [{ op: 'remove', path: '/spec/rules/0/filters' }]);
    await accept(server, name);
    const { id } = await server.until(name, ({ status: { phase } }) => phase === 'UNPROTECTED');
    await call.update({ id, auth: secured });
    expect(filters()).toEqual([reference()]);
    await accept(server, name);
    await server.until(name, ready);
  });

  test('knows nothing of Middlewares that ask nobody for anything', async () => {
    const { gateway } = await call.create(input({ auth: { none: true } }));
    await server.kube.create(middlewares, {
      apiVersion: 'traefik.io/v1alpha1',
      kind: 'Middleware',
      metadata: { name: 'compress', namespace: 'default' },
      spec: { compress: {} },
    });
    const compress = { type: 'ExtensionRef', extensionRef: { ...reference().extensionRef, name: 'compress' } };
    await server.kube.patch(httpRoutes, name, 'default', [
      { op: 'add', path: '/spec/rules/0/filters', value: [compress] },
    ]);
    await accept(server, name);
    expect(await server.until(name, ready)).toMatchObject({ auth: { kind: 'NONE' }, managed: true });
    await call.update({ id: gateway.id, auth: secured });
    expect(filters()).toEqual([reference(), compress]);
  });
});

describe('Secrets', () => {
  const put = (data: Record<string, string>) =>
    server.kube.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'default' },
      stringData: data,
    });
  const bcrypt = `maria:$2y$05$${'a'.repeat(53)}`;

  test.each([
    ['bcrypt', { users: `${bcrypt}\n` }],
    ['APR1', { users: `maria:$apr1$salt$${'a'.repeat(22)}` }],
    ['SHA', { '.htpasswd': 'maria:{SHA}6nfpbVDVT74YGNs8emVvCiWNPM4=' }],
  ])('%s passwords in one entry of any name do', async (_, data) => {
    await put(data);
    const { gateway } = await call.create(input({ auth: { basic: { secretName: name } } }));
    expect(gateway.auth.secretName).toBe(name);
    expect(await call.refusals(documents.deleteSecret, { namespace: 'default', name: 'users' })).toEqual([
      'CONFLICT name SECRET_IN_USE',
    ]);
  });

  test.each([
    ['two entries', { users: bcrypt, more: bcrypt }, 'SECRET_MIXED'],
    ['a plain password', { users: 'maria:secret' }, 'SECRET_MALFORMED'],
    ['CR LF', { users: `${bcrypt}\r\n` }, 'SECRET_MALFORMED'],
    ['nothing', {}, 'SECRET_EMPTY'],
  ])('%s: refused', async (_, data, reason) => {
    await put(data);
    expect(await call.refusals(documents.create, input({ auth: { basic: { secretName: name } } }))).toEqual([
      `INVALID auth.basic.secretName ${reason}`,
    ]);
  });
});

test('a protected gateway does not move between implementations', async () => {
  const parent = { namespace: 'slipway-system', name: 'local' };
  const { gateway } = await call.create(input());
  const moved = { id: gateway.id, parent, hostname: `${name}.services.localhost`, auth: secured };
  expect(await call.refusals(documents.update, moved)).toEqual(['NOT_SUPPORTED parent AUTH_NOT_SUPPORTED']);
  expect(filters()).toEqual([reference()]);
});

test('parents tell what can be asked of them', async () => {
  const { gatewayParents } = await server.data<{ gatewayParents: object[] }>('{ gatewayParents { name authKinds } }');
  expect(gatewayParents).toContainEqual({ name: edge.name, authKinds: ['NONE', 'BASIC'] });
});
