import { once } from 'node:events';
import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { defineModule } from '../../src/module.ts';
import { health } from '../../src/modules/health/index.ts';
import { runs } from '../../src/modules/runs/index.ts';
import { type TestServer, startTestServer } from '../../src/testing.ts';
import { createTestClock } from '../faults/test-clock.ts';
import { until } from '../faults/watching.ts';

/** Less than the second for which it must be quiet, so that one while is all of it; and nobody else waits so long. */
const lagMs = 997;

/** A server with a slow path, a slow mutation, and a clock moved by hand. */
async function startDraining() {
  const time = createTestClock();
  const waits: number[] = [];
  const clock = {
    ...time,
    after(ms: number, task: () => void) {
      waits.push(ms);
      return time.after(ms, task);
    },
  };
  const begun = Promise.withResolvers<void>();
  const released = Promise.withResolvers<string>();
  const slow = defineModule({
    name: 'slow',
    schema(builder) {
      builder.mutationField('slow', (t) =>
        t.string({
          description: 'Answers when it is let go.',
          resolve() {
            begun.resolve();
            return released.promise;
          },
        }),
      );
    },
    start({ route }) {
      route('/slow', async (_request, response) => {
        begun.resolve();
        response.end(await released.promise);
      });
    },
  });
  const server = await startTestServer({ modules: [runs, health, slow], clock, drainMs: lagMs });
  const whiles = () => waits.filter((ms) => ms === lagMs).length;
  /** In the while of this number new connections are served. */
  const inWhile = async (number: number): Promise<void> => {
    clock.advance(0);
    await until(() => whiles() === number);
  };
  return {
    ...{ server, clock, waits, whiles, inWhile, begun: begun.promise },
    release: () => released.resolve('done'),
    /** The time is over for which new connections are served. */
    leave: async (): Promise<void> => {
      await inWhile(whiles() + 1);
      clock.advance(lagMs);
      await gone(server);
    },
  };
}

/** Asked again and again, since nothing tells when a listener has closed. */
async function gone(server: TestServer): Promise<void> {
  while (!(await refused(server)));
}

async function get(server: TestServer, path: string, options: RequestOptions = {}) {
  const outgoing = request(`${server.url}${path}`, options);
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, text, connection: response.headers.connection };
}

async function refused(server: TestServer): Promise<boolean> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}

interface Message {
  type: string;
  payload?: { data?: Record<string, unknown> };
}

/** A socket that is signed in, and one operation on it. */
async function openSocket(server: TestServer, query: string) {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const messages: Message[] = [];
  const closed = once(socket, 'close').then(([code]) => Number(code));
  const acknowledged = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  socket.on('message', (text: Buffer) => {
    const message = JSON.parse(text.toString()) as Message;
    if (message.type === 'connection_ack') acknowledged.resolve();
    else messages.push(message);
    if (message.type === 'next') answered.resolve();
  });
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init' }));
  await acknowledged.promise;
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
  return { socket, messages, closed, answered: answered.promise };
}

const viewer = '/graphql?query={viewer{name}}';
const subscription = 'subscription { serviceHealthChanged { type } }';

test('from the first moment it is not ready, and still serves new connections, each for one answer', async () => {
  const { server, leave } = await startDraining();
  expect((await get(server, '/readyz')).status).toBe(200);
  const stopped = server.server.stop();
  const { status, text } = await get(server, '/readyz');
  expect([status, JSON.parse(text).reasons]).toEqual([503, ['server: it is shutting down.']]);
  expect((await get(server, '/livez')).status).toBe(200);
  const answer = await get(server, viewer, { agent: new Agent({ keepAlive: true }) });
  expect([answer.status, answer.connection]).toEqual([200, 'close']);
  await leave();
  await stopped;
  await server.stop();
});

test('as long as new clients are sent to it they are served, whatever probes do', async () => {
  const { server, clock, inWhile } = await startDraining();
  const stopped = server.server.stop();
  await inWhile(1);
  expect((await get(server, viewer)).status).toBe(200);
  clock.advance(lagMs);
  await inWhile(2);
  expect((await get(server, viewer)).status).toBe(200);
  clock.advance(lagMs);
  await inWhile(3);
  expect((await get(server, '/readyz')).status).toBe(503);
  clock.advance(lagMs);
  await gone(server);
  await stopped;
  await server.stop();
});

