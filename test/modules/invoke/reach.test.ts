import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BootError } from '../../../src/boot-error.ts';
import { apiServerContract } from './api-server-contract.ts';
import { startHttpProxy, startSocksProxy } from '../../k8s/proxies.ts';
import { hostileInputs } from './hostile-inputs.ts';
import { logNetwork } from './network-log.ts';
import { type ProxyingApiServer, startProxyingApiServer } from './proxying-api-server.ts';
import { type InvokeServer, type PlayedRun, errorsOf, startInvokeServer } from './surface.ts';
import { answer, flood } from './upstream.ts';

let api: ProxyingApiServer;
let server: InvokeServer;
let run: PlayedRun;
const ann = { name: 'oidc:ann', groups: ['oidc:team', 'oidc:b,c'], local: false };
beforeAll(async () => {
  api = await startProxyingApiServer();
  server = await startInvokeServer({ kubeconfig: api.kubeconfig, as: { caller: ann } });
  run = await server.play('echo', '', { podIPs: ['10.9.0.1'] });
  api.route('echo', run.upstream);
});
afterAll(async () => {
  await server.stop();
  await api[Symbol.asyncDispose]();
});
beforeEach(() => {
  api.passed.length = 0;
  api.refuse(0, '');
});

describe('through the API server', () => {
  test('a call is made as the caller, and arrives with its method, path, query, headers and body', async () => {
    run.upstream.answerWith(answer('ok', { 'cache-control': 'no-store', 'x-a': '1' }, '201 Created'));
    const invocation = await server.call(run, {
      method: 'PATCH',
      path: '/a/b%20c/?q=%zz&q=//..',
      headers: [
        { name: 'X-Twice', value: '1' },
        { name: 'X-Twice', value: '2' },
      ],
      body: 'grüße',
    });
    expect(invocation).toMatchObject({
      outcome: 'COMPLETED',
      request: { url: 'http://echo.default:8000/a/b%20c/?q=%zz&q=//..' },
      response: { status: 201, body: 'ok' },
    });
    // What follows is of the connection between the API server and this one.
    expect(invocation.response?.headers.slice(0, 4).map(({ name, value }) => `${name}: ${value}`)).toEqual([
      'content-type: text/plain',
      'content-length: 2',
      'cache-control: no-store',
      'x-a: 1',
    ]);
    expect(JSON.stringify(invocation.response?.headers)).not.toMatch(/audit-id|x-kubernetes|private/i);
    expect(api.passed).toMatchObject([
      {
        method: 'PATCH',
        service: 'echo',
        path: '/a/b%20c/?q=%zz&q=//..',
        headers: {
          authorization: ['Bearer token-of-the-server'],
          'impersonate-user': ['oidc:ann'],
          'impersonate-group': ['oidc:team', 'oidc:b,c'],
          'x-twice': ['1', '2'],
        },
      },
    ]);
    expect(run.upstream.requests).toHaveLength(1);
    expect(run.upstream.requests[0]).toMatch(/^PATCH \/a\/b%20c\/\?q=%zz&q=\/\/\.\. HTTP/);
    expect(run.upstream.requests[0]).not.toMatch(/token-of-the-server|oidc/);
    expect(Buffer.from(run.upstream.requests[0]?.slice(-7) ?? '', 'latin1').toString()).toBe('grüße');
  });

  test.each([
    [401, 'Unauthorized', /credentials/],
    [403, 'Forbidden', /services\/proxy/],
    [404, 'NotFound', /no such service/],
    [429, 'TooManyRequests', /too much to do/],
    [500, 'InternalError', /could not reach/],
    [503, 'ServiceUnavailable', /could not reach/],
  ])('a %i %s of the API server itself is UNREACHABLE, without its words', async (code, reason, message) => {
    api.refuse(code, reason);
    const invocation = await server.call(run);
    expect(invocation).toMatchObject({
      outcome: 'UNREACHABLE',
      response: null,
      message: expect.stringMatching(message),
    });
    expect(JSON.stringify(invocation)).not.toMatch(/10\.9\.0\.1|dial/);
  });

  test('a service that refuses the connection is UNREACHABLE', async () => {
    const gone = await server.play('gone', '', { podIPs: ['10.9.0.2'] });
    await gone.upstream[Symbol.asyncDispose]();
    api.route('gone', gone.upstream);
    expect(await server.call(gone)).toMatchObject({ outcome: 'UNREACHABLE', response: null });
  });

  test('hostile inputs are refused as on the direct way, and nothing is asked', async () => {
    const own = `${run.url}/`;
    const passed: string[] = [];
    for (const input of hostileInputs('echo.default', 8000).filter(({ url }) => url !== own)) {
      const [code = 'sent'] = errorsOf(await server.answer({ id: run.id, ...input }));
      if (!/^(INVALID|TARGET_NOT_ALLOWED|HEADER_NOT_ALLOWED|REQUEST_TOO_LARGE)/.test(code)) {
        passed.push(`${JSON.stringify(input).slice(0, 100)}: ${code}`);
      }
    }
    expect(passed).toEqual([]);
    expect(errorsOf(await server.answer({ id: run.id, url: 'http://10.9.0.1:8000/' }))).toEqual([
      'TARGET_NOT_ALLOWED url NOT_REGISTERED',
    ]);
    expect(api.passed).toEqual([]);
  });

  test('nothing but the API server is connected to', async () => {
    run.upstream.answerWith(answer('ok'));
    using network = logNetwork();
    await server.call(run);
    const hosts = [server.url, api.url].map((url) => new URL(url).host);
    // The API server of this test is in this process, and so are its own connections.
    const own = [server.kubernetesUrl, `http://${run.upstream.address}:${run.upstream.port}`].map(
      (url) => new URL(url).host,
    );
    expect(network.connections.filter((place) => ![...hosts, ...own].includes(place))).toEqual([]);
    expect(api.passed).toHaveLength(1);
  });

  test('bodies are decoded and bounded, and a caller who goes away ends the call', async () => {
    run.upstream.answerWith(answer(gzipSync('x'.repeat(5000)), { 'content-encoding': 'gzip' }));
    expect((await server.call(run)).response?.body).toHaveLength(5000);
    run.upstream.answerWith((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n');
      flood(socket, 'ab'.repeat(8192));
    });
    expect(await server.call(run)).toMatchObject({ outcome: 'RESPONSE_TOO_LARGE', response: { bodyBytes: 1_048_576 } });
    run.upstream.answerWith(() => {});
    const arrived = run.upstream.next();
    const aborter = new AbortController();
    const query = 'mutation ($input: InvokeServiceInput!) { invokeService(input: $input) { invocation { id } } }';
    const call = fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables: { input: { id: run.id } } }),
      signal: aborter.signal,
    }).catch(() => 'aborted');
    const closed = once(await arrived, 'close');
    aborter.abort();
    await closed.catch(() => {});
    expect(await call).toBe('aborted');
  });

  test('a stream passes as it comes', async () => {
    run.upstream.answerWith((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n');
    });
    const arrived = run.upstream.next();
    const document = 'subscription ($input: InvokeServiceInput!) { invokeServiceStream(input: $input) { text final } }';
    const chunks = server.subscribe<{ invokeServiceStream: { text: string; final: boolean } }>(document, {
      input: { id: run.id },
    });
    const next = async () => (await chunks.next()).value?.data?.invokeServiceStream;
    expect(await next()).toEqual({ text: '', final: false });
    expect(await next()).toEqual({ text: 'data: 1\n\n', final: false });
    const socket = await arrived;
    socket.end('data: 2\n\n');
    expect(await next()).toEqual({ text: 'data: 2\n\n', final: false });
    expect(await next()).toEqual({ text: '', final: true });
  });
});

