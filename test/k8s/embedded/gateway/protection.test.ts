import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  httpRoutes,
  referenceGrants,
  type SecurityPolicy,
  secrets,
  securityPolicies,
} from '../../../../src/k8s/resources.ts';
import { ensureNamespace } from '../../../../src/k8s/embedded/seed/namespaces.ts';
import { localGateway } from '../../../../src/k8s/embedded/seed/gateway.ts';
import { createWorld, prefix, type Seen, to, until, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.service('one');
});
afterAll(() => world[Symbol.asyncDispose]());

const sha = (password: string) => `{SHA}${createHash('sha1').update(password).digest('base64')}`;
const basic = (user: string, password: string) => ({ authorization: `Basic ${btoa(`${user}:${password}`)}` });
const open = [{ backendRefs: to('one') }];

describe('each kind, with no, a wrong, another tenant’s and the right credential', () => {
  const jwks = createServer((_, response) => response.end(keys));
  let keys = '';
  let privateKey: CryptoKey;
  beforeAll(async () => {
    const pair = await generateKeyPair('RS256');
    privateKey = pair.privateKey;
    keys = JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k', alg: 'RS256' }] });
    await new Promise<void>((resolve) => jwks.listen(0, '127.0.0.1', resolve));
    const uri = `http://127.0.0.1:${(jwks.address() as AddressInfo).port}/certs`;
    const apiKeyAuth = (name: string) => ({
      credentialRefs: [{ name }],
      extractFrom: [{ headers: ['x-api-key'] }],
      sanitize: true,
    });
    const provider = (issuer: string) => ({
      name: 'default',
      issuer,
      audiences: ['lab'],
      remoteJWKS: { uri },
      claimToHeaders: [{ claim: 'sub', header: 'x-user' }],
    });
    for (const tenant of ['mine', 'theirs']) {
      await world.secret(`${tenant}-users`, { '.htpasswd': `maria:${sha(`${tenant} password`)}` });
      await world.secret(`${tenant}-keys`, { desk: `${tenant}-key` });
      const specs: Record<string, SecurityPolicy['spec']> = {
        basic: { basicAuth: { users: { name: `${tenant}-users` } } },
        key: { apiKeyAuth: apiKeyAuth(`${tenant}-keys`) },
        jwt: { jwt: { providers: [provider(`https://${tenant}.test`)] } },
      };
      for (const [kind, spec] of Object.entries(specs)) {
        const name = `${tenant}-${kind}`;
        await world.policy(`${name}-sp`, name, spec);
        await world.route(name, [`${name}.test`], open);
        await world.policyStatus(`${name}-sp`, 'Accepted');
      }
    }
  });
  afterAll(
    () =>
      new Promise((resolve) => {
        jwks.closeAllConnections();
        jwks.close(resolve);
      }),
  );
  const token = (tenant: string) =>
    new SignJWT({ sub: 'maria' })
      .setProtectedHeader({ alg: 'RS256', kid: 'k' })
      .setIssuer(`https://${tenant}.test`)
      .setAudience('lab')
      .setExpirationTime('1m')
      .sign(privateKey);
  const bearer = async (tenant: string) => ({ authorization: `Bearer ${await token(tenant)}` });
  const wrongBearer = async () => ({ authorization: `Bearer ${(await token('mine')).slice(0, -4)}AAAA` });

  type Credential = () => object | Promise<object>;
  it.each<[string, Credential, Credential, Credential, string]>([
    [
      'basic',
      () => basic('maria', 'wrong'),
      () => basic('maria', 'theirs password'),
      () => basic('maria', 'mine password'),
      'Basic ',
    ],
    [
      'key',
      () => ({ 'x-api-key': 'wrong' }),
      () => ({ 'x-api-key': 'theirs-key' }),
      () => ({ 'x-api-key': 'mine-key' }),
      'ApiKey',
    ],
    ['jwt', wrongBearer, () => bearer('theirs'), () => bearer('mine'), 'Bearer '],
  ])('%s', async (kind, wrong, foreign, right, challenge) => {
    const ask = async (headers: object) =>
      world.ask(`mine-${kind}.test`, '/', { headers: headers as Record<string, string> });
    const none = await ask({});
    expect(none.status).toBe(401);
    expect(none.headers['www-authenticate']).toMatch(new RegExp(`^${challenge}`));
    expect((await ask(await wrong())).status).toBe(401);
    expect((await ask(await foreign())).status).toBe(401);
    const allowed = await ask({ ...(await right()), 'x-user': 'root' });
    expect(allowed.status).toBe(200);
    const { headers } = allowed.json() as unknown as Seen;
    expect(headers).toMatchObject({ 'x-user': kind === 'jwt' ? 'maria' : 'root' });
    expect(headers['x-api-key']).toBeUndefined();
  });
});

