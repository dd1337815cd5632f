import { type IncomingMessage, request } from 'node:http';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Scope } from '../../../src/caller.ts';
import { type Answer, nextEvent, nextShort, startSurface, subscription } from './surface.ts';
import { run } from './world.ts';

const project = (name: string): Scope => ({ key: name, includes: (place) => place.project === name });

test.each(['overWebSocket', 'overSse'] as const)('%s: ADDED, SYNCED, then every change', async (transport) => {
  await using surface = await startSurface();
  surface.put(run('a', { health: 'PROGRESSING', message: 'Starting.' }));
  surface.put(run('b'));
  const events = surface[transport]();
  expect(await nextEvent(events)).toMatchObject({
    type: 'ADDED',
    id: 'id-a',
    previous: null,
    coalesced: 0,
    at: new Date(surface.time.clock.now()).toISOString(),
    serviceRun: { name: 'a', status: { health: 'PROGRESSING', message: 'Starting.' } },
  });
  expect(await nextShort(events)).toBe('ADDED b HEALTHY');
  expect(await nextEvent(events)).toMatchObject({ type: 'SYNCED', id: null, serviceRun: null });
  surface.put(run('a'));
  expect(await nextShort(events)).toBe('CHANGED a PROGRESSING HEALTHY');
  surface.remove(run('b'));
  expect(await nextEvent(events)).toMatchObject({ type: 'REMOVED', id: 'id-b', serviceRun: null });
  surface.turn('STALE');
  expect(await nextShort(events)).toBe('STALE');
  await events.return?.();
  await expect.poll(() => surface.stream.subscribers).toBe(0);
});

test('what is told while the cluster is stale is still right when it is not', async () => {
  await using surface = await startSurface();
  surface.put(run('a', { health: 'DEGRADED', message: 'It crashes.' }));
  surface.turn('STALE');
  const events = surface.overWebSocket();
  const message = 'It crashes.';
  expect(await nextEvent(events)).toMatchObject({ type: 'ADDED', serviceRun: { status: { message } } });
  expect(await nextShort(events)).toBe('SYNCED');
  expect(await nextShort(events)).toBe('STALE');
  surface.turn('FRESH');
  expect(await nextShort(events)).toBe('FRESH');
  await events.return?.();
});

test('a cursor resumes over another transport', async () => {
  await using surface = await startSurface();
  surface.put(run('a'));
  surface.put(run('b'));
  const filter = { health: ['HEALTHY', 'DEGRADED'], project: null };
  const first = surface.overWebSocket({ filter });
  for (const type of ['ADDED', 'ADDED', 'SYNCED']) expect((await nextEvent(first)).type).toBe(type);
  surface.put(run('a', { health: 'DEGRADED', message: 'It crashes.' }));
  const { cursor } = await nextEvent(first);
  await first.return?.();
  surface.put(run('b', { health: 'PROGRESSING', message: 'Starting.' }));
  const again = surface.overSse({ filter: { health: ['DEGRADED', 'HEALTHY'] }, after: cursor });
  expect(await nextShort(again)).toBe('REMOVED id-b');
  expect(await nextShort(again)).toBe('SYNCED');
  await again.return?.();
});

test.each([
  [{ after: 'garbage' }, 'after'],
  [{ filter: { labelSelector: 'a in (' } }, 'filter.labelSelector'],
])('%j is INVALID on %s', async (variables, field) => {
  await using surface = await startSurface();
  for (const transport of [surface.overSse, surface.overWebSocket]) {
    const { value } = (await transport(variables).next()) as { value: Answer };
    expect(value.errors?.[0]?.extensions).toMatchObject({ code: 'INVALID', field });
  }
  expect(surface.stream.subscribers).toBe(0);
});

test('the status of a run tells its transitions', async () => {
  await using surface = await startSurface();
  const at = surface.time.clock.now();
  surface.put(run('a', { health: 'PROGRESSING', since: at, message: 'Starting.' }));
  surface.put(run('a', { health: 'HEALTHY', since: at + 1500 }));
  const query = (last: number) => `subscription { serviceHealthChanged {
    type id serviceRun { name status { health message transitions(last: ${last}) { at from to message } } } } }`;
  const events = surface.overSse({}, query(5));
  expect((await nextEvent(events)).serviceRun?.status.transitions).toEqual([
    { at: '2026-01-01T00:00:00.000Z', from: null, to: 'PROGRESSING', message: 'Starting.' },
    { at: '2026-01-01T00:00:01.500Z', from: 'PROGRESSING', to: 'HEALTHY', message: null },
  ]);
  await events.return?.();
  const { value } = (await surface.overSse({}, query(0)).next()) as { value: Answer };
  expect(value.errors?.[0]?.extensions).toMatchObject({ code: 'INVALID', field: 'last' });
  expect(value.data?.serviceHealthChanged.serviceRun?.status.transitions).toBeNull();
});

