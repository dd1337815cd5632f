import type { StreamEvent } from './events.ts';

interface Node<Item> {
  event: StreamEvent<Item>;
  before: Node<Item> | null;
  next: Node<Item> | null;
}

/** What one subscriber has not read yet. */
export interface Buffer<Item> {
  readonly size: number;
  push(event: StreamEvent<Item>): void;
  shift(): StreamEvent<Item> | undefined;
  clear(): void;
}

/**
 * A queue that merges what need not be told one by one: a CHANGED that is still unread goes into the next CHANGED of the
 * same item, at the end of the queue, so cursors stay in order and everything before a cursor has been told. ADDED,
 * REMOVED, and changes to a terminal state that is left again, are never merged away.
 */
export function createBuffer<Item>(terminal: (item: Item) => string | null): Buffer<Item> {
  let first: Node<Item> | null = null;
  let last: Node<Item> | null = null;
  let size = 0;
  const unread = new Map<string, Node<Item>>();

  function unlink(node: Node<Item>): void {
    if (node.before) node.before.next = node.next;
    else first = node.next;
    if (node.next) node.next.before = node.before;
    else last = node.before;
    size -= 1;
  }

  function mergeable(from: Item | null, to: Item | null): boolean {
    if (from === null || to === null) return false;
    const state = terminal(from);
    return state === null || state === terminal(to);
  }

  function merged(event: StreamEvent<Item>): StreamEvent<Item> {
    const earlier = event.type === 'CHANGED' && event.id !== null ? unread.get(event.id) : undefined;
    if (!earlier || !mergeable(earlier.event.item, event.item)) return event;
    unlink(earlier);
    return { ...event, previous: earlier.event.previous, coalesced: event.coalesced + earlier.event.coalesced + 1 };
  }

  return {
    get size() {
      return size;
    },
    push(incoming) {
      const event = merged(incoming);
      const node: Node<Item> = { event, before: last, next: null };
      if (last) last.next = node;
      else first = node;
      last = node;
      size += 1;
      if (event.id === null) return;
      if (event.type === 'CHANGED') unread.set(event.id, node);
      else unread.delete(event.id);
    },
    shift() {
      const node = first;
      if (!node) return undefined;
      unlink(node);
      if (node.event.id !== null && unread.get(node.event.id) === node) unread.delete(node.event.id);
      return node.event;
    },
    clear() {
      first = last = null;
      size = 0;
      unread.clear();
    },
  };
}