describe('what can’t be enforced is closed, never open', () => {
  it.each<[string, SecurityPolicy['spec'], string]>([
    ['missing-secret', { basicAuth: { users: { name: 'nowhere' } } }, 'BasicAuth: secret lab/nowhere does not exist.'],
    [
      'bad-htpasswd',
      { basicAuth: { users: { name: 'bad' } } },
      'BasicAuth: unsupported htpasswd format: please use {SHA}.',
    ],
    [
      'wrong-entry',
      { basicAuth: { users: { name: 'other' } } },
      'BasicAuth: secret lab/other must contain a non-empty ".htpasswd" key.',
    ],
    [
      'foreign-secret',
      { basicAuth: { users: { name: 'x', namespace: 'vault' } } },
      'BasicAuth: ref to Secret vault/x not permitted by any ReferenceGrant.',
    ],
    [
      'same-key',
      { apiKeyAuth: { credentialRefs: [{ name: 'twins' }], extractFrom: [{ headers: ['x-api-key'] }] } },
      'APIKeyAuth: duplicated API key.',
    ],
    [
      'bad-jwks',
      { jwt: { providers: [{ name: 'a', localJWKS: { type: 'Inline', inline: '{"keys":[]}' } }] } },
      'JWT: the local JWKS has no keys.',
    ],
  ])('%s', async (name, spec, message) => {
    await world.secret(`${name}-filler`, {});
    if (name === 'bad-htpasswd') await world.secret('bad', { '.htpasswd': 'maria:$2y$05$abc' });
    if (name === 'wrong-entry') await world.secret('other', { auth: `maria:${sha('x')}` });
    if (name === 'same-key') await world.secret('twins', { a: 'same', b: 'same' });
    await world.policy(name, name, spec);
    const conditions = await world.route(name, [`${name}.test`], open);
    expect((await world.policyStatus(name, 'Invalid')).message).toBe(message);
    expect(conditions[0]).toMatchObject({ type: 'Accepted', status: 'True' });
    expect((await world.ask(`${name}.test`, '/', { headers: basic('maria', 'x') })).status).toBe(500);
  });

  it('follows its Secret as it goes and comes', async () => {
    const htpasswd = { '.htpasswd': `maria:${sha('one')}` };
    await world.secret('rotating', htpasswd);
    await world.policy('rotating', 'rotating', { basicAuth: { users: { name: 'rotating' } } });
    await world.route('rotating', ['rotating.test'], open);
    await world.policyStatus('rotating', 'Accepted');
    const ask = async () => (await world.ask('rotating.test', '/', { headers: basic('maria', 'one') })).status;
    expect(await ask()).toBe(200);
    await world.api.client.delete(secrets, 'rotating', 'lab');
    await world.policyStatus('rotating', 'Invalid');
    expect(await ask()).toBe(500);
    await world.secret('rotating', htpasswd);
    await world.policyStatus('rotating', 'Accepted');
    expect(await ask()).toBe(200);
  });

  it('a grant beside the Secret lets another namespace use it', async () => {
    await ensureNamespace(world.api, 'safe');
    await world.secret('users', { '.htpasswd': `maria:${sha('one')}` }, 'safe');
    await world.policy('granted', 'granted', { basicAuth: { users: { name: 'users', namespace: 'safe' } } });
    await world.route('granted', ['granted.test'], open);
    await world.policyStatus('granted', 'Invalid');
    await world.api.client.create(referenceGrants, {
      apiVersion: 'gateway.networking.k8s.io/v1beta1',
      kind: 'ReferenceGrant',
      metadata: { name: 'lab', namespace: 'safe' },
      spec: {
        from: [{ group: 'gateway.envoyproxy.io', kind: 'SecurityPolicy', namespace: 'lab' }],
        to: [{ group: '', kind: 'Secret', name: 'users' }],
      },
    });
    await world.policyStatus('granted', 'Accepted');
    expect((await world.ask('granted.test', '/', { headers: basic('maria', 'one') })).status).toBe(200);
  });
});