test('a caller sees its own projects alone, and the right withdrawn closes with 4403', async () => {
  await using surface = await startSurface();
  surface.put(run('mine', {}, { project: 'mine' }));
  surface.put(run('other', {}, { project: 'other' }));
  surface.rights.scope = project('mine');
  const closed = Promise.withResolvers<number>();
  const events = surface.overWebSocket({}, closed.resolve);
  expect(await nextShort(events)).toBe('ADDED mine HEALTHY');
  expect(await nextShort(events)).toBe('SYNCED');
  surface.put(run('other', { health: 'DEGRADED' }, { project: 'other' }));
  surface.put(run('mine', {}, { project: 'other' }));
  expect(await nextShort(events)).toBe('REMOVED id-mine');
  surface.put(run('mine', {}, { project: 'mine' }));
  expect(await nextShort(events)).toBe('ADDED mine HEALTHY');
  surface.rights.scope = project('nothing');
  surface.time.advance(5_000);
  expect(await closed.promise).toBe(4403);
  expect(surface.stream.subscribers).toBe(0);
});

test('a filter by what the caller may not see is as quiet as one by what is not there', async () => {
  await using surface = await startSurface();
  surface.rights.scope = project('mine');
  const filters = [{ project: ['other'] }, { project: ['nowhere'] }];
  const streams = filters.map((filter) => surface.overWebSocket({ filter }));
  const all = surface.overWebSocket();
  surface.put(run('other', {}, { project: 'other' }));
  for (const events of [...streams, all]) expect(await nextShort(events)).toBe('SYNCED');
  surface.put(run('other', { health: 'DEGRADED' }, { project: 'other' }));
  surface.remove(run('other', {}, { project: 'other' }));
  surface.put(run('last', {}, { project: 'mine' }));
  expect(await nextShort(all)).toBe('ADDED last HEALTHY');
  surface.turn('STALE');
  for (const events of [...streams, all]) expect(await nextShort(events)).toBe('STALE');
  for (const events of [...streams, all]) await events.return?.();
});

test('a socket that does not read is closed with 4410, and resumes without a loss', async () => {
  await using surface = await startSurface();
  const socket = new WebSocket(`${surface.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  let cursor = '';
  let read = 0;
  const synced = new Promise<void>((resolve) => {
    socket.on('message', (message: Buffer) => {
      const { type, payload } = JSON.parse(message.toString()) as { type: string; payload?: Answer };
      if (type === 'connection_ack')
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: subscription } }));
      const event = payload?.data?.serviceHealthChanged;
      if (event) cursor = event.cursor;
      if (event?.type === 'ADDED') read += 1;
      if (event?.type === 'SYNCED') resolve();
    });
  });
  socket.once('open', () => socket.send(JSON.stringify({ type: 'connection_init' })));
  await synced;
  socket.pause();
  const message = 'x'.repeat(1_000_000);
  // Enough to fill the system's buffers: then the server waits for the socket.
  const count = 40;
  for (let i = 0; i < count; i++) surface.put(run(`run-${i}`, { message }));
  const subscribersLater = () => {
    surface.time.advance(4_000);
    return surface.stream.subscribers;
  };
  await expect.poll(subscribersLater).toBe(0);
  socket.resume();
  expect(await closed).toBe(4410);
  const again = surface.overWebSocket({ after: cursor });
  const seen = new Set<string>();
  for (let event = await nextEvent(again); event.type !== 'SYNCED'; event = await nextEvent(again)) {
    if (event.id) seen.add(event.id);
  }
  expect(read + seen.size).toBe(count);
});

test('a reader of SSE that does not read is ended, and the others lose nothing', async () => {
  await using surface = await startSurface();
  const healthy = surface.overSse();
  expect(await nextShort(healthy)).toBe('SYNCED');
  const slow = request(`${surface.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
  });
  slow.end(JSON.stringify({ query: subscription }));
  const response = await new Promise<IncomingMessage>((resolve) => slow.once('response', resolve));
  const ended = new Promise((resolve) => response.once('close', resolve).once('error', resolve));
  await expect.poll(() => surface.stream.subscribers).toBe(2);
  const message = 'x'.repeat(1_000_000);
  for (let i = 0; i < 40; i++) {
    surface.put(run(`run-${i}`, { message }));
    expect(await nextShort(healthy)).toBe(`ADDED run-${i} HEALTHY`);
  }
  const subscribersLater = () => {
    surface.time.advance(4_000);
    return surface.stream.subscribers;
  };
  await expect.poll(subscribersLater).toBe(1);
  response.resume();
  await ended;
  surface.put(run('last'));
  expect(await nextShort(healthy)).toBe('ADDED last HEALTHY');
  await healthy.return?.();
});

test('5,000 runs that change in one tick, as when they are listed anew, are told to everybody, each once and in order', {
  timeout: 600_000,
}, async () => {
  await using surface = await startSurface();
  const names = Array.from({ length: 5_000 }, (_, n) => `run-${n}`);
  for (const name of names) surface.put(run(name));
  const readers = [surface.overWebSocket(), surface.overSse()];
  const read = async (events: AsyncIterator<Answer>, type: string) => {
    const told: string[] = [];
    while (told.length < names.length) told.push(await nextShort(events));
    expect(told).toEqual(names.map((name) => `${type} ${name} ${type === 'ADDED' ? 'HEALTHY' : 'HEALTHY HEALTHY'}`));
  };
  for (const events of readers) {
    await read(events, 'ADDED');
    expect(await nextShort(events)).toBe('SYNCED');
  }
  for (const name of names) surface.put(run(name, { message: 'Listed anew.' }));
  await Promise.all(readers.map((events) => read(events, 'CHANGED')));
  expect(surface.stream.subscribers).toBe(readers.length);
  expect(surface.stream.counts).toMatchObject({ slow: 0, coalesced: 0 });
  for (const events of readers) await events.return?.();
});
