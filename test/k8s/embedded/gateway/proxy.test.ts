import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { listen } from '../../../../src/k8s/embedded/gateway/server.ts';
import { createServer } from 'node:http';
import type { Clock } from '../../../../src/clock.ts';
import { endpointSlices } from '../../../../src/k8s/resources.ts';
import { createWorld, prefix, type Seen, to, until, type World } from './world.ts';

/** Timers that the test lets go off. */
function manualClock(): Clock & { pass(): void } {
  const tasks = new Set<() => void>();
  return {
    now: Date.now,
    after(_, task) {
      tasks.add(task);
      return () => tasks.delete(task);
    },
    pass() {
      for (const task of tasks) task();
      tasks.clear();
    },
  };
}

const clock = manualClock();
let world: World;
/** What the backend `manual` was asked, for the test to answer. */
const asked: { request: IncomingMessage; response: ServerResponse }[] = [];
let notify = () => {};
async function nextAsked() {
  while (asked.length === 0) await new Promise<void>((resolve) => (notify = resolve));
  const next = asked.shift();
  if (!next) throw new Error('nobody asked');
  return next;
}

beforeAll(async () => {
  world = await createWorld({ clock });
  await world.service('tell');
  await world.service('manual', (request, response) => {
    asked.push({ request, response });
    notify();
  });
  await world.route('tell', ['tell.test'], [{ backendRefs: to('tell') }]);
  await world.route(
    'manual',
    ['manual.test'],
    [
      { backendRefs: to('manual') },
      { matches: [prefix('/timed')], backendRefs: to('manual'), timeouts: { request: '10s' } },
    ],
  );
});
afterAll(() => world[Symbol.asyncDispose]());

/** A request whose body and answer the test drives. */
function open(path: string, method = 'GET', headers: Record<string, string> = {}) {
  const request = httpRequest({
    port: world.port,
    path,
    method,
    headers: { host: 'manual.test', ...headers },
    agent: false,
  });
  request.on('error', () => {});
  const answered = once(request, 'response').then(([response]) => response as IncomingMessage);
  answered.catch(() => {});
  return { request, answered };
}

describe('what is passed on', () => {
  it('method, path, headers and body as they were, hop-by-hop headers not', async () => {
    const answer = await world.ask('tell.test', '/a%20b?x=%2f', {
      method: 'PATCH',
      headers: {
        'x-one': ['1', '2'],
        te: 'trailers',
        connection: 'close, x-gone',
        'x-gone': '1',
        'x-forwarded-for': '9.9.9.9',
      },
      body: 'grüße',
    });
    const seen = answer.json() as unknown as Seen;
    expect(seen).toMatchObject({ method: 'PATCH', url: '/a%20b?x=%2f', body: 'grüße' });
    expect(seen.headers).toMatchObject({
      host: 'tell.test',
      'x-one': '1, 2',
      'x-forwarded-for': '9.9.9.9, 127.0.0.1',
      'x-forwarded-proto': 'http',
      'content-length': '7',
    });
    expect(seen.headers['x-gone'] ?? seen.headers['te']).toBeUndefined();
  });

  it.each(['GET', 'DELETE', 'OPTIONS'])('a %s with a chunked body stays framed', async (method) => {
    const headers = { 'transfer-encoding': 'chunked' };
    const answer = await world.ask('tell.test', '/', { method, headers, body: 'GET /smuggled HTTP/1.1\r\n\r\n' });
    expect(answer.json()).toMatchObject({ method, body: 'GET /smuggled HTTP/1.1\r\n\r\n' });
  });

  it('HEAD, 204 and repeated answer headers', async () => {
    const { request, answered } = open('/', 'HEAD');
    request.end();
    const first = await nextAsked();
    first.response
      .writeHead(200, { 'content-length': 5, 'set-cookie': ['a=1', 'b=2'], connection: 'x-gone', 'x-gone': '1' })
      .end();
    const head = await answered;
    expect(head.headers).toMatchObject({ 'content-length': '5', 'set-cookie': ['a=1', 'b=2'] });
    expect(head.headers['x-gone']).toBeUndefined();
  });

  it('bodies piece by piece, in both directions', async () => {
    const { request, answered } = open('/', 'POST', { 'transfer-encoding': 'chunked' });
    request.write('ping');
    const { request: received, response } = await nextAsked();
    const uploaded = pieces(received);
    expect(await uploaded()).toBe('ping');
    response.write('pong');
    const downloaded = pieces(await answered);
    expect(await downloaded()).toBe('pong');
    request.end('again');
    expect([await uploaded(), await uploaded()]).toEqual(['again', null]);
    response.end('done');
    expect([await downloaded(), await downloaded()]).toEqual(['done', null]);
  });

  it('no faster than it is taken', async () => {
    const { request, answered } = open('/');
    request.end();
    const { response } = await nextAsked();
    const chunk = Buffer.alloc(1024 * 1024);
    let written = 0;
    // Until the backend is held back: without that, this never ends.
    while (response.write(chunk) || (await Promise.race([once(response, 'drain').then(() => true), stalled(response)])))
      written += 1;
    expect(written).toBeLessThan(64);
    const answer = await answered;
    response.end();
    let bytes = 0;
    for await (const part of answer as AsyncIterable<Buffer>) bytes += part.length;
    expect(bytes % chunk.length).toBe(0);
    expect(bytes / chunk.length).toBeGreaterThan(written);
  });
});

