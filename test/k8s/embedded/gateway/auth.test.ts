import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { collectClients, createApiKeyGuard } from '../../../../src/k8s/embedded/gateway/auth/api-key.ts';
import { createBasicGuard, parseHtpasswd } from '../../../../src/k8s/embedded/gateway/auth/basic.ts';
import type { Guard, Verdict } from '../../../../src/k8s/embedded/gateway/auth/guard.ts';
import { createKeySets } from '../../../../src/k8s/embedded/gateway/auth/jwks.ts';
import { createJwtGuard } from '../../../../src/k8s/embedded/gateway/auth/jwt.ts';
import type { HeaderLines } from '../../../../src/k8s/embedded/gateway/headers.ts';
import type { JwtProvider } from '../../../../src/k8s/resources.ts';

const ask = async (guard: Guard, headers: HeaderLines, query = ''): Promise<Verdict> =>
  guard({ headers, target: { path: '/', query }, uri: 'http://demo.services.localhost/"' });
const status = (verdict: Verdict) => ('refusal' in verdict ? verdict.refusal.status : 200);
const passed = (verdict: Verdict) => {
  if ('refusal' in verdict) throw new Error(verdict.refusal.message);
  return verdict.request;
};
const sha = (password: string) => `{SHA}${createHash('sha1').update(password).digest('base64')}`;
const basic = (user: string, password: string): HeaderLines => [
  ['authorization', `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`],
];

describe('htpasswd', () => {
  it.each([
    ['maria', "invalid htpasswd format: each line must be in the format 'username:password'"],
    ['maria:$apr1$x$y', 'unsupported htpasswd format: please use {SHA}'],
    ['maria:plain', 'unsupported htpasswd format: please use {SHA}'],
    ['maria:{SHA}***', 'invalid htpasswd format: {SHA} must be base64-encoded SHA1'],
    ['maria:{SHA}aGVsbG8=', 'invalid htpasswd format: {SHA} must be SHA1 (20 bytes)'],
    ['# comment', "invalid htpasswd format: each line must be in the format 'username:password'"],
    [`:${sha('x')}`, 'invalid htpasswd format: a line has no username'],
    [`a:${sha('x')}\na:${sha('y')}`, 'invalid htpasswd format: the username "a" occurs twice'],
    ['\n\n', 'invalid htpasswd format: there is no user'],
  ])('%j is refused', (text, message) => {
    expect(() => parseHtpasswd(text)).toThrow(message);
  });

  it('may have CRLF line ends and blanks around lines', () => {
    expect([...parseHtpasswd(`  a:${sha('x')} \r\n\r\nb:${sha('y')}\r\n`).keys()]).toEqual(['a', 'b']);
  });
});

describe('Basic', () => {
  const guard = createBasicGuard(parseHtpasswd(`maria:${sha('secret:with:colons')}\nempty:${sha('')}`), 'x-user');
  it.each<[string, HeaderLines, number]>([
    ['nothing', [], 401],
    ['the right password', basic('maria', 'secret:with:colons'), 200],
    ['a wrong password', basic('maria', 'secret'), 401],
    ['an unknown user', basic('nobody', 'secret:with:colons'), 401],
    ['an unknown user without a password', basic('nobody', ''), 401],
    ['another scheme', [['authorization', 'Bearer x']], 401],
    ['no colon', [['authorization', `Basic ${btoa('maria')}`]], 401],
    ['two lines', [...basic('maria', 'secret:with:colons'), ...basic('maria', 'x')], 401],
  ])('%s: %s', async (_, headers, expected) => {
    expect(status(await ask(guard, headers))).toBe(expected);
  });

  it('tells the backend who it is, whatever the client claims', async () => {
    const verdict = await ask(guard, [['X-User', 'admin'], ...basic('maria', 'secret:with:colons')]);
    expect(passed(verdict).headers.filter(([name]) => name.toLowerCase() === 'x-user')).toEqual([['x-user', 'maria']]);
  });

  it('challenges with an escaped realm', async () => {
    const verdict = await ask(guard, []);
    expect('refusal' in verdict && verdict.refusal.headers).toEqual([
      ['WWW-Authenticate', 'Basic realm="http://demo.services.localhost/%22"'],
    ]);
  });
});

