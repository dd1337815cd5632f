import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BootError } from '../../src/boot-error.ts';
import { readInCluster } from '../../src/k8s/in-cluster.ts';
import { proxyFromEnvironment } from '../../src/k8s/proxy.ts';
import { createTransport } from '../../src/k8s/transport.ts';
import { linesOf, ok, startHttpServer } from './http-world.ts';
import { type Way, authority, basic, behind, open as openIn } from './proxied.ts';
import { startHttpProxy } from './proxies.ts';

const get = { method: 'GET', path: '/api/v1/pods' } as const;
let folder = '';
const open = (way: Way) => openIn(folder, way);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-proxy-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the environment', () => {
  const proxies = { HTTPS_PROXY: 'http://secure:1', HTTP_PROXY: 'http://plain:2' };
  const found = (server: string, environment: Record<string, string>) =>
    proxyFromEnvironment(server, environment)?.url ?? null;

  test.for<[environment: Record<string, string>, server: string, proxy: string | null]>([
    [proxies, 'https://api.test:6443', 'http://secure:1'],
    [proxies, 'http://api.test:8080', 'http://plain:2'],
    [{ https_proxy: 'https://small' }, 'https://api.test', 'https://small:443'],
    [{ http_proxy: 'socks5://small' }, 'http://api.test', 'socks5://small:1080'],
    [{ ...proxies, https_proxy: 'http://small:3' }, 'https://api.test', 'http://secure:1'],
    [{ HTTPS_PROXY: '', https_proxy: 'http://small:3' }, 'https://api.test', 'http://small:3'],
    [{ HTTPS_PROXY: 'proxy.test:3128' }, 'https://api.test', 'http://proxy.test:3128'],
    [{ HTTPS_PROXY: 'me:pass@[::1]:3128' }, 'https://api.test', 'http://[::1]:3128'],
    [{ HTTP_PROXY: 'http://plain:2', ALL_PROXY: 'http://all:4' }, 'https://api.test', null],
    [{}, 'https://api.test', null],
  ])('%j leads to %s by %s', ([environment, server, proxy]) => {
    expect(found(server, environment)).toBe(proxy);
  });

  test.for(['localhost', '127.0.0.1', '127.9.8.7', '[::1]', '[::ffff:127.0.0.1]'])(
    'never leads to this machine: %s',
    (host) => expect(found(`https://${host}:6443`, proxies)).toBeNull(),
  );

  test.for<[noProxy: string, server: string, exempt: boolean]>([
    ['*', 'https://api.test', true],
    ['a.test, *', 'https://api.test', true],
    ['api.test', 'https://api.test:6443', true],
    ['API.Test', 'https://api.test', true],
    ['test', 'https://api.test', true],
    ['pi.test', 'https://api.test', false],
    ['api.test', 'https://in.api.test', true],
    ['.api.test', 'https://api.test', false],
    ['.api.test', 'https://in.api.test', true],
    ['*.api.test', 'https://in.api.test', true],
    ['*.api.test', 'https://api.test', false],
    ['b\u00fccher.test', 'https://xn--bcher-kva.test', true],
    ['api.test:6443', 'https://api.test:6443', true],
    ['api.test:443', 'https://api.test', true],
    ['api.test:80', 'http://api.test', true],
    ['api.test:443', 'https://api.test:6443', false],
    ['x ,  api.test ,', 'https://api.test', true],
    ['', 'https://api.test', false],
    [' , :443', 'https://api.test', false],
    ['10.0.0.1', 'https://10.0.0.1:6443', true],
    ['10.0.0.1:6443', 'https://10.0.0.1:6443', true],
    ['10.0.0.1:443', 'https://10.0.0.1:6443', false],
    ['0.0.1', 'https://10.0.0.1', false],
    ['10.0.0.0/8', 'https://10.9.8.7', true],
    ['10.0.0.0/8', 'https://11.0.0.1', false],
    ['10.0.0.0/33', 'https://10.0.0.1', false],
    ['10.0.0.0/8', 'https://10.test', false],
    ['fd00::1', 'https://[fd00::1]', true],
    ['fd00:0::1', 'https://[fd00::1]', true],
    ['[fd00::1]:6443', 'https://[fd00::1]:6443', true],
    ['[fd00::1]:6443', 'https://[fd00::1]', false],
    ['fd00::/8', 'https://[fd12::1]', true],
    ['fd00::/8', 'https://10.0.0.1', false],
    ['10.0.0.0/8', 'https://[::ffff:10.0.0.1]', true],
    ['::/0', 'https://10.0.0.1', false],
    ['::/0', 'https://[fd00::1]', true],
  ])('with NO_PROXY %j: %s is exempt: %s', ([noProxy, server, exempt]) => {
    expect(found(server, { ...proxies, NO_PROXY: noProxy }) === null).toBe(exempt);
    expect(found(server, { ...proxies, no_proxy: noProxy }) === null).toBe(exempt);
  });

  test.for(['https', 'http'])('names the proxy of a kubeconfig without one, for %s', async (scheme) => {
    await using proxy = await startHttpProxy();
    await using server = await behind(proxy, { tls: scheme === 'https' });
    const name = scheme === 'https' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
    const environment = { [name]: `me:pass@127.0.0.1:${proxy.port}` };
    await using transport = await open({ server: server.named, environment });
    expect(await transport.json(get)).toEqual({ fine: true });
    expect(proxy.credentials).toEqual([basic('me:pass')]);
    expect(transport.proxy).toBe(`http://127.0.0.1:${proxy.port} (${name})`);
  });

  test('does not count for a cluster with a proxy of its own, not even its exceptions', async () => {
    await using proxy = await startHttpProxy();
    await using server = await startHttpServer(ok({ fine: true }));
    proxy.route(new URL(server.url).host, server.url);
    const environment = { HTTP_PROXY: 'http://127.0.0.1:1', NO_PROXY: '*' };
    const cluster = { 'proxy-url': `http://127.0.0.1:${proxy.port}` };
    await using transport = await open({ server: server.url, cluster, environment });
    expect(await transport.json(get)).toEqual({ fine: true });
    expect(proxy.asked).toHaveLength(1);
    expect(transport.proxy).toBe(`http://127.0.0.1:${proxy.port} (proxy-url of the kubeconfig)`);
  });

  test('of a Pod names the proxy to its API server, and what is reached without', async () => {
    await using proxy = await startHttpProxy();
    await using server = await behind(proxy);
    await writeFile(join(folder, 'token'), 'secret-token');
    await writeFile(join(folder, 'ca.crt'), authority.cert);
    await writeFile(join(folder, 'namespace'), 'lab');
    const environment = {
      ...{ KUBERNETES_SERVICE_HOST: 'api.test', KUBERNETES_SERVICE_PORT: '6443' },
      HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
    };
    const transport = createTransport(readInCluster({ environment, folder }));
    expect(await transport.json(get)).toEqual({ fine: true });
    await transport.close();
    expect(server.received.map((request) => linesOf(request, 'authorization'))).toEqual([['Bearer secret-token']]);
    expect(readInCluster({ environment: { ...environment, NO_PROXY: '.test' }, folder }).proxy).toBeUndefined();
  });
});

