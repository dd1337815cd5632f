import { readFile, rm, writeFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createKubeClient } from '../../src/k8s/client.ts';
import { pods } from '../../src/k8s/resources.ts';
import { createTransport } from '../../src/k8s/transport.ts';
import { createAuthority } from './certificates.ts';
import { linesOf, startHttpServer } from './http-world.ts';
import { ask, base64, list, refusal, sent, useKubeconfigs } from './kubeconfig-world.ts';
import { startHttpProxy } from './proxies.ts';

const { clock, file, write, read } = useKubeconfigs();

/** A program in JavaScript that gets credentials. */
async function program(source: string, parts: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
  await writeFile(file('plugin.mjs'), `import { appendFileSync, readFileSync } from 'node:fs';\n${source}`);
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: [file('plugin.mjs')] };
  return { exec: { ...exec, interactiveMode: 'IfAvailable', ...parts } };
}

const tellToken = (expiry = '') => `
  appendFileSync(process.env.RUNS, 'x');
  const count = readFileSync(process.env.RUNS, 'utf8').length;
  const info = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
  console.log(JSON.stringify({ ...info, status: { token: [process.env.PREFIX, count].join('-') ${expiry} } }));
`;

describe('credentials from a program (exec)', () => {
  const environment = () => ({ PATH: process.env.PATH, RUNS: file('runs') });
  const env = [{ name: 'PREFIX', value: 'token' }];

  test('are asked for once, by however many requests, with the environment and what Kubernetes tells a program', async () => {
    await using server = await startHttpServer(list);
    const user = await program(tellToken(), { env });
    const endpoint = read(await write('config', { server: server.url, user }), { environment: environment() });
    await Promise.all([ask(endpoint), ask(endpoint), ask(endpoint)]);
    await ask(endpoint);
    expect(sent(server)).toEqual(Array.from({ length: 4 }, () => 'Bearer token-1'));
  });

  test('are asked for again when they are about to expire', async () => {
    await using server = await startHttpServer(list);
    const expiry = new Date(clock.now() + 60_000).toISOString();
    const user = await program(tellToken(`, expirationTimestamp: '${expiry}'`), { env });
    const endpoint = read(await write('config', { server: server.url, user }), { environment: environment() });
    await ask(endpoint);
    clock.advance(49_000);
    await ask(endpoint);
    clock.advance(2_000);
    await ask(endpoint);
    expect(sent(server)).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-2']);
  });

  test('are asked for again when the server refuses them', async () => {
    await using server = await startHttpServer((request, response) => {
      if (linesOf(request, 'authorization')[0] === 'Bearer token-1') response.writeHead(401).end();
      else list(request, response);
    });
    const user = await program(tellToken(), { env });
    const endpoint = read(await write('config', { server: server.url, user }), { environment: environment() });
    await expect(ask(endpoint)).rejects.toMatchObject({ status: 401 });
    clock.advance(10_000);
    await ask(endpoint);
    expect(sent(server)).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  test.for([
    { what: 'are refused, whatever the program gives', status: 401, expiry: '' },
    { what: 'have expired by our clock', status: 200, expiry: `, expirationTimestamp: '2001-01-01T00:00:00Z'` },
  ])('that $what: the program is not run for each request', async ({ status, expiry }) => {
    await using server = await startHttpServer((request, response) => {
      if (status === 401) response.writeHead(401).end();
      else list(request, response);
    });
    const user = await program(tellToken(expiry), { env });
    const endpoint = read(await write('config', { server: server.url, user }), { environment: environment() });
    const ask3 = () => Promise.allSettled([ask(endpoint), ask(endpoint), ask(endpoint)]);
    await ask3();
    await ask3();
    clock.advance(9_000);
    await ask3();
    clock.advance(1_000);
    await ask3();
    const [first, second] = ['Bearer token-1', 'Bearer token-2'];
    expect(sent(server)).toEqual([
      ...Array.from({ length: 9 }, () => first),
      ...Array.from({ length: 3 }, () => second),
    ]);
  });

  test('may depend on the cluster, of which the program is told if it wants', async () => {
    const authority = createAuthority();
    await using server = await startHttpServer(list, authority.forServer());
    await writeFile(file('ca.crt'), authority.cert);
    const told = `
      const { kind, spec } = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
      appendFileSync(process.env.RUNS, JSON.stringify(spec));
      console.log(JSON.stringify({ kind, status: { token: 'abc' } }));`;
    const cluster = {
      ...{ 'certificate-authority': 'ca.crt', 'tls-server-name': 'localhost' },
      extensions: [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'one' } }],
    };
    await using proxy = await startHttpProxy();
    proxy.route(new URL(server.url).host, server.url);
    const proxyUrl = `http://me:pass@127.0.0.1:${proxy.port}`;
    for (const [provideClusterInfo, more] of [
      [true, { 'proxy-url': proxyUrl }],
      [true, {}],
      [false, {}],
    ] as const) {
      const user = await program(told, { provideClusterInfo });
      const kubeconfig = await write('config', { server: server.url, cluster: { ...cluster, ...more }, user });
      await rm(file('runs'), { force: true });
      await ask(read(kubeconfig, { environment: environment() }));
      const got = JSON.parse(await readFile(file('runs'), 'utf8')) as unknown;
      const info = {
        ...{ server: server.url, 'tls-server-name': 'localhost', config: { audience: 'one' } },
        ...{ 'certificate-authority-data': base64(authority.cert), ...more },
      };
      expect(got).toEqual({ interactive: false, ...(provideClusterInfo && { cluster: info }) });
    }
    expect(proxy.asked).toHaveLength(1);
    expect(sent(server)).toEqual(['Bearer abc', 'Bearer abc', 'Bearer abc']);
  });

  test('may be a client certificate', async () => {
    const authority = createAuthority();
    const { cert, key } = authority.forClient('from-program');
    await using server = await startHttpServer(list, {
      ...authority.forServer(),
      ...{ ca: authority.cert, requestCert: true, rejectUnauthorized: true },
    });
    const status = JSON.stringify({ clientCertificateData: cert, clientKeyData: key });
    const user = await program(`console.log(JSON.stringify({ kind: 'ExecCredential', status: ${status} }));`);
    const cluster = { 'certificate-authority-data': base64(authority.cert) };
    await ask(read(await write('config', { server: server.url, cluster, user }), { environment: environment() }));
    expect(server.received).toMatchObject([{ client: 'from-program' }]);
  });

  test('that are a certificate are renewed before it expires: what asks next has a connection with the new one', async () => {
    const authority = createAuthority();
    await using server = await startHttpServer(list, {
      ...authority.forServer(),
      ...{ ca: authority.cert, requestCert: true, rejectUnauthorized: true },
    });
    const statuses = ['one', 'two'].map((name, index) => {
      const { cert, key } = authority.forClient(name);
      const expirationTimestamp = new Date(clock.now() + 60_000 * (index + 1)).toISOString();
      return { clientCertificateData: cert, clientKeyData: key, expirationTimestamp };
    });
    const user = await program(`
      appendFileSync(process.env.RUNS, 'x');
      const count = readFileSync(process.env.RUNS, 'utf8').length;
      console.log(JSON.stringify({ kind: 'ExecCredential', status: ${JSON.stringify(statuses)}[count - 1] }));`);
    const cluster = { 'certificate-authority-data': base64(authority.cert) };
    const kubeconfig = await write('config', { server: server.url, cluster, user });
    const transport = createTransport(read(kubeconfig, { environment: environment() }));
    const client = createKubeClient(transport);
    const ask = async () => {
      await client.list(pods);
      // The connection is given back to the pool.
      await setImmediate();
    };
    await ask();
    await ask();
    clock.advance(51_000);
    await ask();
    await transport.close();
    expect(server.received.map((request) => request.client)).toEqual(['one', 'one', 'two']);
    expect(server.connections).toBe(2);
  });

  test.for([
    { what: 'a program that fails', source: 'process.exit(3)', says: 'it ended with 3' },
    { what: 'a program that says something else', source: 'console.log("secret: abc")', says: 'no ExecCredential' },
    { what: 'a program that says nothing', source: '', says: 'no ExecCredential' },
  ])('$what: 401 that says so and quotes nothing; it is run again after a pause', async ({ source, says }) => {
    await using server = await startHttpServer(list);
    const user = await program(`appendFileSync(process.env.RUNS, 'x'); ${source}`);
    const endpoint = read(await write('config', { server: server.url, user }), { environment: environment() });
    const message = expect.stringMatching(new RegExp(`^(?!.*abc).*"u".*${says}`));
    const runs = () => readFile(file('runs'), 'utf8');
    await expect(ask(endpoint)).rejects.toMatchObject({ status: 401, message });
    await expect(ask(endpoint)).rejects.toMatchObject({ status: 401, message });
    expect(await runs()).toBe('x');
    clock.advance(2_000);
    await expect(ask(endpoint)).rejects.toMatchObject({ status: 401, message });
    expect(await runs()).toBe('xx');
    expect(server.received).toEqual([]);
  });

  test('a program that is not there', async () => {
    const user = await program('', { command: './not-there' });
    const endpoint = read(await write('config', { user }), { environment: environment() });
    await expect(ask(endpoint)).rejects.toMatchObject({ status: 401, message: expect.stringContaining('ENOENT') });
  });

  test.for([
    { what: 'without a command', parts: { command: undefined }, says: 'names no command' },
    { what: 'of an unknown version', parts: { apiVersion: 'client.authentication.k8s.io/v9' }, says: 'v9' },
    { what: 'that needs a terminal', parts: { interactiveMode: 'Always' }, says: 'terminal' },
  ])('one $what is refused at the start', async ({ parts, says }) => {
    const kubeconfig = await write('config', { user: await program('', parts) });
    expect(refusal(() => read(kubeconfig))).toContain(says);
  });
});