test('after 12 s nobody else is served, though more would come', async () => {
  const { server, clock, whiles, inWhile } = await startDraining();
  const stopped = server.server.stop();
  for (let passed = lagMs; passed < 12_000 + lagMs; passed += lagMs) {
    await inWhile(whiles() + 1);
    expect((await get(server, viewer)).status).toBe(200);
    clock.advance(lagMs);
  }
  await gone(server);
  await stopped;
  await server.stop();
});

test('who connects at the last moment is served', async () => {
  const { server, clock, inWhile } = await startDraining();
  const stopped = server.server.stop();
  await inWhile(1);
  // Nothing of it has been accepted when the time is over.
  const answer = get(server, viewer);
  clock.advance(lagMs);
  expect(await answer).toMatchObject({ status: 200, connection: 'close' });
  while (!(await refused(server))) clock.advance(lagMs);
  await stopped;
  await server.stop();
});

test('what is under way is completed, on a connection that ends with it', async () => {
  const { server, leave, begun, release } = await startDraining();
  const answer = get(server, '/slow', { agent: new Agent({ keepAlive: true }) });
  await begun;
  const stopped = server.server.stop();
  await leave();
  release();
  expect(await answer).toEqual({ status: 200, text: 'done', connection: 'close' });
  await stopped;
  await server.stop();
});

test('an idle connection is not cut while a request may be on its way', async () => {
  const { server, leave } = await startDraining();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  expect((await get(server, '/livez', { agent })).connection).toBe('keep-alive');
  const stopped = server.server.stop();
  await leave();
  expect(await get(server, '/livez', { agent })).toMatchObject({ status: 200, connection: 'close' });
  await stopped;
  await server.stop();
});

test('an idle connection is closed when its client has long been told to leave it', async () => {
  const { server, clock, leave } = await startDraining();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const outgoing = request(`${server.url}/livez`, { agent });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  expect(response.headers['keep-alive']).toBe('timeout=5, max=1000');
  const closed = once(response.socket, 'close');
  response.resume();
  await once(response, 'end');
  const stopped = server.server.stop();
  await leave();
  clock.advance(6_000 - lagMs);
  await closed;
  await stopped;
  await server.stop();
});

test('after 20 s what is still under way is cut', async () => {
  const { server, clock, begun } = await startDraining();
  const cut = get(server, '/slow').catch((error: Error) => error.message);
  await begun;
  const stopped = server.server.stop();
  clock.advance(20_000);
  expect(await cut).toBe('socket hang up');
  await stopped;
  await server.stop();
});

test('sockets are closed with 1001 at different moments, after new connections have ended', async () => {
  const { server, clock, waits, leave } = await startDraining();
  const sockets = await Promise.all(Array.from({ length: 20 }, () => openSocket(server, subscription)));
  await Promise.all(sockets.map(({ answered }) => answered));
  const stopped = server.server.stop();
  await leave();
  expect(sockets.map(({ socket }) => socket.readyState)).toEqual(sockets.map(() => WebSocket.OPEN));
  // Only chance makes fractions.
  const moments = waits.filter((ms) => !Number.isInteger(ms));
  expect(new Set(moments).size).toBe(20);
  expect(moments.filter((ms) => ms > lagMs)).toEqual([]);
  clock.advance(lagMs);
  expect(await Promise.all(sockets.map(({ closed }) => closed))).toEqual(sockets.map(() => 1001));
  // A completion would be final for the client: it must come back.
  expect(sockets.flatMap(({ messages }) => messages).filter(({ type }) => type === 'complete')).toEqual([]);
  await stopped;
  await server.stop();
});

test('a socket is not closed before the mutation on it is answered', async () => {
  const { server, clock, begun, release, leave } = await startDraining();
  const { messages, closed } = await openSocket(server, 'mutation { slow }');
  await begun;
  const stopped = server.server.stop();
  await leave();
  clock.advance(lagMs);
  release();
  expect(await closed).toBe(1001);
  expect(messages.map(({ type, payload }) => payload?.data?.['slow'] ?? type)).toEqual(['done', 'complete']);
  await stopped;
  await server.stop();
});

test('a stream of events over SSE breaks off instead of completing, so its client comes back', async () => {
  const { server, clock, leave } = await startDraining();
  const outgoing = request(`${server.url}/graphql?query=${encodeURIComponent(subscription)}`, {
    headers: { accept: 'text/event-stream' },
  });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  let text = '';
  response.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(response, 'data');
  const broken = once(response, 'error');
  const stopped = server.server.stop();
  await leave();
  clock.advance(lagMs);
  expect((await broken)[0].code).toBe('ECONNRESET');
  expect(text).toContain('SYNCED');
  expect(text).not.toContain('complete');
  await stopped;
  await server.stop();
});
