import { randomBytes } from 'node:crypto';
import { Auth } from '../auth.ts';
import type { Scope, Verb } from '../caller.ts';
import type { Clock } from '../clock.ts';
import type { FreshnessSource } from '../k8s/cluster.ts';
import type { Context } from '../module.ts';
import { readCursor } from './stream/cursor.ts';
import type { StreamEvent } from './stream/events.ts';
import type { Group } from './stream/group.ts';
import { createGroups } from './stream/groups.ts';
import type { Entry } from './stream/history.ts';
import { type ItemSource, createLedger } from './stream/ledger.ts';
import { type Member, type StreamRequest, renewScope } from './stream/member.ts';
import { type MemberLimits, createMembers } from './stream/members.ts';
import type { StreamCounts } from './stream/subscriber.ts';

export { streamEventTypes } from './stream/events.ts';
export type { StreamEvent, StreamEventType } from './stream/events.ts';
export type { StreamCounts } from './stream/subscriber.ts';
export { SlowConsumer } from './stream/member.ts';
export type { StreamRequest } from './stream/member.ts';

export interface StreamOptions<Item> {
  source: ItemSource<Item>;
  /** Resolves when the source knows all items: a snapshot before would say that there are fewer. @default at once */
  known?: () => Promise<void>;
  /** What clients know an item by. */
  id: (item: Item) => string;
  /** Another uid under the same id is another item: REMOVED, then ADDED. */
  uid: (item: Item) => string;
  /** Whether a change is worth a CHANGED. @default every change is */
  changed?: (before: Item, after: Item) => boolean;
  /** The name of the terminal state an item is in, or null: entering one is never merged away. @default none is */
  terminal?: (item: Item) => string | null;
  /** True when the scope includes the item. */
  includes: (scope: Scope, item: Item) => boolean;
  freshness: Pick<FreshnessSource, 'state' | 'subscribe'>;
  clock: Clock;
  limits?: Partial<StreamLimits>;
}

export interface StreamLimits extends MemberLimits {
  /** Changes kept for those who come back. @default 4096 */
  history: number;
}

/** Snapshot, then changes, to any number of subscribers (the protocol is that of `Subscription` in the schema). */
export interface Stream<Item> {
  readonly subscribers: number;
  readonly counts: Readonly<StreamCounts>;
  known(): Promise<void>;
  /** INVALID with field `after` for a garbage cursor. */
  subscribe(request: StreamRequest<Item>): AsyncIterableIterator<StreamEvent<Item>, undefined>;
  /** Resolves the scopes of all subscribers now. */
  renew(): Promise<void>;
  /** Ends all subscriptions. */
  stop(): void;
}

/** Opens a subscription for a caller: in its scope, until it goes away or loses the right. */
export async function openStream<Item>(
  stream: Stream<Item>,
  context: Context,
  request: Pick<StreamRequest<Item>, 'filter' | 'matches' | 'after'>,
  verb: Verb = 'see',
): Promise<AsyncIterableIterator<StreamEvent<Item>, undefined>> {
  const { caller, signal } = context;
  await stream.known();
  const scope = await context.access.scope(verb);
  const end: Context['end'] = (code, reason) => context.end(code, reason);
  // The context's own access is that of one request: it never resolves anything twice.
  const renew = () => context.use(Auth).access(caller).scope(verb);
  return stream.subscribe({ ...request, scope, signal, end, ...(!caller.local && { renew }) });
}

const defaults: StreamLimits = { history: 4096, buffer: 10_000, patienceMs: 10_000, renewMs: 4_000 };

/** Keeps the items' history and tells it to each subscriber, in its own scope and at its own pace. */
export function createStream<Item>(options: StreamOptions<Item>): Stream<Item> {
  const { clock, freshness, includes } = options;
  const limits = { ...defaults, ...options.limits };
  const terminal = options.terminal ?? (() => null);
  const writer = randomBytes(9).toString('base64url');
  const groups = createGroups({ ...options, terminal, writer });
  const ledger = createLedger(options.source, { ...options, capacity: limits.history, tell });
  const renew = (member: Member<Item>) => renewScope(member, { items: ledger.items, includes, move });
  const members = createMembers({ clock, terminal, limits, renew, leave: groups.leave });

  function tell(entry: Entry<Item>): void {
    for (const group of groups.all()) {
      const event = group.event(entry);
      if (event) for (const member of group.members) members.push(member, event);
    }
  }

  function begin(group: Group<Item, Member<Item>>, after: string | null, reset = after !== null) {
    const now = { seq: ledger.history.seq, at: clock.now(), freshness: freshness.state };
    const from = after === null ? null : readCursor(after);
    const resumable = from?.writer === writer && from.view === group.view && from.synced;
    const missed = resumable ? ledger.history.since(from.span?.from ?? from.seq) : null;
    return missed && from ? group.replay(missed, now, from) : group.snapshot(ledger.items, now, reset);
  }

  function move(member: Member<Item>, scope: Scope): void {
    groups.leave(member);
    member.group = groups.of(member.request, scope);
    member.group.members.add(member);
    member.subscriber.restart(begin(member.group, null, true));
  }

  return {
    get subscribers() {
      return members.size;
    },
    counts: members.counts,
    known: options.known ?? (() => Promise.resolve()),
    subscribe(request) {
      const { after = null, scope } = request;
      // Before there is a group that a garbage cursor would leave behind.
      if (after !== null) readCursor(after);
      const group = groups.of(request, scope);
      return members.add(request, group, begin(group, after));
    },
    renew: () => members.renew(),
    stop() {
      ledger.stop();
      members.stop();
    },
  };
}
