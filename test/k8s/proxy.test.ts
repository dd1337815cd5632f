import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseProxy } from '../../src/k8s/proxy.ts';
import { createTransport } from '../../src/k8s/transport.ts';
import { startWatching } from '../faults/watching.ts';
import { createAuthority } from './certificates.ts';
import { linesOf, ok, startHttpServer } from './http-world.ts';
import { type Way, authority, basic, behind, failure, open as openIn, served } from './proxied.ts';
import { startHttpProxy, startSocksProxy } from './proxies.ts';

const get = { method: 'GET', path: '/api/v1/pods' } as const;
let folder = '';
const open = (way: Way) => openIn(folder, way);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-proxy-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('an HTTP proxy', () => {
  test('gives a tunnel, in which both sides prove by certificates who they are, and sees nothing of it', async () => {
    await using proxy = await startHttpProxy();
    await using server = await behind(proxy, { requestCert: true });
    const { cert, key } = authority.forClient('alice');
    const base64 = (pem: string) => Buffer.from(pem).toString('base64');
    const user = { token: 'secret-token', 'client-certificate-data': base64(cert), 'client-key-data': base64(key) };
    const cluster = { 'proxy-url': `http://me:p%40ss@127.0.0.1:${proxy.port}` };
    await using transport = await open({ server: server.named, cluster, user });
    expect(await transport.json(get)).toEqual({ fine: true });
    expect(server.received).toMatchObject([{ client: 'alice', path: '/api/v1/pods' }]);
    expect(server.received.map((request) => linesOf(request, 'authorization'))).toEqual([['Bearer secret-token']]);
    expect(server.received.map((request) => linesOf(request, 'proxy-authorization'))).toEqual([[]]);
    expect(proxy.asked).toEqual(['CONNECT api.test:6443']);
    expect(proxy.credentials).toEqual([basic('me:p@ss')]);
    expect(proxy.passed()).not.toMatch(/secret-token|\/api\/v1/);
  });

  test('of which the server behind has a certificate of somebody else, or another name, is not spoken through', async () => {
    await using proxy = await startHttpProxy();
    await using stranger = await startHttpServer(ok({}), createAuthority().forServer(served));
    await using other = await startHttpServer(ok({}), authority.forServer({ names: ['other.test'] }));
    const cluster = { 'proxy-url': `http://127.0.0.1:${proxy.port}` };
    for (const server of [stranger, other]) {
      proxy.route('api.test:6443', server.url);
      await using transport = await open({ server: 'https://api.test:6443', cluster });
      const error = await failure(transport.json(get));
      expect(error).toMatchObject({ status: 0, reason: 'Unreachable' });
      expect(error.message).toContain('the API server can not be reached');
      expect(server.received).toEqual([]);
    }
    await using transport = await open({
      server: 'https://api.test:6443',
      cluster: { ...cluster, 'tls-server-name': 'other.test' },
    });
    expect(await transport.json(get)).toEqual({});
  });

  test('gives tunnels to one set of connections', async () => {
    await using proxy = await startHttpProxy();
    await using server = await behind(proxy);
    await using transport = await open({
      server: server.named,
      cluster: { 'proxy-url': `http://127.0.0.1:${proxy.port}` },
    });
    for (let count = 0; count < 50; count += 1) await transport.json(get);
    expect(server.received).toHaveLength(50);
    expect(proxy.asked.length).toBeLessThanOrEqual(2);
    expect(server.connections).toBe(proxy.asked.length);
  });

  test('passes on the requests to a server without TLS, with whole URLs', async () => {
    await using proxy = await startHttpProxy();
    await using server = await behind(proxy, { tls: false });
    const cluster = { 'proxy-url': `http://me:pass@127.0.0.1:${proxy.port}` };
    await using transport = await open({ server: `${server.named}/below`, cluster });
    expect(await transport.json({ ...get, query: { limit: 5 } })).toEqual({ fine: true });
    expect(proxy.asked).toEqual(['GET http://api.test:8080/below/api/v1/pods?limit=5']);
    expect(proxy.credentials).toEqual([basic('me:pass')]);
    expect(server.received).toMatchObject([{ path: '/below/api/v1/pods?limit=5' }]);
    expect(server.received.map((request) => linesOf(request, 'host'))).toEqual([['api.test:8080']]);
  });

  test('may be spoken to over TLS, with a certificate of the cluster', async () => {
    await using proxy = await startHttpProxy(authority.forServer());
    await using server = await behind(proxy);
    const cluster = { 'proxy-url': `https://me:pass@127.0.0.1:${proxy.port}` };
    await using transport = await open({ server: server.named, cluster });
    expect(await transport.json(get)).toEqual({ fine: true });
    expect(proxy.credentials).toEqual([basic('me:pass')]);
  });

  test.for([
    { what: 'somebody else', certificate: createAuthority().forServer(), code: /CERT|SIGNATURE/ },
    { what: 'another name', certificate: authority.forServer({ addresses: ['127.0.0.9'] }), code: /ALTNAME_INVALID/ },
  ])('with a certificate of $what gets no credentials', async ({ certificate, code }) => {
    await using proxy = await startHttpProxy(certificate);
    await using server = await behind(proxy);
    const cluster = { 'proxy-url': `https://me:pass@127.0.0.1:${proxy.port}` };
    await using transport = await open({ server: server.named, cluster });
    const { message } = await failure(transport.json(get));
    expect(message).toContain('the proxy on the way can not be reached');
    expect(message).toMatch(code);
    expect(proxy.asked).toEqual([]);
  });

  test('passes streams on as they come, until they end', async () => {
    for (const tls of [true, false]) {
      await using proxy = await startHttpProxy();
      const last = Promise.withResolvers<void>();
      await using server = await startHttpServer(
        (_, response) => {
          response.writeHead(200).write('first');
          void last.promise.then(() => response.end(' last'));
        },
        tls ? authority.forServer(served) : undefined,
      );
      proxy.route('api.test:6443', server.url);
      await using transport = await open({
        server: `${tls ? 'https' : 'http'}://api.test:6443`,
        cluster: { 'proxy-url': `http://127.0.0.1:${proxy.port}` },
      });
      const stream = await transport.stream(get);
      await once(stream, 'readable');
      last.resolve();
      expect(await text(stream)).toBe('first last');
    }
  });
});

