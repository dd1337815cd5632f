import { chmod, readFile, readdir, rm, stat, symlink, mkdir, writeFile } from 'node:fs/promises';
import { SignJWT, decodeJwt } from 'jose';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { createLog } from '../../src/log.ts';
import { createAuthority } from './certificates.ts';
import { startHttpServer } from './http-world.ts';
import { ask, base64, list, refusal, sent, useKubeconfigs } from './kubeconfig-world.ts';
import { type IdentityProviderOptions, startIdentityProvider } from './oidc-world.ts';
import { startHttpProxy } from './proxies.ts';

const authority = createAuthority();
const { clock, file, write, read } = useKubeconfigs();

const ends = { now: 0 };
/** A token of somebody's, as far as its end is concerned. */
const idToken = (seconds: number) =>
  new SignJWT({ n: (ends.now += 1) })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(Math.floor(clock.now() / 1000) + seconds)
    .sign(new Uint8Array(32));

/** A provider, an API server and a kubeconfig of somebody who has signed in. */
async function createWorld(options: Partial<IdentityProviderOptions> = {}, config: Record<string, unknown> = {}) {
  const provider = await startIdentityProvider({ authority, ...options });
  const server = await startHttpServer(list);
  const values = {
    ...{ 'idp-issuer-url': provider.issuer, 'client-id': provider.clientId, 'client-secret': provider.secret },
    ...{ 'idp-certificate-authority-data': base64(authority.cert), 'refresh-token': await provider.signIn() },
    ...config,
  };
  const user = { 'auth-provider': { name: 'oidc', config: values } };
  // The provider's clock can't be moved.
  clock.set(Date.now());
  const kubeconfig = await write('config', { server: server.url, user });
  return {
    ...{ provider, server, kubeconfig, user },
    /** What the file has of the user now. */
    async filed(): Promise<Record<string, string>> {
      const { users } = parse(await readFile(kubeconfig, 'utf8')) as { users: { user: typeof user }[] };
      return users[0]?.user['auth-provider'].config as Record<string, string>;
    },
    async [Symbol.asyncDispose]() {
      await provider[Symbol.asyncDispose]();
      await server.close();
    },
  };
}

const tokensOf = (server: Parameters<typeof sent>[0]) => sent(server).map((line) => line.replace(/^Bearer /, ''));

describe('a user of an OpenID Connect provider', () => {
  test('is known by the ID token of the kubeconfig while it is valid', async () => {
    await using world = await createWorld();
    const token = await idToken(300);
    world.user['auth-provider'].config = { ...world.user['auth-provider'].config, 'id-token': token } as never;
    const endpoint = read(await write('config', { server: world.server.url, user: world.user }));
    await ask(endpoint);
    clock.advance(289_000);
    await ask(endpoint);
    expect(tokensOf(world.server)).toEqual([token, token]);
    expect(world.provider.requests).toEqual([]);
  });

  test.for(['client_secret_basic', 'client_secret_post', 'none'] as const)(
    'gets a new ID token from the provider when the old one expires (%s), and the file has it then',
    async (method) => {
      await using world = await createWorld({ method }, method === 'none' ? { 'client-secret': undefined } : {});
      const { provider, server } = world;
      const first = await world.filed();
      const endpoint = read(world.kubeconfig);
      await Promise.all([ask(endpoint), ask(endpoint), ask(endpoint)]);
      const [token = ''] = tokensOf(server);
      expect(new Set(tokensOf(server)).size).toBe(1);
      expect(decodeJwt(token)).toMatchObject({ iss: provider.issuer, aud: 'kubernetes', sub: 'alice' });
      const second = await world.filed();
      expect(second).toMatchObject({ ...first, 'id-token': token, 'refresh-token': expect.any(String) });
      expect(second['refresh-token']).not.toBe(first['refresh-token']);

      provider.lasting(900);
      // By the provider's clock it was given later than by ours.
      clock.advance((decodeJwt(token).exp ?? 0) * 1000 - 9_000 - clock.now());
      await ask(endpoint);
      const next = tokensOf(server).at(-1) ?? '';
      expect(next).not.toBe(token);
      expect(await world.filed()).toMatchObject({ 'id-token': next });
      const asked = provider.refreshes();
      await ask(endpoint);
      // As after a restart.
      await ask(read(world.kubeconfig));
      expect(tokensOf(server).slice(-2)).toEqual([next, next]);
      expect(provider.refreshes()).toBe(asked);
    },
  );

  test('whose token the server refuses gets a new one, but not again and again', async () => {
    await using world = await createWorld({}, { 'id-token': await idToken(300) });
    const { provider, server } = world;
    await using strict = await startHttpServer((_, response) => void response.writeHead(401).end());
    const endpoint = { ...read(world.kubeconfig), url: strict.url };
    for (let count = 0; count < 4; count += 1) await expect(ask(endpoint)).rejects.toMatchObject({ status: 401 });
    const [first, second, ...others] = tokensOf(strict);
    expect(second).not.toBe(first);
    expect(others).toEqual([second, second]);
    expect(provider.refreshes()).toBe(1);
    await ask({ ...endpoint, url: server.url });
    expect(tokensOf(server)).toEqual([second]);
  });
});

