import type { Span } from './cursor.ts';
import type { StreamEvent } from './events.ts';
import { merged, within } from './merging.ts';

/** What one subscriber has not read yet. */
export interface Buffer<Item> {
  readonly size: number;
  /** How many of them come after the span that is being told. */
  readonly open: number;
  push(event: StreamEvent<Item>): void;
  /** The next one, to a reader who was told everything up to the change `told`; without it cursors stay as they are. */
  shift(told?: number): StreamEvent<Item> | undefined;
  /** Drops what was last changed by `seq` or before. */
  drop(seq: number): void;
  clear(): void;
}

/**
 * A queue that merges what need not be told one by one: a CHANGED that is still unread goes into the next CHANGED of the
 * same item, at the end of the queue, so cursors stay in order. ADDED, REMOVED, and changes to a terminal state that is
 * left again, are never merged away.
 *
 * Once something has been merged, what is told next may lie between the halves of something still to come. Then nothing
 * more goes into what waits: it becomes a span, and each of its cursors names it, so that whoever resumes within it is told
 * exactly its rest.
 */
export function createBuffer<Item>(terminal: (item: Item) => string | null): Buffer<Item> {
  /** In order, from `head` on; null is what was merged into a later one. */
  let queue: (StreamEvent<Item> | null)[] = [];
  let head = 0;
  let size = 0;
  let open = 0;
  let span: Span = { from: 0, to: 0 };
  let mergedAny = false;
  /** Where in the queue the CHANGED of an item is that the next one goes into. */
  const unread = new Map<string, number>();

  function remove(index: number): void {
    const event = queue[index];
    if (!event) return;
    queue[index] = null;
    size -= 1;
    if (event.seq > span.to) open -= 1;
    if (event.id !== null && unread.get(event.id) === index) unread.delete(event.id);
  }

  function first(): StreamEvent<Item> | null {
    while (head < queue.length && queue[head] === null) head += 1;
    return queue[head] ?? null;
  }

  /** Closes the gaps. */
  function compact(): void {
    let to = 0;
    for (let from = head; from < queue.length; from++) {
      const event = queue[from];
      if (!event) continue;
      if (event.id !== null && unread.get(event.id) === from) unread.set(event.id, to);
      queue[to++] = event;
    }
    queue.length = to;
    head = 0;
  }

  function mergeable(from: Item | null, to: Item | null): boolean {
    if (from === null || to === null) return false;
    const state = terminal(from);
    return state === null || state === terminal(to);
  }

  function merge(event: StreamEvent<Item>): StreamEvent<Item> {
    const index = event.type === 'CHANGED' && event.id !== null ? unread.get(event.id) : undefined;
    const earlier = index === undefined ? null : queue[index];
    if (index === undefined || !earlier || !mergeable(earlier.item, event.item)) return event;
    remove(index);
    mergedAny = true;
    return merged(earlier, event);
  }

  /** All that waits becomes the span to be told. */
  function seal(told: number): void {
    span = { from: told, to: queue.at(-1)?.seq ?? told };
    open = 0;
    mergedAny = false;
    unread.clear();
  }

  return {
    get size() {
      return size;
    },
    get open() {
      return open;
    },
    push(incoming) {
      const event = merge(incoming);
      if (queue.length > 16 && queue.length > 2 * size) compact();
      queue.push(event);
      size += 1;
      open += 1;
      if (event.id === null) return;
      if (event.type === 'CHANGED') unread.set(event.id, queue.length - 1);
      else unread.delete(event.id);
    },
    shift(told) {
      const event = first();
      if (!event) return undefined;
      if (told !== undefined && mergedAny && event.seq > span.to) seal(told);
      remove(head);
      // At its end everything has been told.
      return event.seq < span.to ? within(event, span) : event;
    },
    drop(seq) {
      for (let event = first(); event && event.seq <= seq; event = first()) remove(head);
    },
    clear() {
      queue = [];
      head = size = open = 0;
      mergedAny = false;
      unread.clear();
    },
  };
}