describe('a SOCKS proxy', () => {
  test.for([
    { what: 'without credentials', account: undefined },
    { what: 'with credentials', account: { username: 'me', password: 'p@ss' } },
  ])('$what gives a tunnel to servers with and without TLS', async ({ account }) => {
    await using proxy = await startSocksProxy(account);
    await using secure = await behind(proxy);
    await using plain = await behind(proxy, { tls: false });
    const user = account ? 'me:p%40ss@' : '';
    for (const scheme of ['socks5', 'socks5h']) {
      const cluster = { 'proxy-url': `${scheme}://${user}127.0.0.1:${proxy.port}` };
      for (const server of [secure, plain]) {
        await using transport = await open({ server: server.named, cluster });
        expect(await transport.json(get)).toEqual({ fine: true });
      }
    }
    expect(proxy.asked.slice(0, 2)).toEqual(['CONNECT api.test:6443', 'CONNECT api.test:8080']);
    expect(new Set(proxy.credentials)).toEqual(new Set([account ? 'me:p@ss' : null]));
  });

  test('that refuses says so', async () => {
    await using proxy = await startSocksProxy({ username: 'me', password: 'right' });
    await using server = await behind(proxy);
    const at = (user: string) => ({ 'proxy-url': `socks5://${user}@127.0.0.1:${proxy.port}` });
    await using wrong = await open({ server: server.named, cluster: at('me:wrong') });
    expect((await failure(wrong.json(get))).message).toMatch(/the proxy .* refused .*UND_ERR_SOCKS5_AUTH_FAILED/);
    proxy.refuse(2);
    await using forbidden = await open({ server: server.named, cluster: at('me:right') });
    expect((await failure(forbidden.json(get))).message).toMatch(/the proxy .* refused .*UND_ERR_SOCKS5_REPLY_2/);
  });
});

