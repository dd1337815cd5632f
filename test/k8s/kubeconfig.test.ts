import { mkdir, rm, writeFile } from 'node:fs/promises';
import { delimiter } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createKubeClient } from '../../src/k8s/client.ts';
import { readInCluster } from '../../src/k8s/in-cluster.ts';
import { pods } from '../../src/k8s/resources.ts';
import { createTransport } from '../../src/k8s/transport.ts';
import { createAuthority } from './certificates.ts';
import { linesOf, startHttpServer } from './http-world.ts';
import { type Parts, ask, base64, list, refusal, useKubeconfigs } from './kubeconfig-world.ts';

const { file, write, read } = useKubeconfigs();

describe('certificates', () => {
  test.for(['inline', 'as files, relative to the kubeconfig'])(
    'of the authority and of the client, %s',
    async (how) => {
      const authority = createAuthority();
      const { cert, key } = authority.forClient('alice');
      await using server = await startHttpServer(list, {
        ...authority.forServer(),
        ...{ ca: authority.cert, requestCert: true, rejectUnauthorized: true },
      });
      await mkdir(file('pki'));
      await writeFile(file('pki', 'ca.crt'), authority.cert);
      await writeFile(file('pki', 'client.crt'), cert);
      await writeFile(file('pki', 'client.key'), key);
      const inline = how === 'inline';
      const kubeconfig = await write('config', {
        server: server.url,
        cluster: inline
          ? { 'certificate-authority-data': base64(authority.cert) }
          : { 'certificate-authority': 'pki/ca.crt' },
        user: inline
          ? { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) }
          : { 'client-certificate': 'pki/client.crt', 'client-key': 'pki/client.key' },
      });
      await ask(read(kubeconfig));
      expect(server.received).toMatchObject([{ client: 'alice' }]);
      expect(server.received[0] && linesOf(server.received[0], 'authorization')).toEqual([]);
    },
  );

  test('a server with a certificate of somebody else is not talked to', async () => {
    await using server = await startHttpServer(list, createAuthority().forServer());
    const kubeconfig = await write('config', {
      server: server.url,
      cluster: { 'certificate-authority-data': base64(createAuthority().cert) },
      user: { token: 'secret' },
    });
    await expect(ask(read(kubeconfig))).rejects.toMatchObject({ status: 0, reason: 'Unreachable' });
    await expect(ask(read(await write('system', { server: server.url })))).rejects.toMatchObject({ status: 0 });
    expect(server.received).toEqual([]);
  });

  test('a server whose certificate has another name is not talked to, unless tls-server-name says it', async () => {
    const authority = createAuthority();
    const ca = { 'certificate-authority-data': base64(authority.cert) };
    await using server = await startHttpServer(
      list,
      authority.forServer({ names: ['kubernetes'], addresses: ['10.0.0.1'] }),
    );
    const { url } = server;
    await expect(ask(read(await write('a', { server: url, cluster: ca })))).rejects.toMatchObject({ status: 0 });
    await ask(read(await write('b', { server: url, cluster: { ...ca, 'tls-server-name': 'kubernetes' } })));
    expect(server.received).toHaveLength(1);
  });

  test('that are renewed are used for the next connection, without a restart', async () => {
    const [old, renewed] = [createAuthority('old'), createAuthority('new')];
    const requires = (ca: string) => ({ ca, requestCert: true, rejectUnauthorized: true });
    await using server = await startHttpServer(list, { ...old.forServer(), ...requires(old.cert) });
    const renew = async (authority: typeof old, name: string) => {
      const { cert, key } = authority.forClient(name);
      await writeFile(file('ca.crt'), authority.cert);
      await writeFile(file('client.crt'), cert);
      await writeFile(file('client.key'), key);
    };
    await renew(old, 'alice');
    const endpoint = read(
      await write('config', {
        server: server.url,
        cluster: { 'certificate-authority': 'ca.crt' },
        user: { 'client-certificate': 'client.crt', 'client-key': 'client.key' },
      }),
    );
    const transport = createTransport({ url: endpoint.url, tls: endpoint.tls });
    const client = createKubeClient(transport);
    await client.list(pods);
    await server.renew({ ...renewed.forServer(), ...requires(renewed.cert) });
    await expect(client.list(pods)).rejects.toMatchObject({ status: 0 });
    await renew(renewed, 'alice-2');
    await client.list(pods);
    expect(server.received.map((request) => request.client)).toEqual(['alice', 'alice-2']);
    await transport.close();
  });

  test('of a client in files are renewed in time, however busy the connections are, and no request fails', async () => {
    const authority = createAuthority();
    await using server = await startHttpServer(list, {
      ...authority.forServer(),
      ...{ ca: authority.cert, requestCert: true, rejectUnauthorized: true },
    });
    const renew = async (name: string) => {
      const { cert, key } = authority.forClient(name);
      await writeFile(file('client.crt'), cert);
      await writeFile(file('client.key'), key);
    };
    await renew('alice');
    const cluster = { 'certificate-authority-data': base64(authority.cert) };
    const user = { 'client-certificate': 'client.crt', 'client-key': 'client.key' };
    const transport = createTransport(read(await write('config', { server: server.url, cluster, user })));
    const client = createKubeClient(transport);
    // As undici knows it.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    onTestFinished(() => void vi.useRealTimers());
    const ask = async () => {
      await client.list(pods);
      // The connection is given back to the pool.
      await setImmediate();
    };
    await ask();
    await renew('alice-2');
    await ask();
    vi.setSystemTime(Date.now() + 300_001);
    await ask();
    await ask();
    await transport.close();
    expect(server.received.map((request) => request.client)).toEqual(['alice', 'alice', 'alice-2', 'alice-2']);
    expect(server.connections).toBe(2);
  });

  test('of a client that is refused is looked for again, on another connection', async () => {
    const authority = createAuthority();
    await using server = await startHttpServer(
      (request, response) => {
        if (request.client === 'alice' && server.received.length > 1) response.writeHead(401).end();
        else list(request, response);
      },
      { ...authority.forServer(), ...{ ca: authority.cert, requestCert: true, rejectUnauthorized: true } },
    );
    const renew = async (name: string) => {
      const { cert, key } = authority.forClient(name);
      await writeFile(file('client.crt'), cert);
      await writeFile(file('client.key'), key);
    };
    await renew('alice');
    const cluster = { 'certificate-authority-data': base64(authority.cert) };
    const user = { 'client-certificate': 'client.crt', 'client-key': 'client.key' };
    const { url, tls } = read(await write('config', { server: server.url, cluster, user }));
    const transport = createTransport({ url, tls });
    const client = createKubeClient(transport);
    await client.list(pods);
    await renew('alice-2');
    await expect(client.list(pods)).rejects.toMatchObject({ status: 401 });
    await client.list(pods);
    expect(server.received.map((request) => request.client)).toEqual(['alice', 'alice', 'alice-2']);
    await transport.close();
  });

  test('that are none, or gone, are an error of the request, not of the process', async () => {
    await writeFile(file('ca.crt'), 'nonsense');
    const kubeconfig = await write('config', { cluster: { 'certificate-authority': 'ca.crt' } });
    const endpoint = read(kubeconfig);
    await expect(ask(endpoint)).rejects.toMatchObject({ status: 0, reason: 'Unreachable' });
    await rm(file('ca.crt'));
    await expect(ask(endpoint)).rejects.toMatchObject({ status: 0, reason: 'Unreachable' });
  });
});