describe('API key', () => {
  const clients = collectClients([{ lab: 'key-one', desk: 'key two' }, { lab: 'ignored' }]);
  const guard = createApiKeyGuard(clients, {
    credentialRefs: [],
    extractFrom: [{ headers: ['x-api-key'] }, { params: ['key'] }, { cookies: ['key'] }],
    sanitize: true,
    forwardClientIDHeader: 'x-client',
  });
  it.each<[string, HeaderLines, string, number]>([
    ['nothing', [], '', 401],
    ['the header', [['X-API-Key', 'key-one']], '', 200],
    ['a Bearer prefix', [['X-API-Key', 'Bearer key-one']], '', 200],
    ['a wrong key', [['X-API-Key', 'key-on']], '', 401],
    ['an empty key', [['X-API-Key', '']], '', 401],
    [
      'two keys',
      [
        ['X-API-Key', 'key-one'],
        ['x-api-key', 'key-one'],
      ],
      '',
      401,
    ],
    ['a parameter', [], '?key=key+two', 200],
    ['a cookie', [['Cookie', 'a=1; key="key two"']], '', 200],
    ['a wrong header before a right parameter', [['x-api-key', 'nope']], '?key=key-one', 401],
    ['the key of a second client of the same id', [['x-api-key', 'ignored']], '', 401],
  ])('%s: %s%s', async (_, headers, query, expected) => {
    expect(status(await ask(guard, headers, query))).toBe(expected);
  });

  it('keeps the key from the backend and names the client', async () => {
    const request = passed(
      await ask(
        guard,
        [
          ['x-api-key', 'key-one'],
          ['cookie', 'a=1; key=x'],
          ['X-Client', 'root'],
        ],
        '?a=1&key=2',
      ),
    );
    expect(request.headers).toEqual([
      ['cookie', 'a=1'],
      ['x-client', 'lab'],
    ]);
    expect(request.target.query).toBe('?a=1');
  });

  it('refuses credentials that could not work', () => {
    expect(() => collectClients([{ a: 'same' }, { b: 'same' }])).toThrow('duplicated API key');
    expect(() => collectClients([{ a: '' }])).toThrow('the API key of client "a" is empty');
    expect(() => collectClients([{}])).toThrow('there is no API key');
  });
});

