import { describe, expect, test, vi } from 'vitest';
import type { Scope } from '../../../src/caller.ts';
import type { Context } from '../../../src/module.ts';
import { SlowConsumer } from '../../../src/schema/stream.ts';
import { everything, next, projects, short, shorts, synced, take, world } from './world.ts';

describe('slow readers', () => {
  test('unread changes of an item are merged, marked and told in the order of their last change', async () => {
    const { put, open } = world();
    for (const id of ['a', 'b']) put(id);
    const events = open();
    await synced(events);
    for (const value of [1, 2, 3]) {
      put('a', { value });
      put('b', { value });
    }
    put('a', { value: 4 });
    const told = await take(events, 2);
    expect(shorts(told)).toEqual(['CHANGED b=3 (+2)', 'CHANGED a=4 (+3)']);
    expect(told.map((event) => event.previous?.value)).toEqual([0, 0]);
  });

  test('a change is merged neither into one that was read nor over the end of the item', async () => {
    const { put, remove, open } = world();
    put('a');
    const events = open();
    await synced(events);
    put('a', { value: 1 });
    put('a', { value: 2 });
    expect(short(await next(events))).toBe('CHANGED a=2 (+1)');
    put('a', { value: 3 });
    remove('a');
    put('a', { value: 4 });
    put('a', { value: 5 });
    expect(shorts(await take(events, 4))).toEqual(['CHANGED a=3', 'REMOVED a', 'ADDED a=4', 'CHANGED a=5']);
  });

  test('ADDED, REMOVED and terminal changes are never merged away', async () => {
    const { put, remove, open } = world();
    const events = open();
    await synced(events);
    put('a');
    put('a', { value: 1 });
    put('a', { state: 'ERROR' });
    put('a', { state: 'ERROR', value: 2 });
    put('a', { state: 'COMPLETED' });
    remove('a');
    put('a', { state: 'OK' });
    expect(shorts(await take(events, 5))).toEqual([
      'ADDED a=0',
      'CHANGED a=ERROR (+2)',
      'CHANGED a=COMPLETED',
      'REMOVED a',
      'ADDED a=0',
    ]);
  });

  test('changes before SYNCED come after it, not within the snapshot', async () => {
    const { put, open } = world();
    put('a');
    put('b');
    const events = open();
    expect(short(await next(events))).toBe('ADDED a=0');
    put('b', { value: 5 });
    expect(shorts(await take(events, 3))).toEqual(['ADDED b=0', 'SYNCED', 'CHANGED b=5']);
  });

  test('one that does not read in time is ended, and its connection with 4410', async () => {
    const { put, open, time, stream } = world({ patienceMs: 10_000 });
    const end = vi.fn<Context['end']>();
    const events = open({ end });
    await synced(events);
    time.advance(60_000);
    expect(end).not.toHaveBeenCalled();
    put('a');
    time.advance(9_000);
    expect(end).not.toHaveBeenCalled();
    time.advance(4_000);
    expect(end).toHaveBeenCalledExactlyOnceWith(4410, expect.any(String));
    await expect(events.next()).rejects.toThrow(SlowConsumer);
    expect(await events.next()).toEqual({ done: true, value: undefined });
    expect(stream.subscribers).toBe(0);
    expect(time.pending).toBe(0);
  });

  test('one that never begins to read is ended too', () => {
    const { open, time, stream } = world();
    open();
    time.advance(15_000);
    expect(stream.subscribers).toBe(0);
  });

  test('one that reads slowly but keeps reading is kept', async () => {
    const { put, open, time, stream } = world();
    for (let i = 0; i < 10; i++) put(`i${i}`);
    const events = open();
    for (let i = 0; i < 10; i++) {
      time.advance(8_000);
      expect((await next(events)).type).toBe('ADDED');
    }
    expect(stream.subscribers).toBe(1);
  });

  test('a pause of the whole process ends nobody', async () => {
    const { put, open, time, stream } = world();
    put('a');
    const events = open();
    time.freeze(60_000);
    expect(stream.subscribers).toBe(1);
    expect(shorts(await synced(events))).toEqual(['ADDED a=0', 'SYNCED']);
  });

  test('one whose buffer is full is ended, and the others lose nothing', async () => {
    const { put, open, stream } = world({ buffer: 100 });
    const end = vi.fn<Context['end']>();
    const slow = open({ end });
    const healthy = open();
    await synced(slow);
    await synced(healthy);
    const read: string[] = [];
    for (let i = 0; i < 200; i++) {
      put(`i${i}`);
      read.push(short(await next(healthy)));
    }
    expect(end).toHaveBeenCalledExactlyOnceWith(4410, expect.any(String));
    expect(read).toHaveLength(200);
    expect(stream.subscribers).toBe(1);
  });

  test('a burst on few items never fills a buffer', async () => {
    const { put, open, stream } = world({ buffer: 10 });
    const events = open();
    await synced(events);
    put('a');
    for (let value = 1; value <= 20_000; value++) put('a', { value });
    expect(stream.subscribers).toBe(1);
    expect(shorts(await take(events, 2))).toEqual(['ADDED a=0', 'CHANGED a=20000 (+19999)']);
  });

  test('resuming after being ended loses nothing', async () => {
    const { put, open, time } = world();
    put('a');
    const events = open();
    const cursor = (await synced(events)).at(-1)?.cursor;
    put('a', { value: 1 });
    put('b');
    time.advance(20_000);
    await expect(events.next()).rejects.toThrow(SlowConsumer);
    expect(shorts(await synced(open({ after: cursor })))).toEqual(['CHANGED a=1', 'ADDED b=0', 'SYNCED']);
  });
});

