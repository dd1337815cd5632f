import { describe, expect, test } from 'vitest';
import { everything, next, projects, short, shorts, synced, take, world } from './world.ts';

describe('snapshot, then changes', () => {
  test('one ADDED for each matching item, then SYNCED, then every change', async () => {
    const { put, remove, open } = world();
    put('a', { value: 1 });
    put('b', { value: 2 });
    const events = open({ matches: (item) => item.value < 10 });
    expect(shorts(await synced(events))).toEqual(['ADDED a=1', 'ADDED b=2', 'SYNCED']);
    put('a', { value: 3 });
    put('c', { value: 4 });
    remove('b');
    expect(shorts(await take(events, 3))).toEqual(['CHANGED a=3', 'ADDED c=4', 'REMOVED b']);
  });

  test('items that were there before the stream are in the snapshot', async () => {
    const { open } = world({}, [{ id: 'old', uid: '1', value: 7, project: 'a', state: 'OK' }]);
    expect(shorts(await synced(open()))).toEqual(['ADDED old=7', 'SYNCED']);
  });

  test('a change tells what it was before, and when', async () => {
    const { put, open, time } = world();
    put('a', { value: 1 });
    const events = open();
    await synced(events);
    time.advance(500);
    put('a', { value: 2 });
    const event = await next(events);
    expect(event.previous?.value).toBe(1);
    expect(event.at).toBe(time.clock.now());
  });

  test('a change that is not worth an event is not told', async () => {
    const { put, open } = world();
    put('a', { value: 1 });
    const events = open();
    await synced(events);
    put('a', { note: 'only a note' });
    put('a', { value: 2 });
    expect(short(await next(events))).toBe('CHANGED a=2');
  });

  test('an item that leaves the filter or the scope is REMOVED by its id alone', async () => {
    const { put, open } = world();
    put('a', { value: 1 });
    put('b', { value: 1 });
    const events = open({ matches: (item) => item.value < 10, scope: projects('a') });
    await synced(events);
    put('a', { value: 10 });
    put('b', { project: 'secret', value: 5 });
    for (const event of await take(events, 2)) {
      expect(event).toMatchObject({ type: 'REMOVED', item: null, previous: null });
    }
    put('a', { value: 9 });
    expect(short(await next(events))).toBe('ADDED a=9');
  });

  test('an item made again under the same id is REMOVED and ADDED, never CHANGED', async () => {
    const { put, open } = world();
    put('a', { uid: '1' });
    const events = open();
    await synced(events);
    put('a', { uid: '2' });
    expect(shorts(await take(events, 2))).toEqual(['REMOVED a', 'ADDED a=0']);
  });

  test('nothing of another scope is ever told', async () => {
    const { put, remove, open } = world();
    put('x', { project: 'other' });
    const events = open({ scope: projects('mine') });
    expect(shorts(await synced(events))).toEqual(['SYNCED']);
    put('x', { value: 1 });
    put('x', { uid: '2' });
    remove('x');
    put('m', { project: 'mine' });
    expect(short(await next(events))).toBe('ADDED m=0');
  });

  test('no two events of a stream have the same cursor', async () => {
    const { put, turn, open } = world();
    put('a');
    put('b');
    turn('STALE');
    const events = open();
    const told = await take(events, 4);
    expect(shorts(told)).toEqual(['ADDED a=0', 'ADDED b=0', 'SYNCED', 'STALE']);
    turn('FRESH');
    put('a', { uid: '2' });
    told.push(...(await take(events, 3)));
    expect(shorts(told.slice(4))).toEqual(['FRESH', 'REMOVED a', 'ADDED a=0']);
    expect(new Set(told.map((event) => event.cursor)).size).toBe(told.length);
  });
});