describe('what an API server changes', () => {
  let other: ProxyingApiServer;
  afterAll(() => other[Symbol.asyncDispose]());
  let addresses = 0;
  apiServerContract(async () => {
    other = await startProxyingApiServer();
    const own = await startInvokeServer({ kubeconfig: other.kubeconfig, as: { caller: ann } });
    const play: InvokeServer['play'] = async (name, script, parts) => {
      addresses += 1;
      const played = await own.play(name, script, { podIPs: [`10.9.1.${addresses}`], ...parts });
      other.route(name, played.upstream);
      return played;
    };
    return { server: own, play };
  });
});

describe('through a proxy to the API server', () => {
  test.for([
    {
      kind: 'that passes requests on',
      ...{ start: startHttpProxy, scheme: 'http', says: 'The proxy to the API server did not pass the call on.' },
    },
    {
      kind: 'that gives tunnels',
      ...{ start: startSocksProxy, scheme: 'socks5', says: 'The API server took no connection.' },
    },
  ])('$kind, calls go as everything else does', async ({ start, scheme, says }) => {
    await using other = await startProxyingApiServer();
    await using proxy = await start();
    const host = new URL(other.url).host;
    proxy.route(host, other.url);
    const cluster = { 'proxy-url': `${scheme}://127.0.0.1:${proxy.port}` };
    await using far = await startInvokeServer({
      kubeconfig: (embedded) => other.kubeconfig(embedded, cluster),
      as: { caller: ann },
    });
    const echo = await far.play('echo', answer('ok'), { podIPs: ['10.9.0.1'] });
    other.route('echo', echo.upstream);
    const before = proxy.asked.length;
    const invocation = await far.call(echo, { path: '/a?b=c' });
    expect(invocation).toMatchObject({ outcome: 'COMPLETED', response: { status: 200, body: 'ok' } });
    expect(other.passed).toMatchObject([{ path: '/a?b=c', headers: { 'impersonate-user': ['oidc:ann'] } }]);
    const forwarded = `GET ${other.url}/api/v1/namespaces/default/services/echo:8000/proxy/a?b=c`;
    expect(proxy.asked.slice(before)).toContain(scheme === 'http' ? forwarded : `CONNECT ${host}`);
    proxy.refuse(407);
    proxy.cut();
    const refused = await far.call(echo, { path: '/again' });
    expect(refused).toMatchObject({ outcome: 'UNREACHABLE', response: null, message: says });
    expect(other.passed).toHaveLength(1);
  });
});

describe('configuration', () => {
  test('direct dials Pods also with a kubeconfig', async () => {
    await using other = await startProxyingApiServer();
    await using direct = await startInvokeServer({
      kubeconfig: other.kubeconfig,
      as: { caller: ann },
      config: { invoke: { reach: 'direct', connectTimeoutMs: 1 } },
    });
    const far = await direct.play('far', answer('no'), { podIPs: ['127.0.0.1'] });
    expect(errorsOf(await direct.answer({ id: far.id }))).toEqual(['TARGET_NOT_ALLOWED ADDRESS']);
    expect(other.passed).toEqual([]);
  });

  test('the embedded cluster has no service proxy: the server says so at boot', async () => {
    const started = startInvokeServer({ config: { invoke: { reach: 'apiserver' } } });
    await expect(started).rejects.toBeInstanceOf(BootError);
    await expect(started).rejects.toMatchObject({ problems: [{ module: 'invoke', field: 'reach' }] });
  });
});
