import type { Scope } from '../../../src/caller.ts';
import type { Clock } from '../../../src/clock.ts';
import type { Freshness } from '../../../src/k8s/cluster.ts';
import {
  type Stream,
  type StreamEvent,
  type StreamLimits,
  type StreamRequest,
  createStream,
} from '../../../src/schema/stream.ts';

export interface Item {
  id: string;
  uid: string;
  value: number;
  project: string;
  state: 'OK' | 'ERROR' | 'COMPLETED';
  note?: string;
}

export type Events = AsyncIterableIterator<StreamEvent<Item>, undefined>;

export const everything: Scope = { key: '*', includes: () => true };
export const projects = (...names: string[]): Scope => ({
  key: names.join(','),
  includes: ({ project }) => names.includes(project ?? ''),
});

/** A clock that stands still until told. */
export function manualClock(start = Date.UTC(2026, 0, 1)) {
  let now = start;
  const timers = new Set<{ at: number; task: () => void }>();
  const clock: Clock = {
    now: () => now,
    after(ms, task) {
      const timer = { at: now + ms, task };
      timers.add(timer);
      return () => timers.delete(timer);
    },
  };
  /** Moves on, firing timers in their order. */
  const advance = (ms: number): void => {
    const end = now + ms;
    for (;;) {
      const due = [...timers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (!due) break;
      now = Math.max(now, due.at);
      timers.delete(due);
      due.task();
    }
    now = end;
  };
  return {
    clock,
    get pending() {
      return timers.size;
    },
    advance,
    /** The process stands still: time passes, and then all that was due fires at once. */
    freeze: (ms: number): void => {
      now += ms;
      advance(0);
    },
  };
}

/** A source of items, a stream of them, and what tests do to both. */
export function world(limits: Partial<StreamLimits> = {}, items: readonly Item[] = []) {
  const time = manualClock();
  const present = new Map(items.map((item) => [item.id, item]));
  const listeners = new Set<(change: { before?: Item; after?: Item }) => void>();
  const freshnessListeners = new Set<(state: Freshness) => void>();
  let state: Freshness = 'FRESH';
  const stream: Stream<Item> = createStream<Item>({
    source: {
      all: () => present.values(),
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    id: (item) => item.id,
    uid: (item) => item.uid,
    changed: (a, b) => a.value !== b.value || a.state !== b.state || a.project !== b.project,
    terminal: (item) => (item.state === 'OK' ? null : item.state),
    includes: (scope, item) => scope.includes({ namespace: 'n', project: item.project }),
    freshness: {
      get state() {
        return state;
      },
      subscribe(listener) {
        freshnessListeners.add(listener);
        return () => freshnessListeners.delete(listener);
      },
    },
    clock: time.clock,
    limits,
  });
  return {
    time,
    stream,
    present,
    get listeners() {
      return listeners.size + freshnessListeners.size;
    },
    put: (id: string, fields: Partial<Item> = {}): void => {
      const before = present.get(id);
      const after = { id, uid: `${id}-1`, value: 0, project: 'a', state: 'OK' as const, ...before, ...fields };
      present.set(id, after);
      for (const listener of listeners) listener(before ? { before, after } : { after });
    },
    remove: (id: string): void => {
      const before = present.get(id);
      present.delete(id);
      if (before) for (const listener of listeners) listener({ before });
    },
    turn: (to: Freshness): void => {
      state = to;
      for (const listener of freshnessListeners) listener(to);
    },
    open: (request: Partial<StreamRequest<Item>> = {}): Events =>
      stream.subscribe({ filter: null, matches: () => true, scope: everything, ...request }),
  };
}

export async function next(events: Events): Promise<StreamEvent<Item>> {
  const step = await events.next();
  if (step.done) throw new Error('the stream has ended');
  return step.value;
}

export async function take(events: Events, count: number): Promise<StreamEvent<Item>[]> {
  const taken: StreamEvent<Item>[] = [];
  while (taken.length < count) taken.push(await next(events));
  return taken;
}

/** Up to and with SYNCED. */
export async function synced(events: Events): Promise<StreamEvent<Item>[]> {
  const taken = [await next(events)];
  while (taken.at(-1)?.type !== 'SYNCED') taken.push(await next(events));
  return taken;
}

/** `ADDED a=1`: an event in short. */
export function short({ type, id, item, coalesced }: StreamEvent<Item>): string {
  const about = id === null ? '' : ` ${id}`;
  const value = item === null ? '' : `=${item.state === 'OK' ? item.value : item.state}`;
  return `${type}${about}${value}${coalesced > 0 ? ` (+${coalesced})` : ''}`;
}

export const shorts = (events: readonly StreamEvent<Item>[]): string[] => events.map(short);
