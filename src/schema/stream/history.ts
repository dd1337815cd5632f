import type { Freshness } from '../../k8s/cluster.ts';

/** One change of one item, or of the freshness of all. `before` absent: new; `after` absent: removed. */
export interface Entry<Item> {
  seq: number;
  at: number;
  before?: Item;
  after?: Item;
  freshness?: Freshness;
}

/** The last changes, in order and without gaps, for those who come back. */
export interface History<Item> {
  /** Of the latest change; 0 before the first. */
  readonly seq: number;
  append(change: Omit<Entry<Item>, 'seq'>): Entry<Item>;
  /** What came after `seq`; null when that is no longer known, or lies ahead. */
  since(seq: number): Entry<Item>[] | null;
}

export function createHistory<Item>(capacity: number): History<Item> {
  const ring: Entry<Item>[] = [];
  let latest = 0;
  return {
    get seq() {
      return latest;
    },
    append(change) {
      latest += 1;
      const entry = { ...change, seq: latest };
      ring[latest % capacity] = entry;
      return entry;
    },
    since(seq) {
      if (seq > latest || seq < latest - capacity) return null;
      const entries: Entry<Item>[] = [];
      for (let at = seq + 1; at <= latest; at++) {
        const entry = ring[at % capacity];
        if (entry) entries.push(entry);
      }
      return entries;
    },
  };
}
