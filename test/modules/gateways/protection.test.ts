import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { httpRoutes, secrets, securityPolicies } from '../../../src/k8s/resources.ts';
import { basic, calls, echo, type GatewaysServer, ready, startGatewaysServer } from './surface.ts';

let server: GatewaysServer;
let run: Awaited<ReturnType<typeof echo>>;
let call: ReturnType<typeof calls>;
beforeAll(async () => {
  server = await startGatewaysServer();
  call = calls(server);
  run = await echo(server);
});
afterAll(() => server.stop());

const backend = { service: 'echo' };
const createReady = async (input: object) => {
  const payload = await call.create({ backend, ...input });
  const view = await server.until(payload.gateway.name, ready);
  return { ...payload, view };
};

test('none: everybody may call, with the prefix rewritten', async () => {
  const { gateway, notices } = await createReady({
    name: 'open',
    auth: { none: true },
    pathPrefix: '/v1/',
    rewritePathPrefix: '/api',
  });
  expect(gateway).toMatchObject({
    hostname: 'open.services.localhost',
    pathPrefix: '/v1',
    rewritePathPrefix: '/api',
    project: 'shop',
    managed: true,
    auth: { kind: 'NONE', policy: null },
    url: `http://open.services.localhost:${new URL(server.gatewayUrl).port}/v1`,
  });
  expect(notices.map(({ code, field }) => [code, field])).toEqual([
    ['NO_AUTH', 'auth.none'],
    ['ANSWERS_NOT_REWRITTEN', 'rewritePathPrefix'],
  ]);
  const answer = await server.ask('open.services.localhost', '/v1/items?q=1');
  expect(answer.status).toBe(200);
  expect(answer.json()).toMatchObject({ path: '/api/items', query: { q: '1' } });
  expect((await server.ask('open.services.localhost', '/v2')).status).toBe(404);
  expect((await server.ask('other.services.localhost', '/v1')).status).toBe(404);
});

test('basic: 401 without a password, 200 with the generated or given one', async () => {
  const given = 'harbour-lantern-7-otter-quay';
  const { generated, secret } = await call.createSecret({
    basic: { namespace: 'default', name: 'users', users: [{ username: 'maria' }, { username: 'jo', password: given }] },
  });
  expect(secret).toEqual({
    name: 'users',
    namespace: 'default',
    kind: 'BASIC',
    principals: ['jo', 'maria'],
    problem: null,
  });
  expect(generated).toEqual([{ principal: 'maria', value: expect.stringMatching(/^[\w-]{43}$/) as string }]);
  const { gateway, notices } = await createReady({ name: 'basic', auth: { basic: { secretName: 'users' } } });
  expect(gateway.auth).toMatchObject({ kind: 'BASIC', secretName: 'users', policy: { name: 'basic-sp' } });
  expect(notices.map(({ code }) => code)).toEqual(['CREDENTIALS_IN_CLEAR', 'WEAK_HASH']);
  const ask = async (...credentials: [string, string] | []) =>
    (await server.ask('basic.services.localhost', '/', credentials.length ? basic(...credentials) : {})).status;
  expect(await ask()).toBe(401);
  expect(await ask('maria', 'wrong-wrong-wrong-wrong')).toBe(401);
  expect(await ask('jo', generated[0]?.value ?? '')).toBe(401);
  expect(await ask('maria', generated[0]?.value ?? '')).toBe(200);
  expect(await ask('jo', given)).toBe(200);
});

test('API key: 401 without the key or with that of another gateway, and the service never sees it', async () => {
  const make = async (name: string) => {
    const { generated } = await call.createSecret({
      apiKey: { namespace: 'default', name, clients: ['lab', 'desk.1'] },
    });
    return generated;
  };
  const [mine, others] = [await make('keys'), await make('other-keys')];
  expect(mine.map(({ principal }) => principal)).toEqual(['lab', 'desk.1']);
  expect(Buffer.from(mine[0]?.value ?? '', 'base64url')).toHaveLength(32);
  await createReady({ name: 'keyed', auth: { apiKey: { secretName: 'keys', headerName: 'X-Shop-Key' } } });
  const ask = (headers: Record<string, string>) => server.ask('keyed.services.localhost', '/', { headers });
  expect((await ask({})).status).toBe(401);
  expect((await ask({ 'x-shop-key': others[0]?.value ?? '' })).status).toBe(401);
  expect((await ask({ 'x-api-key': mine[0]?.value ?? '' })).status).toBe(401);
  for (const { value } of mine) {
    const answer = await ask({ 'x-shop-key': value });
    expect(answer.status).toBe(200);
    expect(answer.text).not.toContain(value);
  }
});

interface Issuer {
  url: string;
  token(claims: object, header?: object): Promise<string>;
  server: Server;
}

