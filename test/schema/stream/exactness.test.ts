import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StreamEvent } from '../../../src/schema/stream.ts';
import { type Events, type Item, projects, world } from './world.ts';

const ids = ['a', 'b', 'c'];
const often = <T>(usual: T, ...rare: T[]) =>
  fc.oneof({ weight: 20, arbitrary: fc.constant(usual) }, ...rare.map((one) => fc.constant(one)));
const fields = fc.record({
  value: fc.integer({ min: 0, max: 20 }),
  project: often('mine', 'other'),
  state: often<Item['state']>('OK', 'ERROR', 'COMPLETED'),
  uid: often('1', '2'),
});
/** Two of a group, which share what they are told alike. */
const who = fc.constantFrom(0, 1);
const step = fc.oneof(
  { weight: 20, arbitrary: fc.record({ do: fc.constant('put' as const), id: fc.constantFrom(...ids), fields }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), id: fc.constantFrom(...ids) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('read' as const), who, count: often(1, 2, 3, 10) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cut' as const), who, whileReading: fc.boolean() }) },
);

interface Change {
  type: 'ADDED' | 'CHANGED' | 'REMOVED';
  previous: Item | null;
  item: Item | null;
}

/** What one who misses nothing is told of an item. */
function changesOf(before: Item | undefined, after: Item | undefined): Change[] {
  if (before && after && before.uid !== after.uid)
    return [...changesOf(before, undefined), ...changesOf(undefined, after)];
  const [previous, item] = [before, after].map((one) => (one?.project === 'mine' ? one : null)) as [
    Item | null,
    Item | null,
  ];
  if (!previous) return item ? [{ type: 'ADDED', previous, item }] : [];
  if (!item) return [{ type: 'REMOVED', previous: null, item }];
  return previous.value === item.value && previous.state === item.state ? [] : [{ type: 'CHANGED', previous, item }];
}

/** Follows a client through what happened: every event must stand for exactly the next changes of its item. */
function createAccount(happened: ReadonlyMap<string, readonly Change[]>) {
  const accounted = new Map<string, number>();
  let atOpening = new Map<string, number>();
  let snapshot = true;
  let latest = -1;
  const cursors = new Set<string>();
  const now = () => new Map(Array.from(happened, ([id, all]) => [id, all.length]));
  const begin = () => {
    snapshot = true;
    for (const [id, count] of atOpening) accounted.set(id, count);
  };
  return {
    cursor: null as string | null,
    opened(): void {
      atOpening = now();
      cursors.clear();
      latest = -1;
      snapshot = false;
      if (this.cursor === null) begin();
    },
    take(event: StreamEvent<Item>): void {
      expect(cursors).not.toContain(event.cursor);
      cursors.add(event.cursor);
      this.cursor = event.cursor;
      if (event.type === 'RESET') begin();
      if (event.type === 'SYNCED') snapshot = false;
      if (event.id === null || snapshot) return;
      expect(event.seq).toBeGreaterThan(latest);
      latest = event.seq;
      const from = accounted.get(event.id) ?? 0;
      const told = happened.get(event.id)?.slice(from, from + event.coalesced + 1) ?? [];
      expect(told).toHaveLength(event.coalesced + 1);
      expect(told.map(({ type }) => type)).toEqual(told.map(() => event.type));
      expect({ previous: event.previous, item: event.item }).toEqual({
        previous: event.type === 'CHANGED' ? told[0]?.previous : null,
        item: told.at(-1)?.item,
      });
      told.slice(0, -1).forEach(({ item }, nth) => expect(['OK', told[nth + 1]?.item?.state]).toContain(item?.state));
      accounted.set(event.id, from + told.length);
    },
    /** How many changes of each item it stands at, and how many there were. */
    accounted,
    now,
  };
}

/** Reads as far as there is something: a read that has to wait goes on with the next one. */
function createReader(open: (after: string | null) => Events, account: ReturnType<typeof createAccount>) {
  let events: Events;
  let waiting: Promise<IteratorResult<StreamEvent<Item>, undefined>> | null = null;
  const start = () => {
    events = open(account.cursor);
    account.opened();
  };
  start();
  return {
    async read(count: number): Promise<void> {
      for (let nth = 0; nth < count; nth++) {
        waiting ??= events.next();
        const result = await Promise.race([waiting, new Promise<null>((resolve) => setImmediate(resolve, null))]);
        if (result === null) return;
        waiting = null;
        if (result.value) account.take(result.value);
      }
    },
    /** `whileReading`: what was on its way is lost with the connection. */
    async cut(whileReading: boolean): Promise<void> {
      if (whileReading) await (waiting ?? events.next());
      await events.return?.();
      waiting = null;
      start();
    },
  };
}

test('however it reads and whenever it is cut, a client is told each change exactly once, or in the one it was merged into', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 100, size: 'max' }), async (steps) => {
      const { put, remove, turn, present, open } = world();
      const happened = new Map<string, Change[]>();
      const act = (id: string, what: () => void): void => {
        const before = present.get(id);
        what();
        happened.set(id, [...(happened.get(id) ?? []), ...changesOf(before, present.get(id))]);
      };
      const scope = projects('mine');
      for (const id of ids) act(id, () => put(id, { project: 'mine', uid: '1' }));
      const clients = [0, 1].map(() => {
        const account = createAccount(happened);
        return { account, reader: createReader((after) => open({ scope, after }), account) };
      });
      for (const { reader } of clients) await reader.read(ids.length + 1);
      let turns = 0;
      for (const action of steps) {
        if (action.do === 'put') act(action.id, () => put(action.id, action.fields));
        else if (action.do === 'remove') act(action.id, () => remove(action.id));
        else if (action.do === 'turn') turn(turns++ % 2 === 0 ? 'STALE' : 'FRESH');
        else if (action.do === 'read') await clients[action.who]?.reader.read(action.count);
        else {
          // So that there is something on its way.
          if (action.whileReading) act('d', () => put('d', { project: 'mine', uid: '1', value: turns++ }));
          await clients[action.who]?.reader.cut(action.whileReading);
        }
      }
      for (const { account, reader } of clients) {
        await reader.read(Number.POSITIVE_INFINITY);
        expect(account.accounted).toEqual(account.now());
      }
    }),
    { numRuns: 200 },
  );
});
