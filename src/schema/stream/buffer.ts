import type { Span } from './cursor.ts';
import type { StreamEvent } from './events.ts';
import { merged, within } from './merging.ts';

interface Node<Item> {
  event: StreamEvent<Item>;
  before: Node<Item> | null;
  next: Node<Item> | null;
}

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
  let first: Node<Item> | null = null;
  let last: Node<Item> | null = null;
  let size = 0;
  let open = 0;
  let span: Span = { from: 0, to: 0 };
  let mergedAny = false;
  const unread = new Map<string, Node<Item>>();

  function unlink(node: Node<Item>): void {
    if (node.before) node.before.next = node.next;
    else first = node.next;
    if (node.next) node.next.before = node.before;
    else last = node.before;
    size -= 1;
    if (node.event.seq > span.to) open -= 1;
    if (node.event.id !== null && unread.get(node.event.id) === node) unread.delete(node.event.id);
  }

  function mergeable(from: Item | null, to: Item | null): boolean {
    if (from === null || to === null) return false;
    const state = terminal(from);
    return state === null || state === terminal(to);
  }

  function merge(event: StreamEvent<Item>): StreamEvent<Item> {
    const earlier = event.type === 'CHANGED' && event.id !== null ? unread.get(event.id) : undefined;
    if (!earlier || !mergeable(earlier.event.item, event.item)) return event;
    unlink(earlier);
    mergedAny = true;
    return merged(earlier.event, event);
  }

  /** All that waits becomes the span to be told. */
  function seal(told: number): void {
    span = { from: told, to: last?.event.seq ?? told };
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
      const node: Node<Item> = { event, before: last, next: null };
      if (last) last.next = node;
      else first = node;
      last = node;
      size += 1;
      open += 1;
      if (event.id === null) return;
      if (event.type === 'CHANGED') unread.set(event.id, node);
      else unread.delete(event.id);
    },
    shift(told) {
      const node = first;
      if (!node) return undefined;
      const { event } = node;
      if (told !== undefined && mergedAny && event.seq > span.to) seal(told);
      unlink(node);
      // At its end everything has been told.
      return event.seq < span.to ? within(event, span) : event;
    },
    drop(seq) {
      while (first && first.event.seq <= seq) unlink(first);
    },
    clear() {
      first = last = null;
      size = open = 0;
      mergedAny = false;
      unread.clear();
    },
  };
}