/** Reads a body piece by piece; null is its end. */
function pieces(message: IncomingMessage): () => Promise<string | null> {
  const iterator = message[Symbol.asyncIterator]();
  return async () => {
    const { done, value } = await iterator.next();
    return done ? null : String(value);
  };
}

/** Resolves false when the backend's buffer has not shrunk over many turns of the event loop. */
async function stalled(response: ServerResponse): Promise<boolean> {
  let length = response.writableLength;
  for (let quiet = 0; quiet < 200; quiet += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    if (response.writableLength !== length) quiet = 0;
    length = response.writableLength;
  }
  return false;
}

describe('what goes wrong', () => {
  it('a client that leaves ends the call to the backend', async () => {
    const { request } = open('/');
    request.end();
    const { response } = await nextAsked();
    request.destroy();
    await once(response, 'close');
    expect(response.writableFinished).toBe(false);
  });

  it('a backend that breaks off midway is not taken for a whole answer', async () => {
    const { request, answered } = open('/');
    request.end();
    const { response } = await nextAsked();
    response.write('half');
    const answer = await answered;
    await once(answer, 'data');
    response.destroy();
    const [error] = await once(answer, 'error');
    expect(error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('a backend that breaks off before it answers gives 502', async () => {
    const { request, answered } = open('/', 'POST', { 'content-length': '2' });
    request.end('hi');
    (await nextAsked()).response.destroy();
    expect((await answered).statusCode).toBe(502);
  });

  it('a time limit that passes gives 504, and ends the call', async () => {
    const { request, answered } = open('/timed');
    request.end();
    const { response } = await nextAsked();
    clock.pass();
    expect((await answered).statusCode).toBe(504);
    if (!response.closed) await once(response, 'close');
  });

  it('nobody listening gives 502, garbage too, and the gateway lives on', async () => {
    const garbage = createTcpServer((socket: Socket) => {
      socket.on('error', () => {}).resume();
      socket.end('HTTP/1.1 2000 What\r\nnot a header\r\n\r\n');
    });
    await new Promise<void>((resolve) => garbage.listen(0, '127.0.0.1', resolve));
    const { port } = garbage.address() as AddressInfo;
    await world.endpoints('garbage', [port]);
    await world.route('garbage', ['garbage.test'], [{ backendRefs: to('garbage') }]);
    expect((await world.ask('garbage.test', '/')).status).toBe(502);
    await new Promise((resolve) => garbage.close(resolve));
    expect((await world.ask('garbage.test', '/')).status).toBe(502);
    expect((await world.ask('tell.test', '/')).status).toBe(200);
  });

  it('addresses that are not the cluster’s own are never dialed', async () => {
    await world.endpoints('stranger', [80], 'lab', '169.254.169.254');
    await world.route('stranger', ['stranger.test'], [{ backendRefs: to('stranger') }]);
    expect((await world.ask('stranger.test', '/')).status).toBe(503);
  });

  it('an endpoint that is no longer ready gets nothing more', async () => {
    await world.service('fading');
    await world.route('fading', ['fading.test'], [{ backendRefs: to('fading') }]);
    expect((await world.ask('fading.test', '/')).status).toBe(200);
    const [slice] = world.api.list(endpointSlices, 'lab').filter(({ metadata }) => metadata.name.startsWith('fading-'));
    const endpoints = [{ addresses: ['127.0.0.1'], conditions: { ready: false } }];
    const name = slice?.metadata.name ?? '';
    await world.api.client.patch(endpointSlices, name, 'lab', { endpoints });
    await until(world.api, endpointSlices, 'lab', name, (object) => object.endpoints?.[0]?.conditions?.ready === false);
    // The table follows in the turn after the change.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect((await world.ask('fading.test', '/')).status).toBe(503);
  });

  it('a taken port names the setting', async () => {
    const second = createServer();
    await expect(listen(second, world.port)).rejects.toThrow('SLIPWAY_GATEWAY_PORT');
  });
});

describe('strangers', () => {
  const page = { origin: 'http://evil.test' };
  it.each<[string, string, Record<string, string>, number]>([
    ['a rebound host name', 'evil.test', {}, 404],
    ['no host name of a route', 'localhost', {}, 404],
    ['a page of another origin', 'tell.test', page, 403],
    ['a page without an origin', 'tell.test', { origin: 'null' }, 403],
    ['another port is another origin', 'tell.test:8080', { origin: 'http://tell.test' }, 403],
    ['the page’s own origin', 'tell.test:8080', { origin: 'http://tell.test:8080' }, 200],
    ['a script of another site', 'tell.test', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, 403],
    [
      'a link on another site',
      'tell.test',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
      200,
    ],
    [
      'a frame on another site',
      'tell.test',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
      403,
    ],
  ])('%s', async (_, host, headers, expected) => {
    expect((await world.ask(host, '/', { headers })).status).toBe(expected);
  });

  it('a route for every host name answers to this machine’s own names only', async () => {
    await world.route('any', [], [{ backendRefs: to('tell') }]);
    const ask = async (host: string) => (await world.ask(host, '/')).status;
    expect(await Promise.all(['localhost', 'x.localhost', '127.0.0.1:8080', 'evil.test'].map(ask))).toEqual([
      200, 200, 200, 404,
    ]);
  });

  it('requests without or with two Hosts, or in absolute form, get nothing', async () => {
    for (const head of [
      'GET / HTTP/1.1\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: tell.test\r\nHost: evil.test\r\n\r\n',
      'GET http://evil.test/ HTTP/1.1\r\nHost: tell.test\r\n\r\n',
      'GET / HTTP/1.0\r\n\r\n',
    ]) {
      const socket = connect(world.port, '127.0.0.1');
      socket.write(head.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
      let text = '';
      for await (const part of socket) text += String(part);
      expect(text).toMatch(/^HTTP\/1\.1 4\d\d /);
    }
  });
});

describe('WebSockets', () => {
  const backend = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  beforeAll(async () => {
    backend.on('connection', (socket, request) => {
      socket.on('message', (message: Buffer) => socket.send(`${request.url} ${message.toString()}`));
    });
    if (!backend.address()) await once(backend, 'listening');
    await world.endpoints('sockets', [(backend.address() as AddressInfo).port]);
    await world.route('sockets', ['sockets.test'], [{ backendRefs: to('sockets') }]);
    await world.secret('socket-keys', { desk: 'key' });
    const apiKeyAuth = {
      credentialRefs: [{ name: 'socket-keys' }],
      extractFrom: [{ params: ['key'] }],
      sanitize: true,
    };
    await world.policy('guarded', 'guarded', { apiKeyAuth });
    await world.route('guarded', ['guarded.test'], [{ backendRefs: to('sockets') }]);
    await world.policyStatus('guarded', 'Accepted');
  });
  afterAll(() => {
    for (const client of backend.clients) client.terminate();
    backend.close();
  });
  const dial = (host: string, path = '/', origin?: string) => {
    const headers = { host, ...(origin !== undefined && { origin }) };
    return new WebSocket(`ws://127.0.0.1:${world.port}${path}`, { headers });
  };
  const refused = async (socket: WebSocket) => {
    socket.on('error', () => {});
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    response.resume();
    return response.statusCode;
  };

  it('pass through, behind the same protection', async () => {
    for (const [host, path] of [
      ['sockets.test', '/a?b'],
      ['guarded.test', '/a?key=key&b'],
    ] as const) {
      const socket = dial(host, path);
      await once(socket, 'open');
      socket.send('hello');
      const [message] = (await once(socket, 'message')) as [Buffer];
      expect(message.toString()).toMatch(/^\/a\?b hello$/);
      socket.close();
      await once(socket, 'close');
    }
    expect(await refused(dial('guarded.test', '/a'))).toBe(401);
  });

  it('are refused to a page of another origin and a rebound host name', async () => {
    expect(await refused(dial('sockets.test', '/', 'http://evil.test'))).toBe(403);
    expect(await refused(dial('evil.test', '/', 'http://evil.test'))).toBe(404);
    expect(await refused(dial('tell.test'))).toBe(200);
  });

  it('end on the backend’s side when the client goes', async () => {
    const connected = once(backend, 'connection');
    const socket = dial('sockets.test');
    const [peer] = (await connected) as [WebSocket];
    await once(socket, 'open');
    const closed = once(peer, 'close');
    socket.terminate();
    expect((await closed)[0]).toBe(1006);
  });
});
