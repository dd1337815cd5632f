/** The types of events of a stream; modules make their GraphQL enums of it. */
export const streamEventTypes = {
  ADDED: { description: 'An item matches: one for each at the start, later for each new one.' },
  CHANGED: { description: 'An item that was told before has changed.' },
  REMOVED: { description: 'An item is gone, no longer matches the filter or is no longer visible.' },
  SYNCED: { description: 'All that matches has been told; changes follow.' },
  RESET: { description: 'Drop everything: the snapshot starts again, until SYNCED.' },
  STALE: { description: 'The cluster can not be read right now: what was told may be out of date.' },
  FRESH: { description: 'The cluster can be read again: what was told is current.' },
} as const;

export type StreamEventType = keyof typeof streamEventTypes;

export interface StreamEvent<Item> {
  type: StreamEventType;
  /** The number of the last change it tells. */
  seq: number;
  /** Resume point. */
  cursor: string;
  /** Of ADDED and CHANGED. */
  item: Item | null;
  /** Of ADDED, CHANGED and REMOVED. */
  id: string | null;
  /** Of CHANGED: what was told before. */
  previous: Item | null;
  /** How many earlier changes this one stands for. */
  coalesced: number;
  /** When the server learned of it, in ms since the epoch. */
  at: number;
}