describe('the kubeconfig', () => {
  test('keeps all else that is in it, its mode, and where it really is', async () => {
    await using world = await createWorld();
    await mkdir(file('elsewhere'));
    const text = await readFile(world.kubeconfig, 'utf8');
    const yaml = `# mine\n${stringify(parse(text)).replace('users:', '# wér\nusers:')}`;
    await writeFile(file('elsewhere', 'real'), yaml);
    await chmod(file('elsewhere', 'real'), 0o604);
    await rm(world.kubeconfig);
    await symlink(file('elsewhere', 'real'), world.kubeconfig);
    await ask(read(world.kubeconfig));
    const filed = await world.filed();
    const was = (parse(yaml) as { users: [{ user: typeof world.user }] }).users[0].user['auth-provider'].config;
    const pattern = /^ *id-token: .*\n/m;
    const now = await readFile(file('elsewhere', 'real'), 'utf8');
    expect(now.replace(pattern, '').replace(`"${filed['refresh-token']}"`, was['refresh-token'])).toBe(yaml);
    expect((await stat(file('elsewhere', 'real'))).mode & 0o777).toBe(0o604);
    expect(await readdir(file('elsewhere'))).toEqual(['real']);
    expect((await readdir(file())).toSorted()).toEqual(['config', 'elsewhere']);
  });

  test('that somebody else has locked is written later, and the sign-in counts meanwhile', async () => {
    await using world = await createWorld();
    const first = await world.filed();
    await writeFile(`${world.kubeconfig}.lock`, '');
    const endpoint = read(world.kubeconfig);
    await ask(endpoint);
    expect(await world.filed()).toEqual(first);
    clock.advance(11_000);
    await ask(endpoint);
    expect(await world.filed()).toEqual(first);
    await rm(`${world.kubeconfig}.lock`);
    await ask(endpoint);
    expect(await world.filed()).toEqual(first);
    clock.advance(11_000);
    await ask(endpoint);
    expect(await world.filed()).toMatchObject({ 'id-token': tokensOf(world.server)[0] });
    expect(world.provider.refreshes()).toBe(1);
  });

  test('that can not be written: the tokens are kept in memory, renewed there, and the log tells it without them', async () => {
    await using world = await createWorld();
    const first = await world.filed();
    const lines: string[] = [];
    const log = createLog('info', { write: (line) => void lines.push(line) });
    const endpoint = read(world.kubeconfig, { log });
    // Who runs the tests may be root, who can write everything that is there.
    await rm(world.kubeconfig);
    await ask(endpoint);
    clock.advance(301_000);
    await ask(endpoint);
    const [one, two] = tokensOf(world.server);
    expect(two).not.toBe(one);
    expect(world.provider.refreshes()).toBe(2);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('it is kept in memory');
    for (const secret of [one, two, first['refresh-token'], world.provider.secret]) {
      expect(lines.join()).not.toContain(secret);
    }
  });

  test('in which another program has put newer tokens is read again', async () => {
    await using world = await createWorld();
    const endpoint = read(world.kubeconfig);
    await ask(endpoint);
    const { provider, server } = world;
    const config = world.user['auth-provider'].config;
    const put = async (values: Record<string, string>) => {
      const user = { 'auth-provider': { name: 'oidc', config: { ...config, ...values } } };
      await write('config', { server: server.url, user });
    };
    // It has refreshed itself: our refresh token is good for nothing any more.
    clock.advance(301_000);
    const theirs = await idToken(300);
    await put({ 'id-token': theirs, 'refresh-token': await provider.signIn() });
    await ask(endpoint);
    expect(tokensOf(server).at(-1)).toBe(theirs);
    expect(provider.refreshes()).toBe(1);
    // Somebody has signed in anew.
    clock.advance(301_000);
    await put({ 'id-token': 'nonsense', 'refresh-token': await provider.signIn() });
    await ask(endpoint);
    expect(provider.refreshes()).toBe(2);
    expect(decodeJwt(tokensOf(server).at(-1) ?? '').sub).toBe('alice');
  });

  test('in which another program puts new tokens while we ask with the old ones', async () => {
    await using world = await createWorld();
    const theirs = await idToken(300);
    world.provider.answerWith((request, response) => {
      if (request.url !== '/token') return false;
      const { config } = world.user['auth-provider'];
      const values = { ...config, 'id-token': theirs, 'refresh-token': 'theirs' };
      const user = { 'auth-provider': { name: 'oidc', config: values } };
      void write('config', { server: world.server.url, user }).then(() => {
        response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}');
      });
      return true;
    });
    await ask(read(world.kubeconfig));
    expect(tokensOf(world.server)).toEqual([theirs]);
    expect(world.provider.refreshes()).toBe(1);
  });
});

