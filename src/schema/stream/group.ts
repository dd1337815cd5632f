import type { Scope } from '../../caller.ts';
import type { Freshness } from '../../k8s/cluster.ts';
import { type Buffer, createBuffer } from './buffer.ts';
import { type StreamPosition, writeCursor } from './cursor.ts';
import type { StreamEvent, StreamEventType } from './events.ts';
import type { Entry } from './history.ts';

/** What a stream knows of its items. */
export interface ItemRules<Item> {
  id: (item: Item) => string;
  changed: (before: Item, after: Item) => boolean;
  terminal: (item: Item) => string | null;
}

/** One filter in one access scope: its subscribers share every event, so each is made once. */
export interface Group<Item, Member> {
  /** Stands for filter and scope; part of every cursor. */
  readonly view: string;
  readonly scope: Scope;
  readonly members: Set<Member>;
  visible: (item: Item) => boolean;
  /** The live event of a change; null when it does not concern the group. Wants every change, in order. */
  event(entry: Entry<Item>): StreamEvent<Item> | null;
  /** One ADDED for each item, then SYNCED; preceded by RESET when the reader holds something else. */
  snapshot(items: Iterable<Item>, now: Moment, reset: boolean): Iterator<StreamEvent<Item>>;
  /** What the entries amount to for somebody at this position, then SYNCED. */
  replay(entries: readonly Entry<Item>[], now: Moment, from: StreamPosition): Iterator<StreamEvent<Item>>;
}

/** Where and when a snapshot or replay was cut. */
export interface Moment {
  seq: number;
  at: number;
  freshness: Freshness;
}

/** A snapshot: its items, and of its events those that somebody has read. */
interface Cut<Item> {
  items: readonly Item[];
  seq: number;
  at: number;
  events: StreamEvent<Item>[];
}

export function createGroup<Item, Member>(
  options: { writer: string; view: string; scope: Scope; visible: (item: Item) => boolean },
  rules: ItemRules<Item>,
): Group<Item, Member> {
  const { writer, view, scope, visible } = options;

  function cursor(seq: number, nth: number, synced: boolean): string {
    return writeCursor({ writer, seq, synced, view }, nth);
  }

  function marker(type: StreamEventType, at: number, seq: number, cursor: string): StreamEvent<Item> {
    return { type, seq, cursor, item: null, id: null, previous: null, coalesced: 0, at };
  }

  function added(item: Item, at: number, seq: number, cursor: string): StreamEvent<Item> {
    return { ...marker('ADDED', at, seq, cursor), item, id: rules.id(item) };
  }

  /** An item that leaves the view is told by its id alone. */
  function event({ seq, at, before, after, freshness }: Entry<Item>, live = true): StreamEvent<Item> | null {
    const place = () => cursor(seq, 0, live);
    if (freshness !== undefined) return marker(freshness, at, seq, place());
    const was = before !== undefined && visible(before) ? before : undefined;
    const is = after !== undefined && visible(after) ? after : undefined;
    if (was === undefined) return is === undefined ? null : added(is, at, seq, place());
    if (is === undefined) return { ...marker('REMOVED', at, seq, place()), id: rules.id(was) };
    if (!rules.changed(was, is)) return null;
    return { ...added(is, at, seq, place()), type: 'CHANGED', previous: was };
  }

  // Many join at the same moment after a restart: they share one list, until something changes, and its events.
  let matching: readonly Item[] | null = null;
  let latest: WeakRef<Cut<Item>> | null = null;

  /** What those who join within a second are told alike, event by event as the first of them reads it. */
  function cut(items: readonly Item[], { seq, at }: Moment): Cut<Item> {
    const present = latest?.deref();
    if (present?.items === items && at - present.at < 1000) return present;
    const fresh: Cut<Item> = { items, seq, at, events: [] };
    latest = new WeakRef(fresh);
    return fresh;
  }

  function* synced({ seq, at, freshness }: Moment, turned: boolean): Generator<StreamEvent<Item>> {
    yield marker('SYNCED', at, seq, cursor(seq, 0, true));
    if (turned || freshness === 'STALE') yield marker(freshness, at, seq, cursor(seq, 1, true));
  }

  function* tellAll(cut: Cut<Item>, now: Moment, reset: boolean): Generator<StreamEvent<Item>> {
    const { items, events, seq, at } = cut;
    if (reset) yield marker('RESET', now.at, now.seq, cursor(now.seq, 0, false));
    for (const [index, item] of items.entries()) {
      yield (events[index] ??= added(item, at, seq, cursor(seq, index + 1, false)));
    }
    yield* synced(now, false);
  }

  function* tellMissed(missed: Buffer<Item>, now: Moment, turned: boolean): Generator<StreamEvent<Item>> {
    for (let change = missed.shift(); change; change = missed.shift()) yield change;
    yield* synced(now, turned);
  }

  return {
    view,
    scope,
    visible,
    members: new Set(),
    event(entry) {
      matching = null;
      return event(entry);
    },
    snapshot(items, now, reset) {
      matching ??= Array.from(items).filter(visible);
      return tellAll(cut(matching, now), now, reset);
    },
    replay(entries, now, { seq, span }) {
      const missed = createBuffer<Item>(rules.terminal);
      for (const entry of entries) {
        const change = entry.freshness === undefined ? event(entry, false) : null;
        if (change) missed.push(change);
        // Merged as it was then, and the part that has been told left out.
        if (entry.seq === span?.to) missed.drop(seq);
      }
      const turned = entries.some((entry) => entry.freshness !== undefined && entry.seq > seq);
      return tellMissed(missed, now, turned);
    },
  };
}