describe('credentials', () => {
  test.for([
    { what: 'a token', user: { token: 'abc' }, header: ['Bearer abc'] },
    { what: 'name and password', user: { username: 'a', password: 'ü:b' }, header: [`Basic ${base64('a:ü:b')}`] },
    { what: 'nothing', user: {}, header: [] },
  ])('$what', async ({ user, header }) => {
    await using server = await startHttpServer(list);
    await ask(read(await write('config', { server: server.url, user })));
    expect(server.received.flatMap((request) => linesOf(request, 'authorization'))).toEqual(header);
  });

  test('a token file is read for each request, and wins over a token', async () => {
    await using server = await startHttpServer(list);
    await writeFile(file('token'), 'one\n');
    const endpoint = read(await write('config', { server: server.url, user: { tokenFile: 'token', token: 'fixed' } }));
    await ask(endpoint);
    await writeFile(file('token'), 'two');
    await ask(endpoint);
    await rm(file('token'));
    await expect(ask(endpoint)).rejects.toMatchObject({ status: 401 });
    const sent = server.received.flatMap((request) => linesOf(request, 'authorization'));
    expect(sent).toEqual(['Bearer one', 'Bearer two']);
  });
});

describe('which cluster', () => {
  test('the current context, or the one asked for, with its namespace', async () => {
    const kubeconfig = await write('config', { context: { namespace: 'lab' }, user: { token: 'abc' } });
    expect(read(kubeconfig)).toMatchObject({ url: 'https://127.0.0.1:1', namespace: 'lab' });
    const other = read(kubeconfig, { context: 'two' });
    expect(other.namespace).toBeUndefined();
    expect(other.credentials).toBeUndefined();
  });

  test('of several files the first that says a thing wins, and each finds its own files', async () => {
    const authority = createAuthority();
    await using server = await startHttpServer(list, authority.forServer());
    await mkdir(file('clusters'));
    await writeFile(file('clusters', 'ca.crt'), authority.cert);
    const contexts = { 'current-context': 'mine', contexts: [{ name: 'mine', context: { cluster: 'c', user: 'me' } }] };
    await writeFile(
      file('contexts'),
      JSON.stringify({ ...contexts, users: [{ name: 'me', user: { token: 'first' } }] }),
    );
    const cluster = { server: server.url, 'certificate-authority': 'ca.crt' };
    const rest = { 'current-context': 'other', users: [{ name: 'me', user: { token: 'second' } }] };
    await writeFile(file('clusters', 'config'), JSON.stringify({ ...rest, clusters: [{ name: 'c', cluster }] }));
    await ask(read([file('contexts'), file('clusters', 'config')].join(delimiter)));
    expect(server.received.flatMap((request) => linesOf(request, 'authorization'))).toEqual(['Bearer first']);
  });

  test.for<{ what: string; parts?: Parts; context?: string; says: string }>([
    { what: 'an unknown context', context: 'three', says: 'no context "three". It has: one, two.' },
    { what: 'an unknown cluster', parts: { context: { cluster: 'x' } }, says: 'no cluster "x"' },
    { what: 'an unknown user', parts: { context: { user: 'x' } }, says: 'no user "x"' },
    { what: 'a server that is no URL', parts: { server: 'here' }, says: 'no valid server URL' },
    { what: 'a server of another scheme', parts: { server: 'ftp://a' }, says: 'no valid server URL' },
    {
      what: 'no check of certificates',
      parts: { cluster: { 'insecure-skip-tls-verify': true } },
      says: 'turns off the check',
    },
    {
      what: 'an authority that is not there',
      parts: { cluster: { 'certificate-authority': 'no.crt' } },
      says: 'no.crt',
    },
    {
      what: 'a way to sign in that is gone',
      parts: { user: { 'auth-provider': { name: 'gcp' } } },
      says: 'auth-provider',
    },
  ])('$what is refused at the start', async ({ parts, context, says }) => {
    const kubeconfig = await write('config', parts);
    expect(refusal(() => read(kubeconfig, { context }))).toContain(says);
  });

  test('a file that is not there, is empty, or is no YAML is refused, and not quoted', async () => {
    expect(refusal(() => read(file('none')))).toContain('does not exist');
    await writeFile(file('empty'), '');
    expect(refusal(() => read(file('empty')))).toContain('is empty');
    await writeFile(file('broken'), 'users: [{ token: "secret');
    expect(refusal(() => read(file('broken')))).toMatch(/^(?!.*secret).*can not be read/);
    await writeFile(file('nothing'), '{}');
    expect(refusal(() => read(file('nothing')))).toContain('no current context');
  });
});