describe('resume', () => {
  test('only what changed since the cursor, then SYNCED, then changes', async () => {
    const { put, remove, open } = world();
    for (const id of ['a', 'b', 'c']) put(id);
    const first = open();
    await synced(first);
    put('a', { value: 1 });
    const { cursor } = await next(first);
    await first.return?.();
    put('b', { value: 2 });
    remove('c');
    put('d');
    const again = open({ after: cursor });
    expect(shorts(await synced(again))).toEqual(['CHANGED b=2', 'REMOVED c', 'ADDED d=0', 'SYNCED']);
    put('a', { value: 3 });
    expect(short(await next(again))).toBe('CHANGED a=3');
  });

  test('several missed changes of an item are one, unless a terminal one is among them', async () => {
    const { put, remove, open } = world();
    for (const id of ['a', 'b', 'c']) put(id);
    const cursor = (await synced(open())).at(-1)?.cursor;
    for (const value of [1, 2, 3]) put('a', { value });
    put('b', { state: 'ERROR' });
    put('b', { state: 'OK', value: 9 });
    remove('c');
    put('c', { value: 1 });
    expect(shorts(await synced(open({ after: cursor })))).toEqual([
      'CHANGED a=3 (+2)',
      'CHANGED b=ERROR',
      'CHANGED b=9',
      'REMOVED c',
      'ADDED c=1',
      'SYNCED',
    ]);
  });

  test('a change that was merged past the cursor is neither lost nor told twice', async () => {
    const { put, open } = world();
    put('a');
    put('b');
    const first = open();
    await synced(first);
    put('a', { value: 1 });
    put('b', { value: 1 });
    put('a', { value: 2 });
    const told = await next(first);
    await first.return?.();
    put('a', { value: 3 });
    put('b', { value: 2 });
    expect(short(told)).toBe('CHANGED b=1');
    const again = await synced(open({ after: told.cursor }));
    expect(shorts(again)).toEqual(['CHANGED a=3 (+2)', 'CHANGED b=2', 'SYNCED']);
    expect(again.map((event) => event.previous?.value)).toEqual([0, 1, undefined]);
  });

  test('nothing missed: SYNCED at once', async () => {
    const { put, open } = world();
    put('a');
    const cursor = (await synced(open())).at(-1)?.cursor;
    expect(shorts(await synced(open({ after: cursor })))).toEqual(['SYNCED']);
  });

  test('the cursor of the REMOVED before an ADDED of the same change still brings the ADDED', async () => {
    const { put, open } = world();
    put('a', { uid: '1' });
    const first = open();
    await synced(first);
    put('a', { uid: '2' });
    const { cursor } = await next(first);
    expect(shorts(await synced(open({ after: cursor })))).toEqual(['ADDED a=0', 'SYNCED']);
  });

  test('a filter given in another order is the same filter', async () => {
    const { put, open } = world();
    put('a');
    const first = open({ filter: { project: ['a', 'b'], search: null, state: ['OK'] } });
    const cursor = (await synced(first)).at(-1)?.cursor;
    const again = open({ filter: { state: ['OK'], project: ['b', 'a'] }, after: cursor });
    expect(shorts(await synced(again))).toEqual(['SYNCED']);
  });

  const other = world();
  other.put('a');
  const cases = {
    'of another filter': { after: 'mine', filter: { search: 'x' } },
    'of another scope': { after: 'mine', scope: projects('a') },
    'of another process': { after: 'theirs' },
    'from before SYNCED': { after: 'snapshot' },
    'that is too old': { after: 'mine', history: 3 },
  };
  test.each(Object.entries(cases))('a cursor %s starts over with RESET', async (_, given) => {
    const { put, open } = world('history' in given ? { history: given.history } : {});
    put('a');
    const [added, mine] = await synced(open());
    const theirs = (await synced(other.open())).at(-1)?.cursor;
    const cursors = { mine: mine?.cursor, theirs, snapshot: added?.cursor };
    for (const value of [1, 2, 3, 4]) put('a', { value });
    const { filter = null, scope = everything } = given as { filter?: unknown; scope?: typeof everything };
    const again = open({ filter, scope, after: cursors[given.after as keyof typeof cursors] });
    expect(shorts(await synced(again))).toEqual(['RESET', 'ADDED a=4', 'SYNCED']);
  });

  test.each(['', 'nonsense', 'WyJhIiwiYiJd', 'a.b.c.d', '__proto__', 'x'.repeat(100_000)])(
    'garbage is INVALID on `after` (%#)',
    (after) => {
      const { open, stream } = world();
      expect(() => open({ after })).toThrow(expect.objectContaining({ code: 'INVALID', field: 'after' }));
      expect(stream.subscribers).toBe(0);
    },
  );
});

describe('freshness', () => {
  test('STALE and FRESH are told as they happen, and STALE after SYNCED to those who come then', async () => {
    const { put, turn, open } = world();
    put('a');
    const early = open();
    await synced(early);
    turn('STALE');
    expect(short(await next(early))).toBe('STALE');
    const late = open();
    expect(shorts(await take(late, 3))).toEqual(['ADDED a=0', 'SYNCED', 'STALE']);
    turn('FRESH');
    expect(short(await next(early))).toBe('FRESH');
    expect(short(await next(late))).toBe('FRESH');
  });

  test('who was away while it turned is told what it is now', async () => {
    const { turn, open } = world();
    const first = open();
    await synced(first);
    turn('STALE');
    const stale = await next(first);
    turn('FRESH');
    expect(shorts(await take(open({ after: stale.cursor }), 2))).toEqual(['SYNCED', 'FRESH']);
  });
});