describe('a provider that does not renew a sign-in', () => {
  const json = (status: number, body: unknown) => (path: string) =>
    [path, status, typeof body === 'string' ? body : JSON.stringify(body)] as const;
  test.for<{
    what: string;
    answer: readonly [path: string, status: number, body: string];
    status: number;
    says: string;
  }>([
    {
      what: 'because it is over',
      answer: json(400, { error: 'invalid_grant', error_description: 'secret-token' })('/token'),
      ...{
        status: 401,
        says: 'the identity provider of the user "u" does not renew the sign-in (invalid_grant): sign in again',
      },
    },
    {
      what: 'to this client',
      answer: json(401, { error: 'invalid_client' })('/token'),
      status: 401,
      says: '(invalid_client)',
    },
    {
      what: 'and says it in odd words',
      answer: json(400, { error: 'secret token!' })('/token'),
      status: 401,
      says: '(400)',
    },
    { what: 'because it is out of order', answer: json(503, '<html>secret-token')('/token'), status: 0, says: '(503)' },
    {
      what: 'with an ID token',
      answer: json(200, { access_token: 'secret-token' })('/token'),
      status: 401,
      says: 'without an ID token',
    },
    {
      what: 'since it has no configuration',
      answer: json(404, 'secret-token')('/.well-known/openid-configuration'),
      ...{ status: 0, says: 'the configuration of the identity provider of the user "u" can not be read (404)' },
    },
    {
      what: 'over https',
      answer: json(200, { token_endpoint: 'http://127.0.0.1:1/token' })('/.well-known/openid-configuration'),
      ...{ status: 0, says: 'names no https address for tokens' },
    },
  ])('$what is the reason of the request, without secrets; and it is asked again', async ({ answer, status, says }) => {
    await using world = await createWorld();
    const [path, code, body] = answer;
    world.provider.answerWith((request, response) => {
      if (request.url !== path) return false;
      response.writeHead(code, { 'content-type': 'application/json' }).end(body);
      return true;
    });
    const endpoint = read(world.kubeconfig);
    const message = expect.stringContaining(says);
    await expect(ask(endpoint)).rejects.toMatchObject({ status, message });
    const asked = world.provider.requests.length;
    const again: unknown = await ask(endpoint).catch((error: unknown) => error);
    expect(again).toMatchObject({ status, message });
    expect(String(again)).not.toMatch(/secret.token/);
    expect(world.provider.requests).toHaveLength(asked);
    expect(world.server.received).toEqual([]);
    world.provider.answerWith(() => false);
    clock.advance(2_000);
    await ask(endpoint);
    expect(world.server.received).toHaveLength(1);
  });

  test('since it can not be reached, or is somebody else', async () => {
    await using world = await createWorld({}, { 'idp-certificate-authority-data': base64(createAuthority().cert) });
    const reason = 'the identity provider of the user "u" can not be reached';
    const message = expect.stringContaining(reason);
    await expect(ask(read(world.kubeconfig))).rejects.toMatchObject({ status: 0, reason: 'Unreachable', message });
    expect(world.provider.requests).toEqual([]);
    await world.provider[Symbol.asyncDispose]();
    const gone = expect.stringContaining(`${reason} (ECONNREFUSED)`);
    await expect(ask(read(world.kubeconfig))).rejects.toMatchObject({ status: 0, message: gone });
    await expect(ask(read(world.kubeconfig))).rejects.toMatchObject({ message: gone });
  });

  test('is reached through the proxy of the environment, and not that of the cluster', async () => {
    await using world = await createWorld();
    await using proxy = await startHttpProxy();
    await using own = await startHttpProxy();
    const { config } = world.user['auth-provider'];
    const user = { 'auth-provider': { name: 'oidc', config: { ...config, 'idp-issuer-url': 'https://idp.test' } } };
    proxy.route('idp.test:443', world.provider.issuer);
    own.route(new URL(world.server.url).host, world.server.url);
    const cluster = { 'proxy-url': `http://127.0.0.1:${own.port}` };
    const kubeconfig = await write('config', { server: world.server.url, user, cluster });
    const environment = { HTTPS_PROXY: `http://me:secret-pass@127.0.0.1:${proxy.port}` };
    const endpoint = read(kubeconfig, { environment });
    proxy.refuse(502);
    const message = expect.stringContaining('the proxy on the way does not connect to the server (502)');
    await expect(ask(endpoint)).rejects.toMatchObject({ message });
    proxy.refuse(null);
    clock.advance(2_000);
    world.provider.answerWith((request) => {
      // Behind a proxy it has another name.
      request.headers.host = 'idp.test';
      return false;
    });
    proxy.route('idp.test:443', world.provider.issuer);
    await ask(endpoint);
    expect(world.server.received).toHaveLength(1);
    expect(proxy.asked.every((line) => line.startsWith('CONNECT idp.test:443'))).toBe(true);
    expect(own.asked).toHaveLength(1);
  });
});

