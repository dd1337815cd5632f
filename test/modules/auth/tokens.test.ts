import { createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import { CompactEncrypt, SignJWT, UnsecuredJWT, exportJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auth } from '../../../src/modules/auth/index.ts';
import { type TestServer, startTestServer } from '../../../src/testing.ts';
import { type Claims, type Header, type Issuer, audience, createKey, startIssuer } from './issuer.ts';
import { type HttpAnswer, bearer, openSocket, send } from './surface.ts';

let issuer: Issuer;
let server: TestServer;
beforeAll(async () => {
  issuer = await startIssuer();
  const [ec, ed] = await Promise.all([createKey('ES256', 'ec'), createKey('EdDSA', 'ed')]);
  issuer.publish(issuer.key, ec, ed, await weakKey());
  server = await startTestServer({ modules: [auth], config: { auth: { issuer: issuer.url, audience: [audience] } } });
});
afterAll(async () => {
  await server.stop();
  await issuer.close();
});

const seconds = () => Math.floor(Date.now() / 1000);
const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const pem = () => issuer.key.publicKey.export({ type: 'spki', format: 'pem' }) as string;

async function weakKey() {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  return {
    kid: 'weak',
    alg: 'RS256',
    publicKey,
    privateKey,
    jwk: { ...(await exportJWK(publicKey)), kid: 'weak', alg: 'RS256' },
  };
}

/** Signed by the issuer, whatever header and payload say. */
function signedText(header: string, payload: string): string {
  const input = `${part(header)}.${part(payload)}`;
  return `${input}.${createSign('sha256').update(input).sign(issuer.key.privateKey).toString('base64url')}`;
}
const headerText = (more: Header = {}) => JSON.stringify({ alg: 'RS256', kid: issuer.key.kid, typ: 'at+jwt', ...more });
const hmac = (secret: string, header: Header = {}) => {
  const input = `${part({ alg: 'HS256', typ: 'at+jwt', kid: issuer.key.kid, ...header })}.${part(issuer.claims())}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
};
const unsigned = (alg: string) => `${part({ alg, typ: 'at+jwt', kid: issuer.key.kid })}.${part(issuer.claims())}.`;
/** With a stranger's key. */
const forged = async (header: Header, alg = 'RS256') => {
  const stranger = await createKey(alg, 'stranger');
  return issuer.sign({}, header, stranger);
};
const idToken = (claims: Claims = {}, typ: string | undefined = 'JWT') => issuer.sign({ ...claims }, { typ });
const swapped = async (claims: Claims) => {
  const [header, , signature] = (await issuer.sign()).split('.');
  return `${header}.${part(issuer.claims(claims))}.${signature}`;
};

/** Each as the headers that carry it. */
const hostile: [name: string, token: () => string | Promise<string>][] = [
  ['alg none', () => new UnsecuredJWT(issuer.claims()).encode()],
  ['alg none with a signature', async () => unsigned('none') + (await issuer.sign()).split('.')[2]],
  ['alg None', () => unsigned('None')],
  ['alg nOnE', () => unsigned('nOnE')],
  ['HS256 with the public key as secret', () => hmac(pem())],
  ['HS256 with the public key without its last line', () => hmac(pem().trim())],
  ['HS256 with an empty secret', () => hmac('')],
  ['HS256 with the public JWK as secret', () => hmac(JSON.stringify(issuer.key.jwk))],
  ['no signature', async () => `${(await issuer.sign()).split('.').slice(0, 2).join('.')}.`],
  ['another claim under the same signature', () => swapped({ sub: 'admin' })],
  ['a signature cut short', async () => (await issuer.sign()).slice(0, -8)],
  ["a stranger's key", () => forged({})],
  ["a stranger's key under our kid", () => forged({ kid: issuer.key.kid })],
  [
    'an embedded jwk',
    async () => {
      const stranger = await createKey();
      return issuer.sign({}, { jwk: stranger.jwk, kid: undefined }, stranger);
    },
  ],
  ['jku', () => forged({ jku: `${issuer.url}/evil` })],
  ['x5u', () => forged({ x5u: `${issuer.url}/evil` })],
  ['x5c', () => forged({ x5c: [part('certificate')] })],
  ['kid as a path', () => forged({ kid: '../../../../dev/null' })],
  ['kid as SQL', () => forged({ kid: "' UNION SELECT 'key' --" })],
  ['kid as a URL', () => forged({ kid: `${issuer.url}/keys` })],
  ['kid as a number', () => forged({ kid: 1 })],
  ['no kid, with several keys that fit', () => issuer.sign({}, { kid: undefined })],
  ['unknown crit', () => signedText(headerText({ crit: ['exp'], exp: 1 }), JSON.stringify(issuer.claims()))],
  ['empty crit', () => signedText(headerText({ crit: [] }), JSON.stringify(issuer.claims()))],
  ['b64 false, critical', () => signedText(headerText({ b64: false, crit: ['b64'] }), JSON.stringify(issuer.claims()))],
  ['b64 false, not critical', () => signedText(headerText({ b64: false }), JSON.stringify(issuer.claims()))],
  ['exp past', () => issuer.sign({ exp: seconds() - 1 })],
  ['exp now', () => issuer.sign({ exp: seconds() })],
  ['exp absent', () => issuer.sign({ exp: undefined })],
  ['exp as text', () => issuer.sign({ exp: String(seconds() + 300) })],
  ['exp null', () => issuer.sign({ exp: null })],
  ['exp 1e308', () => issuer.sign({ exp: 1e308 })],
  [
    'exp beyond what a number holds',
    () => signedText(headerText(), JSON.stringify(issuer.claims()).replace(/"exp":\d+/, '"exp":1e999')),
  ],
  ['exp negative', () => issuer.sign({ exp: -1 })],
  ['nbf future', () => issuer.sign({ nbf: seconds() + 120 })],
  ['nbf as text', () => issuer.sign({ nbf: 'now' })],
  ['iat future', () => issuer.sign({ iat: seconds() + 120 })],
  ['iat as text', () => issuer.sign({ iat: 'now' })],
  ['wrong iss', () => issuer.sign({ iss: 'https://evil.example' })],
  ['iss with a trailing slash', () => issuer.sign({ iss: `${issuer.url}/` })],
  ['iss in another case', () => issuer.sign({ iss: issuer.url.toUpperCase() })],
  ['iss as a list', () => issuer.sign({ iss: [issuer.url] })],
  ['iss absent', () => issuer.sign({ iss: undefined })],
  ['wrong aud', () => issuer.sign({ aud: 'other' })],
  ['aud a prefix of ours', () => issuer.sign({ aud: 'slip' })],
  ['aud a list without us', () => issuer.sign({ aud: ['other', 'slipway2'] })],
  ['aud an object', () => issuer.sign({ aud: { slipway: true } })],
  ['aud absent', () => issuer.sign({ aud: undefined })],
  ['an ID token by at_hash', () => idToken({ azp: audience, at_hash: 'x', nonce: 'n' })],
  ['an ID token by nonce', () => idToken({ nonce: 'n', auth_time: seconds() })],
  ['an ID token for its own client', () => idToken({ azp: audience })],
  ['an ID token by its typ claim', () => idToken({ typ: 'ID', scope: 'openid' })],
  ['an ID token by its token_use', () => idToken({ token_use: 'id' })],
  ['a refresh token', () => idToken({ typ: 'Refresh', scope: 'openid' })],
  ['a logout token', () => issuer.sign({ events: {} }, { typ: 'logout+jwt' })],
  ['typ of another kind of token', () => issuer.sign({}, { typ: 'dpop+jwt' })],
  ['typ not a text', () => signedText(headerText({ typ: ['at+jwt'] }), JSON.stringify(issuer.claims()))],
  [
    'ES256 with r and s zero',
    () =>
      `${part({ alg: 'ES256', kid: 'ec', typ: 'at+jwt' })}.${part(issuer.claims())}.${Buffer.alloc(64).toString('base64url')}`,
  ],
  ['ES256 header over an RSA key', () => signedText(headerText({ alg: 'ES256' }), JSON.stringify(issuer.claims()))],
  [
    'a 1024-bit RSA key',
    async () => {
      const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
      const input = `${part({ alg: 'RS256', kid: 'weak', typ: 'at+jwt' })}.${part(issuer.claims())}`;
      return `${input}.${createSign('sha256').update(input).sign(weak.privateKey).toString('base64url')}`;
    },
  ],
  [
    'an algorithm that is not configured',
    () =>
      new SignJWT(issuer.claims())
        .setProtectedHeader({ alg: 'PS256', kid: issuer.key.kid, typ: 'at+jwt' })
        .sign(issuer.key.privateKey),
  ],
  [
    'a JWE',
    () =>
      new CompactEncrypt(Buffer.from(JSON.stringify(issuer.claims())))
        .setProtectedHeader({ alg: 'RSA-OAEP', enc: 'A256GCM', kid: issuer.key.kid })
        .encrypt(issuer.key.publicKey),
  ],
  ['five parts', async () => `${await issuer.sign()}.a.b`],
  ['two parts', async () => (await issuer.sign()).split('.').slice(0, 2).join('.')],
  ['not base64url', async () => `${await issuer.sign()}=`],
  ['a payload that is no object', () => signedText(headerText(), '["alice"]')],
  ['a payload that is not JSON', () => signedText(headerText(), 'alice')],
  ['duplicate claims', () => signedText(headerText(), JSON.stringify(issuer.claims()).replace('{', '{"sub":"admin",'))],
  [
    'duplicate claims, one escaped',
    () => signedText(headerText(), JSON.stringify(issuer.claims()).replace('{', '{"s\\u0075b":"admin",')),
  ],
  [
    'duplicate header members',
    () => signedText(headerText().replace('{', '{"alg":"none",'), JSON.stringify(issuer.claims())),
  ],
  ['sub absent', () => issuer.sign({ sub: undefined })],
  ['nothing', () => ''],
  ['words', () => 'let me in'],
];

/** Larger than all headers of a request may be. */
const oversized: typeof hostile = [
  ['64 KiB', () => issuer.sign({ padding: 'x'.repeat(65_536) })],
  ['17 KiB', () => issuer.sign({ padding: 'x'.repeat(13_000) })],
];

/** What a refusal must never repeat. */
const secrets = ['alice', 'admin', 'slipway', 'evil', 'other', 'sub', 'aud', 'exp', 'kid', 'RS256', 'signature', 'JWK'];

const refused = { status: 401, code: 'UNAUTHENTICATED', leaked: [], challenge: 'Bearer' };
function refusal({ status, code, text, headers }: HttpAnswer) {
  const leaked = secrets.filter((word) => text.includes(word));
  return { status, code, leaked, challenge: headers['www-authenticate'] };
}

describe('a token that is good', () => {
  test.each([
    ['RFC 9068', {}, {}],
    ['typ JWT with a scope', { scope: 'openid', azp: audience }, { typ: 'JWT' }],
    ["Keycloak's", { typ: 'Bearer', azp: 'console', nonce: 'n' }, { typ: 'JWT' }],
    ['for another client', { azp: 'console' }, { typ: 'JWT' }],
    ['without typ', {}, { typ: undefined }],
    ['for several audiences', { aud: ['account', audience] }, {}],
    ['of a clock a little ahead', { iat: seconds() + 3, nbf: seconds() + 3 }, {}],
  ])('%s signs in', async (_, claims, header) => {
    const { status, text } = await send(server.url, { headers: bearer(await issuer.sign(claims, header)) });
    expect([status, text]).toEqual([200, '{"data":{"viewer":{"name":"oidc:alice"}}}']);
  });

  test('signs in over WebSocket, by connectionParams or by the header of the upgrade', async () => {
    const token = `Bearer ${await issuer.sign()}`;
    for (const [payload, headers] of [
      [{ authorization: token }, {}],
      [{ Authorization: token }, {}],
      [undefined, { authorization: token }],
    ] as const) {
      const connection = await openSocket(server.url, payload, headers);
      expect((await connection.next()).type).toBe('connection_ack');
      connection.send({ id: '1', type: 'subscribe', payload: { query: '{ viewer { name } }' } });
      expect(await connection.next()).toEqual({
        id: '1',
        type: 'next',
        payload: { data: { viewer: { name: 'oidc:alice' } } },
      });
      connection.socket.close();
    }
  });
});

describe('a hostile token', () => {
  test.each(hostile)('%s: 401 over HTTP', async (_, make) => {
    expect(refusal(await send(server.url, { headers: bearer(await make()) }))).toEqual(refused);
  });

  test.each(oversized)('%s: 431 over HTTP', async (_, make) => {
    expect((await send(server.url, { headers: bearer(await make()) })).status).toBe(431);
  });

  test.each([...hostile, ...oversized])('%s: 4403 over WebSocket', async (_, make) => {
    const token = await make();
    const connection = await openSocket(server.url, { authorization: `Bearer ${token}` });
    // The socket takes 64 KiB at once: more ends it before anybody looks at the token.
    expect([4403, 1009]).toContain(await connection.closed);
  });

  test.each([
    ['two Authorization headers', (token: string) => [...bearer(token), ...bearer(token)]],
    ['two, the other one bad', (token: string) => [...bearer('a.b.c'), ...bearer(token)]],
    ['bearer twice', (token: string) => ['Authorization', `Bearer Bearer ${token}`]],
    ['two tokens in one header', (token: string) => ['Authorization', `Bearer ${token}, Bearer ${token}`]],
    ['another scheme', (token: string) => ['Authorization', `Basic ${token}`]],
    ['no scheme', (token: string) => ['Authorization', token]],
    ['a tab for the blank', (token: string) => ['Authorization', `Bearer\t${token}`]],
    ['a cookie', (token: string) => ['Cookie', `access_token=${token}; token=${token}`]],
    ['another header', (token: string) => ['X-Authorization', `Bearer ${token}`]],
    ['the header of a proxy', (token: string) => ['Proxy-Authorization', `Bearer ${token}`]],
    [
      "a user in a proxy's header",
      () => ['X-Remote-User', 'alice', 'X-Forwarded-User', 'alice', 'Impersonate-User', 'a'],
    ],
    ['nothing at all', () => []],
  ])('%s: 401', async (_, headers) => {
    expect(refusal(await send(server.url, { headers: headers(await issuer.sign()) }))).toEqual(refused);
  });

  test('a token in the query counts nowhere', async () => {
    const token = await issuer.sign();
    for (const name of ['access_token', 'authorization', 'token']) {
      const query = `${name}=${name === 'authorization' ? encodeURIComponent(`Bearer ${token}`) : token}`;
      expect(refusal(await send(server.url, { path: `/graphql?${query}` }))).toEqual(refused);
      const document = encodeURIComponent('{ viewer { name } }');
      expect(refusal(await send(server.url, { method: 'GET', path: `/graphql?query=${document}&${query}` }))).toEqual(
        refused,
      );
      const connection = await openSocket(server.url, undefined, {}, `/graphql?${query}`);
      expect(await connection.closed).toBe(4403);
    }
  });

  test.each([
    ['none', undefined],
    ['as a list', { authorization: ['Bearer a.b.c'] }],
    ['in two spellings', { authorization: 'Bearer', Authorization: 'Bearer' }],
    ['under another name', { token: 'Bearer' }],
    ['nested', { headers: { authorization: 'Bearer' } }],
  ])('over WebSocket, a token %s: 4403', async (_, payload) => {
    const token = await issuer.sign();
    const filled = payload && JSON.parse(JSON.stringify(payload).replaceAll('Bearer', `Bearer ${token}`));
    expect(await (await openSocket(server.url, filled)).closed).toBe(4403);
  });

  test('over WebSocket, a token in both places is none', async () => {
    const authorization = `Bearer ${await issuer.sign()}`;
    expect(await (await openSocket(server.url, { authorization }, { authorization })).closed).toBe(4403);
  });
});

describe('without a token', () => {
  test('only the probes answer', async () => {
    expect((await send(server.url, { method: 'GET', path: '/livez' })).status).toBe(200);
    expect((await send(server.url, { method: 'GET', path: '/readyz' })).status).toBe(200);
    for (const path of [
      '/',
      '/graphiql',
      '/graphql',
      '/graphql/',
      '/metrics',
      '/.env',
      '/livez/',
      '/readyz/x',
      '//livez',
    ]) {
      for (const method of ['GET', 'POST', 'OPTIONS', 'HEAD']) {
        expect([path, method, (await send(server.url, { method, path })).status]).toEqual([path, method, 401]);
      }
    }
  });

  test('a document is not even parsed, so nothing is learnt about the schema', async () => {
    for (const body of ['{ __schema { types { name } } }', '{ viewr { name } }', '{ viewer { ', 'mutation { a }']) {
      expect(refusal(await send(server.url, { body }))).toEqual(refused);
    }
  });

  test('nothing can be asked before the socket is signed in', async () => {
    const connection = await openSocket(server.url, {});
    connection.send({ id: '1', type: 'subscribe', payload: { query: '{ viewer { name } }' } });
    expect([4403, 4401]).toContain(await connection.closed);
  });
});