describe('the end of a subscription', () => {
  test('returning ends a waiting read at once and forgets the subscriber', async () => {
    const { open, stream } = world();
    const events = open();
    await synced(events);
    const waiting = events.next();
    await events.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(stream.subscribers).toBe(0);
  });

  test('an aborted signal ends it', async () => {
    const { open, stream } = world();
    const aborter = new AbortController();
    const events = open({ signal: aborter.signal });
    await synced(events);
    aborter.abort();
    expect((await events.next()).done).toBe(true);
    expect(open({ signal: aborter.signal })).toBeDefined();
    expect(stream.subscribers).toBe(0);
  });

  test('stop ends all, and leaves no listener and no timer', async () => {
    const built = world();
    const events = built.open();
    await synced(events);
    built.stream.stop();
    expect((await events.next()).done).toBe(true);
    expect(built.listeners).toBe(0);
    expect(built.time.pending).toBe(0);
  });
});

describe('rights', () => {
  test('a withdrawn right ends the subscription and its connection with 4403', async () => {
    const { put, open, stream } = world();
    put('a', { project: 'a' });
    put('b', { project: 'b' });
    let scope: Scope = projects('a', 'b');
    const end = vi.fn<Context['end']>();
    const events = open({ scope, end, renew: () => Promise.resolve(scope) });
    await synced(events);
    await stream.renew();
    expect(end).not.toHaveBeenCalled();
    scope = projects('a');
    await stream.renew();
    expect(end).toHaveBeenCalledExactlyOnceWith(4403, expect.any(String));
    await expect(events.next()).rejects.toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
    expect(stream.subscribers).toBe(0);
  });

  test('it is noticed within seconds without being told', async () => {
    const { put, open, time } = world();
    put('a');
    let scope = everything;
    const end = vi.fn<Context['end']>();
    const events = open({ scope, end, renew: () => Promise.resolve(scope) });
    await synced(events);
    scope = projects();
    const waiting = events.next();
    time.advance(5_000);
    await expect(waiting).rejects.toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
    expect(end).toHaveBeenCalledOnce();
  });

  test('a further right starts over with RESET', async () => {
    const { put, open, stream } = world();
    put('a', { project: 'a' });
    put('b', { project: 'b' });
    let scope: Scope = projects('a');
    const events = open({ scope, renew: () => Promise.resolve(scope) });
    await synced(events);
    put('a', { value: 1 });
    scope = projects('a', 'b');
    await stream.renew();
    expect(short(await next(events))).toBe('RESET');
    expect(shorts(await synced(events))).toEqual(['ADDED a=1', 'ADDED b=0', 'SYNCED']);
    put('b', { value: 1 });
    expect(short(await next(events))).toBe('CHANGED b=1');
  });

  test('a read that waits is answered by the RESET', async () => {
    const { put, open, stream } = world();
    put('b', { project: 'b' });
    let scope: Scope = projects('a');
    const events = open({ scope, renew: () => Promise.resolve(scope) });
    await synced(events);
    const waiting = next(events);
    scope = projects('a', 'b');
    await stream.renew();
    expect(short(await waiting)).toBe('RESET');
  });

  test('without a decision there is no access', async () => {
    const { open, stream } = world();
    const events = open({ renew: () => Promise.reject(new Error('no answer')) });
    await synced(events);
    await stream.renew();
    await expect(events.next()).rejects.toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
  });
});