describe('which policy governs', () => {
  it('the oldest of two on one route, and the other says so', async () => {
    await world.secret('first', { '.htpasswd': `maria:${sha('first')}` });
    await world.policy('a-first', 'twice', { basicAuth: { users: { name: 'first' } } });
    await world.policy('b-second', 'twice', {});
    await world.route('twice', ['twice.test'], open);
    const { message } = await world.policyStatus('b-second', 'Conflicted');
    expect(message).toBe('Unable to target HTTPRoute twice, another SecurityPolicy has already attached to it');
    expect((await world.ask('twice.test', '/')).status).toBe(401);
    expect((await world.ask('twice.test', '/', { headers: basic('maria', 'first') })).status).toBe(200);
  });

  it('a policy without a target has no status, and one that loses it forgets it', async () => {
    await world.policy('lost', 'short-lived', {});
    await world.route('short-lived', ['short-lived.test'], open);
    await world.policyStatus('lost', 'Accepted');
    await world.api.client.delete(httpRoutes, 'short-lived', 'lab');
    const lost = await until(
      world.api,
      securityPolicies,
      'lab',
      'lost',
      (object) => object.status?.ancestors?.length === 0,
    );
    expect(lost.status?.ancestors).toEqual([]);
  });

  it('a selector finds its routes by label, and a kind it does not know of closes them', async () => {
    const targetSelectors = [{ kind: 'HTTPRoute', matchLabels: { tier: 'inner' } }];
    await world.secret('selected', { desk: 'key' });
    const apiKeyAuth = { credentialRefs: [{ name: 'selected' }], extractFrom: [{ headers: ['x-api-key'] }] };
    await world.policy('selecting', '', { targetRefs: [], targetSelectors, apiKeyAuth });
    await world.route('selected', ['selected.test'], open);
    expect((await world.ask('selected.test', '/')).status).toBe(200);
    await world.api.client.patch(httpRoutes, 'selected', 'lab', { metadata: { labels: { tier: 'inner' } } });
    await world.policyStatus('selecting', 'Accepted');
    expect((await world.ask('selected.test', '/')).status).toBe(401);
    await world.api.client.patch(securityPolicies, 'selecting', 'lab', { spec: { oidc: { clientID: 'x' } } });
    expect((await world.policyStatus('selecting', 'Invalid')).message).toBe(
      'The embedded gateway does not support oidc.',
    );
    expect((await world.ask('selected.test', '/', { headers: { 'x-api-key': 'key' } })).status).toBe(500);
  });

  it('rule before route before Gateway; an empty one on the route opens it', async () => {
    const policy = (
      name: string,
      targetRefs: SecurityPolicy['spec']['targetRefs'],
      spec: SecurityPolicy['spec'],
      namespace = 'lab',
    ) => world.policy(name, '', { ...spec, ...(targetRefs && { targetRefs }) }, namespace);
    const group = 'gateway.networking.k8s.io';
    await world.secret('level', { '.htpasswd': `maria:${sha('gateway')}` }, localGateway.namespace);
    await world.secret('level', { '.htpasswd': `maria:${sha('rule')}` });
    const users = { basicAuth: { users: { name: 'level' } } };
    await policy('rule', [{ group, kind: 'HTTPRoute', name: 'levels', sectionName: 'inner' }], users);
    await policy('no-rule', [{ group, kind: 'HTTPRoute', name: 'levels', sectionName: 'nope' }], users);
    await world.route(
      'levels',
      ['levels.test'],
      [
        { name: 'inner', matches: [prefix('/inner')], backendRefs: to('one') },
        { matches: [prefix('/')], backendRefs: to('one') },
      ],
    );
    await world.policyStatus('no-rule', 'TargetNotFound');
    const ask = async (path: string, password: string) =>
      (await world.ask('levels.test', path, { headers: basic('maria', password) })).status;
    expect([await ask('/inner', 'rule'), await ask('/inner', 'x'), await ask('/', 'x')]).toEqual([200, 401, 200]);

    await policy('gateway', [{ group, kind: 'Gateway', name: localGateway.name }], users, localGateway.namespace);
    await world.policyStatus('gateway', 'Accepted', localGateway.namespace);
    expect([await ask('/inner', 'rule'), await ask('/', 'x'), await ask('/', 'gateway')]).toEqual([200, 401, 200]);
    await policy('opt-out', [{ group, kind: 'HTTPRoute', name: 'levels' }], {});
    await world.policyStatus('opt-out', 'Accepted');
    expect([await ask('/inner', 'x'), await ask('/', 'x')]).toEqual([401, 200]);
    await world.api.client.delete(securityPolicies, 'gateway', localGateway.namespace);
  });
});
