import type { Clock } from '../../clock.ts';
import type { StreamEvent } from './events.ts';
import type { Group } from './group.ts';
import { type Member, type StreamRequest, endSlow } from './member.ts';
import { createRounds } from './rounds.ts';
import { type StreamCounts, Subscriber } from './subscriber.ts';

export interface MemberLimits {
  /** Unread events of one subscriber; one more and it is ended. @default 10000 */
  buffer: number;
  /** How long something may wait for a subscriber that does not read. @default 10000 */
  patienceMs: number;
  /** How often scopes are resolved again. @default 4000 */
  renewMs: number;
}

/** All open subscriptions: looked after in rounds, while there are any. */
export interface Members<Item> {
  readonly size: number;
  readonly counts: Readonly<StreamCounts>;
  add(
    request: StreamRequest<Item>,
    group: Group<Item, Member<Item>>,
    preamble: Iterator<StreamEvent<Item>>,
  ): Subscriber<Item>;
  push(member: Member<Item>, event: StreamEvent<Item>): void;
  renew(): Promise<void>;
  stop(): void;
}

export function createMembers<Item>(options: {
  clock: Clock;
  limits: MemberLimits;
  terminal: (item: Item) => string | null;
  renew: (member: Member<Item>) => Promise<void>;
  leave: (member: Member<Item>) => void;
}): Members<Item> {
  const { clock, limits, terminal, renew, leave } = options;
  const members = new Set<Member<Item>>();
  const counts: StreamCounts = { delivered: 0, coalesced: 0, slow: 0, forbidden: 0 };
  let renewedAt = 0;

  function endStalled(now: number, paused: boolean): void {
    for (const member of members) {
      const { stalledSince } = member.subscriber;
      if (stalledSince === null) continue;
      // Nobody could read while the process stood still.
      if (paused) member.subscriber.stalledSince = now;
      else if (now - stalledSince >= limits.patienceMs) endSlow(member);
    }
  }

  const rounds = createRounds(clock, Math.min(limits.patienceMs / 10, limits.renewMs), (now, paused) => {
    endStalled(now, paused);
    if (now - renewedAt >= limits.renewMs) {
      renewedAt = now;
      for (const member of members) void renew(member);
    }
    return members.size > 0;
  });

  return {
    get size() {
      return members.size;
    },
    counts,
    add(request, group, preamble) {
      const { signal } = request;
      const abort = () => subscriber.end();
      const onEnd = () => {
        members.delete(member);
        leave(member);
        signal?.removeEventListener('abort', abort);
      };
      const subscriber = new Subscriber(preamble, { now: () => clock.now(), terminal, onEnd, counts });
      const member: Member<Item> = { request, subscriber, group, counts, renewing: false };
      members.add(member);
      group.members.add(member);
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted) abort();
      rounds.start();
      return subscriber;
    },
    push(member, event) {
      member.subscriber.push(event);
      if (member.subscriber.waiting > limits.buffer) endSlow(member);
    },
    async renew() {
      await Promise.all([...members].map(renew));
    },
    stop() {
      rounds.stop();
      for (const { subscriber } of members) subscriber.end();
    },
  };
}