describe('JWT', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  const clock = { now: () => now, after: () => () => {} };
  const seconds = now / 1000;
  let jwks = '';
  let privateKey: CryptoKey;
  let publicJwk: JWK;
  const provider = (more: Partial<JwtProvider> = {}): JwtProvider => ({
    name: 'default',
    issuer: 'https://login.example.org',
    audiences: ['weather'],
    claimToHeaders: [
      { claim: 'sub', header: 'x-user' },
      { claim: 'realm.role', header: 'x-role' },
      { claim: 'groups', header: 'x-groups' },
      { claim: 'bad', header: 'x-bad' },
    ],
    ...more,
  });
  const guardOf = (more: Partial<JwtProvider> = {}, optional = false) =>
    createJwtGuard([{ provider: provider(more), keys: createKeySets().local(jwks) }], optional, clock);
  const token = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
    new SignJWT({ iss: 'https://login.example.org', aud: 'weather', sub: 'maria', exp: seconds + 60, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'one', ...header })
      .sign(privateKey);
  const bearer = (text: string): HeaderLines => [['Authorization', `Bearer ${text}`]];

  beforeAll(async () => {
    const pair = await generateKeyPair('ES256', { extractable: true });
    const other = await generateKeyPair('ES256', { extractable: true });
    privateKey = pair.privateKey;
    publicJwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256' };
    jwks = JSON.stringify({ keys: [{ ...(await exportJWK(other.publicKey)), kid: 'two', alg: 'ES256' }, publicJwk] });
  });

  it('lets a good token through and hands its claims on, over what the client claims', async () => {
    const good = await token({ realm: { role: 'chief' }, groups: ['a'], bad: 'a\r\nb' });
    const request = passed(await ask(guardOf(), [...bearer(good), ['x-user', 'root'], ['X-Groups', 'root']]));
    expect(request.headers.slice(1)).toEqual([
      ['x-user', 'maria'],
      ['x-role', 'chief'],
    ]);
  });

  it('takes a token without a key id that one of several keys signed', async () => {
    expect(status(await ask(guardOf(), bearer(await token({}, { kid: undefined }))))).toBe(200);
  });

  it('takes the query parameter by default, and only the named sources otherwise', async () => {
    const good = await token();
    expect(status(await ask(guardOf(), [], `?access_token=${good}`))).toBe(200);
    const fromCookie = guardOf({ extractFrom: { cookies: ['session'] } });
    expect(status(await ask(fromCookie, [['cookie', `session=${good}`]]))).toBe(200);
    expect(status(await ask(fromCookie, bearer(good), `?access_token=${good}`))).toBe(401);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['expired', { exp: seconds - 61 }, 'Jwt is expired'],
    ['not yet valid', { nbf: seconds + 61 }, 'Jwt not yet valid'],
    ['of another issuer', { iss: 'https://login.example.org/' }, 'Jwt issuer is not configured'],
    ['for another audience', { aud: 'other' }, 'Audiences in Jwt are not allowed'],
    ['without an audience', { aud: undefined }, 'Audiences in Jwt are not allowed'],
  ])('refuses a token %s', async (_, claims, message) => {
    const verdict = await ask(guardOf(), bearer(await token(claims)));
    expect('refusal' in verdict && verdict.refusal).toMatchObject({ status: 401, message });
  });

  it('refuses what was not signed with a published key', async () => {
    const good = await token();
    const [head = '', body = '', signature = ''] = good.split('.');
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const signed = sign('sha256', Buffer.from(`${head}.${body}`), { key: stranger, dsaEncoding: 'ieee-p1363' });
    const secret = await new SignJWT({ sub: 'x' })
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .sign(Buffer.from(JSON.stringify(publicJwk)));
    const hostile = [
      '',
      'x',
      `${head}.${body}.`,
      `${head}.${body}.${signed.toString('base64url')}`,
      `${encode({ alg: 'none' })}.${body}.`,
      `${encode({ alg: 'ES256', kid: 'three' })}.${body}.${signature}`,
      `${head}.${encode({ sub: 'root' })}.${signature}`,
      `${encode({ alg: 'ES256', kid: 'one', crit: ['x'] })}.${body}.${signature}`,
      secret,
    ];
    for (const text of hostile) {
      const verdict = await ask(guardOf(), bearer(text));
      expect(status(verdict)).toBe(401);
      expect(JSON.stringify(verdict)).not.toContain(body);
    }
  });

  it('refuses every token when a second one in the request is bad', async () => {
    expect(status(await ask(guardOf(), [...bearer(await token()), ...bearer('x.y.z')]))).toBe(401);
  });

  it('says so when the token is missing, unless tokens are optional', async () => {
    const verdict = await ask(guardOf(), []);
    expect('refusal' in verdict && verdict.refusal).toMatchObject({ status: 401, message: 'Jwt is missing' });
    const spoofed = passed(await ask(guardOf({}, true), [['x-user', 'root']]));
    expect(spoofed.headers).toEqual([]);
    expect(status(await ask(guardOf({}, true), bearer('x.y.z')))).toBe(401);
  });

  it('is enough for one of several providers', async () => {
    const keys = createKeySets().local(jwks);
    const strict = { provider: provider({ name: 'other', issuer: 'https://other.example.org' }), keys };
    const guard = createJwtGuard([strict, { provider: provider(), keys }], false, clock);
    expect(status(await ask(guard, bearer(await token())))).toBe(200);
  });

  it.each([
    ['{', 'not JSON'],
    ['{"keys":[]}', 'has no keys'],
    ['{"keys":[{"kty":"oct","k":"AA"}]}', 'public keys only'],
    ['{"keys":[{"kty":"EC","d":"AA"}]}', 'private key'],
  ])('refuses the key set %s', (text, message) => {
    expect(() => createKeySets().local(text)).toThrow(message);
  });
});