describe('in a Pod', () => {
  test('address from the environment, authority, token and namespace from the mounted files, renewed ones too', async () => {
    const [old, renewed] = [createAuthority('old'), createAuthority('new')];
    await using server = await startHttpServer(list, old.forServer());
    await writeFile(file('ca.crt'), old.cert);
    await writeFile(file('token'), 'one');
    await writeFile(file('namespace'), 'mine\n');
    const { port } = new URL(server.url);
    const environment = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: port };
    const endpoint = readInCluster({ environment, folder: file() });
    expect(endpoint).toMatchObject({ url: server.url, namespace: 'mine' });
    await ask(endpoint);
    await server.renew(renewed.forServer());
    await writeFile(file('ca.crt'), renewed.cert);
    await writeFile(file('token'), 'two');
    await ask(endpoint);
    const sent = server.received.flatMap((request) => linesOf(request, 'authorization'));
    expect(sent).toEqual(['Bearer one', 'Bearer two']);
  });

  test('an IPv6 address is put in brackets; without one the name in the DNS of the cluster', async () => {
    for (const name of ['ca.crt', 'token', 'namespace']) await writeFile(file(name), 'x');
    const environment = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' };
    expect(readInCluster({ environment, folder: file() }).url).toBe('https://[fd00::1]:6443');
    expect(readInCluster({ folder: file() }).url).toBe('https://kubernetes.default.svc:443');
  });

  test.for(['ca.crt', 'token', 'namespace'])('without %s the start is refused', async (missing) => {
    for (const name of ['ca.crt', 'token', 'namespace']) if (name !== missing) await writeFile(file(name), 'x');
    expect(refusal(() => readInCluster({ folder: file() }))).toContain(missing);
  });
});