describe('an auth-provider that can not work', () => {
  const oidc = { 'idp-issuer-url': 'https://idp.test', 'client-id': 'a', 'refresh-token': 'secret-token' };
  test.for<[what: string, provider: unknown, says: string]>([
    ['gcp', { name: 'gcp' }, 'exec (gke-gcloud-auth-plugin)'],
    ['azure', { name: 'azure', config: {} }, 'exec (kubelogin of Azure)'],
    ['of another name', { name: 'x' }, 'the auth-provider "x", which Kubernetes has given up'],
    ['without a configuration', { name: 'oidc' }, 'no idp-issuer-url with https'],
    [
      'http',
      { name: 'oidc', config: { ...oidc, 'idp-issuer-url': 'http://127.0.0.1' } },
      'no idp-issuer-url with https',
    ],
    ['without a client', { name: 'oidc', config: { ...oidc, 'client-id': '' } }, 'no client-id'],
    [
      'signed out',
      { name: 'oidc', config: { ...oidc, 'refresh-token': '' } },
      'neither an id-token that is still valid',
    ],
    ['an authority', { name: 'oidc', config: { ...oidc, 'idp-certificate-authority': 'no.crt' } }, 'no.crt'],
  ])('is refused at the start: %s', async ([, provider, says]) => {
    const kubeconfig = await write('config', { user: { 'auth-provider': provider } });
    const message = refusal(() => read(kubeconfig));
    expect(message).toContain(says);
    expect(message).not.toContain('secret-token');
  });

  test('such as one with an ID token that has expired', async () => {
    const config = { ...oidc, 'refresh-token': '', 'id-token': await idToken(9) };
    const kubeconfig = await write('config', { user: { 'auth-provider': { name: 'oidc', config } } });
    expect(refusal(() => read(kubeconfig))).toContain('Sign in again');
  });
});