describe('a proxy that fails', () => {
  test.for([
    { what: 'wants other credentials', status: 407, tls: true, says: 'wants other credentials (407)' },
    { what: 'wants other credentials of requests', status: 407, tls: false, says: 'wants other credentials (407)' },
    { what: 'forbids the server', status: 403, tls: true, says: 'does not connect to the server (403)' },
    { what: 'does not reach the server', status: 502, tls: true, says: 'does not connect to the server (502)' },
  ])('because it $what is named as what failed, without its secrets', async ({ status, tls, says }) => {
    await using proxy = await startHttpProxy();
    await using server = await behind(proxy, { tls });
    proxy.refuse(status);
    const cluster = { 'proxy-url': `http://me:secret-pass@127.0.0.1:${proxy.port}` };
    await using transport = await open({ server: server.named, cluster });
    const error = await failure(transport.json(get));
    expect(error).toMatchObject({ status: 0, reason: 'Unreachable' });
    expect(error.message).toBe(`the proxy on the way ${says}`);
    expect(server.received).toEqual([]);
    proxy.refuse(null);
    expect(await transport.json(get)).toEqual({ fine: true });
  });

  const at = (url: string, connectTimeoutMs = 5_000) =>
    createTransport({
      ...{ url: 'https://api.test:6443', connectTimeoutMs },
      proxy: parseProxy(url, 'the test') ?? undefined,
    });

  test.for([
    { scheme: 'http', start: startHttpProxy },
    { scheme: 'socks5', start: startSocksProxy },
  ])('because it never answers: $scheme', async ({ scheme, start }) => {
    await using proxy = await start();
    proxy.refuse(0);
    const transport = at(`${scheme}://127.0.0.1:${proxy.port}`, 50);
    const message = 'the proxy on the way did not answer in time';
    expect(await failure(transport.json(get))).toMatchObject({ reason: 'NoAnswerInTime', message });
    await transport.close();
  });

  test.for(['http', 'https', 'socks5'])('because nobody listens: %s', async (scheme) => {
    const proxy = await startHttpProxy();
    await proxy[Symbol.asyncDispose]();
    const transport = at(`${scheme}://me:secret-pass@127.0.0.1:${proxy.port}`);
    const error = await failure(transport.json(get));
    expect(error.message).toMatch(/^the proxy on the way can not be reached.*\(ECONNREFUSED\)$/);
    expect(JSON.stringify([error, error.cause, String(error.cause)])).not.toContain('secret-pass');
    await transport.close();
  });
});

describe('watches', () => {
  test.for([
    { way: 'through tunnels', tls: true },
    { way: 'passed on', tls: false },
  ])('of several namespaces, $way, lose nothing when the proxy ends them', async ({ tls }) => {
    await using proxy = await startHttpProxy();
    const path = join(folder, 'config');
    const ca = Buffer.from(authority.cert).toString('base64');
    await using watching = await startWatching({
      prepare: (api) => {
        api.put('a', 1, { namespace: 'lab' });
        api.put('b', 1, { namespace: 'prod' });
        api.put('c', 1, { namespace: 'other' });
        proxy.route('api.test:6443', api.url);
      },
      nameOf: () => `${tls ? 'https' : 'http'}://api.test:6443`,
      ...(tls && { api: { tls: authority.forServer(served) } }),
      namespaces: ['lab', 'prod'],
      connect: { mode: 'KUBECONFIG', kubeconfig: path },
      kubeconfig: {
        path,
        user: { token: 'secret-token' },
        cluster: { 'proxy-url': `http://127.0.0.1:${proxy.port}`, ...(tls && { 'certificate-authority-data': ca }) },
      },
    });
    const { api } = watching;
    await watching.cluster.synced();
    await watching.flow(() => api.openWatches().length === 2, 10_000);
    const before = proxy.asked.length;
    proxy.cut();
    api.put('d', 1, { namespace: 'lab' });
    api.remove('b', 'prod');
    await watching.flow(() => watching.names().join() === 'a,d' && api.openWatches().length === 2, 10_000);
    api.put('e', 1, { namespace: 'prod' });
    await watching.flow(() => watching.names().join() === 'a,d,e', 10_000);
    expect(watching.cluster.freshness.state).toBe('FRESH');
    const verbs = new Set(proxy.asked.map((line) => line.split(' ')[0]));
    expect([...verbs]).toEqual([tls ? 'CONNECT' : 'GET']);
    expect(proxy.asked.length).toBeGreaterThanOrEqual(before + 2);
  });
});
