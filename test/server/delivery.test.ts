import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Answer, startSurface } from '../modules/health/surface.ts';
import { run } from '../modules/health/world.ts';

/** A subscription as plain as can be, by which each byte of a message is known. */
async function open(url: string, id: string) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const messages: string[] = [];
  const waiting = new Set<() => void>();
  socket.on('message', (data: Buffer) => {
    messages.push(data.toString());
    for (const look of waiting) look();
  });
  const next = (count: number) =>
    new Promise<string[]>((resolve) => {
      const look = () => {
        if (messages.length < count) return;
        waiting.delete(look);
        resolve(messages.splice(0, count));
      };
      waiting.add(look);
      look();
    });
  socket.once('open', () => socket.send('{"type":"connection_init"}'));
  await next(1);
  const query = 'subscription { serviceHealthChanged { serviceRun { name } } }';
  socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query } }));
  await next(1);
  return { socket, next };
}

const message = (id: string, name: string) =>
  JSON.stringify({ id, type: 'next', payload: { data: { serviceHealthChanged: { serviceRun: { name } } } } });

test('messages of every length arrive whole, each with the id of its own subscription', async () => {
  await using surface = await startSurface();
  const ids = ['1', 'eine-längere-id'];
  const sockets = await Promise.all(ids.map((id) => open(surface.url, id)));
  // About the lengths at which a frame's head grows, and those at which payloads are no longer copied.
  const around = [126, 4_096, 16_384, 65_536].flatMap((length) =>
    [-100, -60, -2, -1, 0, 1, 2].map((by) => length + by),
  );
  const names = around.filter((length) => length > 90).map((length, n) => `${n}é`.padEnd(length - 80, 'x'));
  for (const name of names) surface.put(run(name));
  for (const [index, { next, socket }] of sockets.entries()) {
    expect(await next(names.length)).toEqual(names.map((name) => message(ids[index] ?? '', name)));
    socket.terminate();
  }
});

test('the end of a subscription over SSE comes after all of it', async () => {
  await using surface = await startSurface();
  const events = surface.overSse();
  const read = async () => ((await events.next()).value as Answer | undefined)?.data?.serviceHealthChanged.type;
  expect(await read()).toBe('SYNCED');
  for (let n = 0; n < 100; n++) surface.put(run(`run-${n}`));
  for (let n = 0; n < 100; n++) expect(await read()).toBe('ADDED');
  surface.stream.stop();
  expect(await read()).toBeUndefined();
});