async function startIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
  const issuer = createServer((_, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  return {
    url,
    server: issuer,
    token: (claims) =>
      new SignJWT({ iss: url, aud: 'shop', preferred_username: 'maria', ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'one' })
        .setExpirationTime('5 minutes')
        .sign(privateKey),
  };
}

test('JWT: only tokens of the issuer for this audience pass, and a claim reaches the service', async () => {
  const [issuer, stranger] = [await startIssuer(), await startIssuer()];
  const jwt = {
    jwksUri: `${issuer.url}/certs`,
    issuer: issuer.url,
    audiences: ['shop'],
    claimToHeaders: [{ claim: 'preferred_username', header: 'x-user' }],
  };
  const { view } = await createReady({ name: 'token', auth: { jwt } });
  expect(view.auth).toMatchObject({ kind: 'JWT', ...jwt });
  const ask = (token: string | null, path = '/', more = {}) =>
    server.ask('token.services.localhost', path, {
      headers: { ...(token !== null && { authorization: `Bearer ${token}` }), ...more },
    });
  expect((await ask(null)).status).toBe(401);
  expect((await ask(await stranger.token({ iss: issuer.url }))).status).toBe(401);
  expect((await ask(await issuer.token({ iss: 'https://elsewhere.example.org' }))).status).toBe(401);
  expect([401, 403]).toContain((await ask(await issuer.token({ aud: 'bank' }))).status);
  const good = await issuer.token({});
  expect((await ask(null, `/?access_token=${good}`)).status).toBe(401);
  const answer = await ask(good, '/', { 'x-user': 'admin' });
  expect(answer.status).toBe(200);
  expect(answer.json()).toMatchObject({ headers: { 'x-user': 'maria' } });
  issuer.server.close();
  stranger.server.close();
});

test('a run tells its gateways, and may be exposed', async () => {
  const data = await server.data<{ serviceRun: { gateways: { name: string }[]; actions: string[] } }>(
    'query ($id: ID!) { serviceRun(by: { id: $id }) { gateways { name } actions } }',
    { id: run.id },
  );
  expect(data.serviceRun.gateways.map(({ name }) => name)).toEqual(['basic', 'keyed', 'open', 'token']);
  expect(data.serviceRun.actions).toContain('EXPOSE');
});

test('everything a gateway has leads back to its run, backend and parent', async () => {
  const data = await server.data<{ gateway: Record<string, unknown> }>(
    `{ gateway(by: { name: { namespace: "default", name: "basic" } }) {
      __typename createdAt ruleCount hostnames
      serviceRun { name } backend { service port ready project serviceRun { name } ports { port protocol targetPort } labels { key } }
      parent { name default ready className controller authKinds listeners { name protocol hostname } }
      parents { namespace name sectionName gateway { name } }
      auth { kind inherited policy { kind name namespace } jwksUri issuer audiences claimToHeaders { claim } }
      status { conditions { object { kind name } type status reason current } }
    } }`,
  );
  expect(data.gateway).toMatchObject({
    __typename: 'Gateway',
    ruleCount: 1,
    hostnames: ['basic.services.localhost'],
    serviceRun: { name: 'echo' },
    backend: { service: 'echo', port: 8080, ready: true, project: 'shop', serviceRun: { name: 'echo' } },
    parent: {
      name: 'local',
      default: true,
      ready: true,
      controller: 'slipway.dev/gateway-controller',
      authKinds: ['NONE', 'BASIC', 'API_KEY', 'JWT'],
      listeners: [{ name: 'http', protocol: 'HTTP', hostname: null }],
    },
    parents: [{ namespace: 'slipway-system', name: 'local', gateway: { name: 'local' } }],
    auth: {
      kind: 'BASIC',
      inherited: false,
      policy: { kind: 'SecurityPolicy', name: 'basic-sp', namespace: 'default' },
    },
  });
  const { status } = data.gateway as {
    status: { conditions: { object: { kind: string }; status: string; current: boolean }[] };
  };
  expect(new Set(status.conditions.map(({ object }) => object.kind))).toEqual(
    new Set(['HTTPRoute', 'SecurityPolicy', 'Gateway']),
  );
  expect(status.conditions.every(({ status, current }) => status === 'True' && current)).toBe(true);
});

test('the phase follows what happens to policy and Secret, and the gateway stays closed or says that it is open', async () => {
  await call.createSecret({ basic: { namespace: 'default', name: 'fragile', users: [{ username: 'maria' }] } });
  await createReady({ name: 'fragile', auth: { basic: { secretName: 'fragile' } } });
  const status = async () => (await server.ask('fragile.services.localhost', '/')).status;
  await server.kube.delete(secrets, 'fragile', 'default');
  const rejected = await server.until('fragile', ({ status: { phase } }) => phase === 'REJECTED');
  expect(rejected.status.message).toMatch(/can't use the Secret fragile, so requests get 500/);
  expect(await status()).toBe(500);

  const phases: string[] = [];
  const stop = server.gateways.subscribe(({ after }) => {
    if (after?.name === 'fragile') phases.push(after.status.phase);
  });
  await server.kube.delete(securityPolicies, 'fragile-sp', 'default');
  const open = await server.until('fragile', ({ status: { phase } }) => phase !== 'REJECTED');
  expect(open.status).toMatchObject({ phase: 'UNPROTECTED', message: expect.stringContaining('is missing') as string });
  expect(phases[0]).toBe('UNPROTECTED');
  stop();

  const repaired = await call.update({ id: open.id, auth: { basic: { secretName: 'users' } } });
  expect(repaired.gateway.auth).toMatchObject({ kind: 'BASIC', secretName: 'users' });
  await server.until('fragile', ready);
  expect(await status()).toBe(401);
  const policy = await server.kube.get(securityPolicies, 'fragile-sp', 'default');
  const route = await server.kube.get(httpRoutes, 'fragile', 'default');
  expect(policy.metadata.ownerReferences).toMatchObject([{ kind: 'HTTPRoute', uid: route.metadata.uid }]);
});
