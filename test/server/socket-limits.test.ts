import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { auth } from '../../src/modules/auth/index.ts';
import { limits } from '../../src/schema/limits.ts';
import { socketLimits } from '../../src/server/socket-limits.ts';
import { startTestServer } from '../../src/testing.ts';
import { createTestClock } from '../faults/test-clock.ts';
import { type Socket, openSocket } from '../modules/auth/surface.ts';
import { type World, startWorld } from '../modules/auth/world.ts';

const clock = createTestClock(Date.now());
let world: World;
beforeAll(async () => {
  world = await startWorld({ clock });
});
afterAll(() => world.stop());

async function connect(name: string): Promise<Socket> {
  const exp = Math.floor(clock.now() / 1000) + 600;
  return openSocket(world.url, { authorization: `Bearer ${await world.issuer.sign({ sub: name, exp })}` });
}
const connected = async (name: string): Promise<Socket> => {
  const socket = await connect(name);
  expect((await socket.next()).type).toBe('connection_ack');
  return socket;
};
const ask = (socket: Socket, id: string) =>
  socket.send({ id, type: 'subscribe', payload: { query: '{ viewer { name } }' } });
/** What the operation with this id got: its data or the code of its error. */
async function answerTo(socket: Socket, id: string): Promise<unknown> {
  for (;;) {
    const { id: of, type, payload } = await socket.next();
    if (of !== id || type === 'complete') continue;
    return type === 'next' ? 'data' : (payload as { extensions: { code: string } }[])[0]?.extensions.code;
  }
}

describe('sockets at once', () => {
  test('one caller has so many, then 1013; others are not affected, and a closed one makes room', async () => {
    const sockets = await Promise.all(Array.from({ length: socketLimits.socketsPerCaller }, () => connected('ann')));
    const refused = await connect('ann');
    expect(await refused.closed).toBe(1013);
    const other = await connected('bob');
    sockets[0]?.socket.close();
    await sockets[0]?.closed;
    // The server learns of it with the closing frame that answers its own.
    await expect
      .poll(async () => {
        const again = await connect('ann');
        const outcome = await Promise.race([again.closed, again.next().then(({ type }) => type)]);
        again.socket.close();
        return outcome;
      })
      .toBe('connection_ack');
    for (const socket of [...sockets, other]) socket.socket.close();
  });

  test('the server has a limit too: 503 and when to come back; the local user may have all of it', async () => {
    const atMost = socketLimits.socketsPerCaller + 2;
    await using server = await startTestServer({ modules: [auth], socketLimits: { sockets: atMost } });
    const sockets = await Promise.all(Array.from({ length: atMost }, () => openSocket(server.url)));
    for (const socket of sockets) expect((await socket.next()).type).toBe('connection_ack');
    const refused = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    refused.on('error', () => {});
    const [, response] = await once(refused, 'unexpected-response');
    expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1']);
  });
});

describe('messages of one socket', () => {
  test('operations beyond the limit are RATE_LIMITED, and again allowed when its time is over', async () => {
    const socket = await connected('carl');
    for (let sent = 1; sent < limits.messages; sent++) socket.send({ type: 'pong' });
    ask(socket, 'last');
    expect(await answerTo(socket, 'last')).toBe('data');
    ask(socket, 'beyond');
    expect(await answerTo(socket, 'beyond')).toBe('RATE_LIMITED');
    clock.advance(limits.messagesMs);
    ask(socket, 'later');
    expect(await answerTo(socket, 'later')).toBe('data');
    socket.socket.close();
  });

  test('a flood ends the socket, with a code after which clients come back', async () => {
    const socket = await connected('dora');
    for (let sent = 0; sent <= 2 * limits.messages; sent++) socket.send({ type: 'pong' });
    expect(await socket.closed).toBe(1013);
  });
});