describe('what is no proxy', () => {
  const refusal = async (way: Way): Promise<string> => {
    const error: unknown = await open(way).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (error instanceof BootError) return error.message;
    throw new Error('it was not refused');
  };

  test.for(['ftp://me:secret-pass@a', 'a:1', 'http://', 'http://me:%ff-secret-pass@a', 'secret-pass'])(
    'in a kubeconfig is refused at the start and not quoted: %s',
    async (url) => {
      const message = await refusal({ server: 'https://api.test', cluster: { 'proxy-url': url } });
      expect(message).toMatch(/SLIPWAY_CLUSTER: The proxy-url of the cluster "test" .* Give an http, https or socks5/);
      expect(message).not.toContain('secret-pass');
    },
  );

  test.for(['ftp://me:secret-pass@a', 'http://', 'http://me:%ff-secret-pass@a', ':secret-pass'])(
    'in the environment is refused at the start and not quoted: %s',
    async (url) => {
      const message = await refusal({ server: 'https://api.test', environment: { https_proxy: url } });
      expect(message).toMatch(/server\.https_proxy: .* NO_PROXY/);
      expect(message).not.toContain('secret-pass');
    },
  );

  test('is no matter where it is not used', async () => {
    const environment = { HTTPS_PROXY: 'ftp://a', NO_PROXY: 'api.test' };
    await using transport = await open({ server: 'https://api.test', environment });
    expect(transport.proxy).toBeNull();
  });
});
