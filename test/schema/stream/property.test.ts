import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StreamEvent } from '../../../src/schema/stream.ts';
import { type Events, type Item, projects, world } from './world.ts';

const ids = ['a', 'b', 'c', 'd', 'e'];
const fields = fc.record(
  {
    value: fc.integer({ min: 0, max: 20 }),
    project: fc.constantFrom('mine', 'other'),
    state: fc.constantFrom('OK', 'OK', 'ERROR', 'COMPLETED'),
    uid: fc.constantFrom('1', '1', '1', '2'),
  },
  { requiredKeys: [] },
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('put' as const), id: fc.constantFrom(...ids), fields }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), id: fc.constantFrom(...ids) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('read' as const), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reconnect' as const) }) },
);

/** What a client makes of the events, noting down any that can't be. */
function createClient() {
  const items = new Map<string, Item>();
  const cursors = new Set<string>();
  const faults: string[] = [];
  let synced = false;
  const possible = (event: StreamEvent<Item>): boolean => {
    const known = items.get(event.id ?? '');
    if (cursors.has(event.cursor)) return false;
    if (event.type === 'ADDED') return known === undefined && event.item !== null;
    if (event.type === 'CHANGED') return known?.uid === event.item?.uid && event.previous !== null;
    if (event.type === 'REMOVED') return known !== undefined && event.item === null && event.previous === null;
    return event.item === null && event.id === null;
  };
  return {
    items,
    faults,
    cursor: null as string | null,
    /** Changes to a terminal state, as `id:state`. */
    terminal: [] as string[],
    reconnected(): void {
      cursors.clear();
      // Without a cursor there is nothing to resume.
      if (this.cursor === null) items.clear();
    },
    take(event: StreamEvent<Item>): void {
      if (!possible(event)) faults.push(JSON.stringify(event));
      cursors.add(event.cursor);
      this.cursor = event.cursor;
      if (event.type === 'SYNCED') synced = true;
      if (event.type === 'RESET') {
        synced = false;
        items.clear();
      }
      if (event.type === 'REMOVED' && event.id) items.delete(event.id);
      if (event.item) items.set(event.item.id, event.item);
      const { id, state = 'OK' } = event.item ?? {};
      if (synced && event.type === 'CHANGED' && state !== 'OK') this.terminal.push(`${id}:${state}`);
    },
  };
}

/** Reads `count` events that are there: never waits for more than there is. */
async function read(events: Events, client: ReturnType<typeof createClient>, marker: Item | null, count: number) {
  for (let i = 0; i < count; i++) {
    const result = await events.next();
    if (result.done) throw new Error('ended');
    client.take(result.value);
    if (marker && result.value.item === marker) return;
  }
}

test('whatever changes, however slowly it reads and however often it comes back, a client ends with the same state', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 80, size: 'max' }),
      fc.constantFrom(4, 1000),
      async (steps, history) => {
        const { put, remove, present, open } = world({ history });
        const scope = projects('mine');
        const client = createClient();
        let events = open({ scope });
        let ticks = 0;
        for (const action of steps) {
          if (action.do === 'put') put(action.id, { ...(action.fields as Partial<Item>) });
          else if (action.do === 'remove') remove(action.id);
          else if (action.do === 'read') {
            // An item of its own makes sure that there is something to read.
            for (let i = 0; i < action.count; i++) put(`tick${ticks++}`, { project: 'mine' });
            await read(events, client, null, action.count);
          } else {
            await events.return?.();
            client.reconnected();
            events = open({ scope, after: client.cursor });
          }
        }
        put('end', { project: 'mine' });
        await read(events, client, present.get('end') ?? null, Number.POSITIVE_INFINITY);
        expect(client.faults).toEqual([]);
        const mine = [...present.values()].filter((item) => item.project === 'mine');
        expect(new Map(client.items)).toEqual(new Map(mine.map((item) => [item.id, item])));
      },
    ),
    { numRuns: 300 },
  );
});

test('a client that is never reset sees every terminal state', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      const { put, present, open } = world();
      const client = createClient();
      for (const id of ids) put(id);
      let events = open();
      await read(events, client, null, ids.length + 1);
      const entered: string[] = [];
      for (const action of steps) {
        if (action.do === 'put') {
          const before = present.get(action.id)?.state;
          const state = action.fields.state ?? before ?? 'OK';
          put(action.id, { state });
          if (state !== 'OK' && state !== before) entered.push(`${action.id}:${state}`);
        } else if (action.do === 'reconnect') {
          await events.return?.();
          client.reconnected();
          events = open({ after: client.cursor });
          put(`tick${entered.length}`, { value: present.size });
          // To SYNCED, without which the next cursor would mean RESET.
          for (let type = ''; type !== 'SYNCED'; ) {
            const { value } = await events.next();
            if (value) client.take(value);
            type = value?.type ?? 'SYNCED';
          }
        }
      }
      put('end');
      await read(events, client, present.get('end') ?? null, Number.POSITIVE_INFINITY);
      expect(client.faults).toEqual([]);
      for (const id of ids) {
        const of = (list: string[]) => list.filter((state) => state.startsWith(`${id}:`));
        expect(of(client.terminal)).toEqual(of(entered));
      }
    }),
    { numRuns: 200 },
  );
});
