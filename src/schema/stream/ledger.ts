import type { Clock } from '../../clock.ts';
import type { FreshnessSource } from '../../k8s/cluster.ts';
import { type Entry, type History, createHistory } from './history.ts';

/** Where a stream's items come from. */
export interface ItemSource<Item> {
  all(): Iterable<Item>;
  /** Each change from now on, in order. */
  subscribe(listener: (change: { before?: Item; after?: Item }) => void): () => void;
}

/** The present items and the history that led to them: always of the same change, so snapshots are cut exactly. */
export interface Ledger<Item> {
  readonly items: Iterable<Item>;
  readonly history: History<Item>;
  stop(): void;
}

export function createLedger<Item>(
  source: ItemSource<Item>,
  options: {
    id: (item: Item) => string;
    uid: (item: Item) => string;
    freshness: Pick<FreshnessSource, 'subscribe'>;
    clock: Clock;
    capacity: number;
    tell: (entry: Entry<Item>) => void;
  },
): Ledger<Item> {
  const { id, uid, clock, tell } = options;
  const items = new Map<string, Item>();
  const history = createHistory<Item>(options.capacity);

  function record(change: Omit<Entry<Item>, 'seq' | 'at'>): void {
    tell(history.append({ at: clock.now(), ...change }));
  }

  // What an item was is what we told last, whatever the source says.
  function onChange({ before: gone, after }: { before?: Item; after?: Item }): void {
    const subject = after ?? gone;
    if (subject === undefined) return;
    const before = items.get(id(subject));
    if (after === undefined) items.delete(id(subject));
    else items.set(id(subject), after);
    const replaced = before !== undefined && after !== undefined && uid(before) !== uid(after);
    if (before !== undefined && (after === undefined || replaced)) record({ before });
    if (after !== undefined && (before === undefined || replaced)) record({ after });
    if (before !== undefined && after !== undefined && !replaced) record({ before, after });
  }

  for (const item of source.all()) items.set(id(item), item);
  const stops = [source.subscribe(onChange), options.freshness.subscribe((freshness) => record({ freshness }))];
  return {
    items: { [Symbol.iterator]: () => items.values() },
    history,
    stop() {
      for (const stop of stops.splice(0)) stop();
    },
  };
}
