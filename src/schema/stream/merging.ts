import { type Span, writeSpan } from './cursor.ts';
import type { StreamEvent } from './events.ts';

// Subscribers of a group get the same events, and those who lag in the same way the same merged ones: each is made once.
const merges = new WeakMap<object, StreamEvent<unknown>>();
const spans = new WeakMap<object, { span: Span; event: StreamEvent<unknown> }>();

/** Two changes of an item as one, which stands for both. */
export function merged<Item>(earlier: StreamEvent<Item>, later: StreamEvent<Item>): StreamEvent<Item> {
  const present = merges.get(earlier);
  if (present?.cursor === later.cursor) return present as StreamEvent<Item>;
  const event = { ...later, previous: earlier.previous, coalesced: later.coalesced + earlier.coalesced + 1 };
  merges.set(earlier, event);
  return event;
}

/** The event with a cursor that names the span it is told in. */
export function within<Item>(event: StreamEvent<Item>, span: Span): StreamEvent<Item> {
  const present = spans.get(event);
  if (present?.span.from === span.from && present.span.to === span.to) return present.event as StreamEvent<Item>;
  const made = { ...event, cursor: writeSpan(event.cursor, span) };
  spans.set(event, { span, event: made });
  return made;
}
