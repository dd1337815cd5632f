import type { Scope } from '../../caller.ts';
import { SlipwayError } from '../../errors.ts';
import type { Context } from '../../module.ts';
import type { Group } from './group.ts';
import type { StreamCounts, Subscriber } from './subscriber.ts';

export interface StreamRequest<Item> {
  /** The filter as the caller gave it: equal filters in equal scopes share their work and each other's cursors. */
  filter: unknown;
  matches: (item: Item) => boolean;
  scope: Scope;
  /** Resume after this cursor. */
  after?: string | null | undefined;
  signal?: AbortSignal;
  /** Resolves the scope again. When it no longer includes something that was told, the subscription ends. */
  renew?: () => Promise<Scope>;
  /** Ends the connection: a reader that does not read never sees the iterator's error. */
  end?: Context['end'];
}

/** One open subscription. */
export interface Member<Item> {
  readonly request: StreamRequest<Item>;
  readonly subscriber: Subscriber<Item>;
  group: Group<Item, Member<Item>>;
  readonly counts: StreamCounts;
  renewing: boolean;
}

/** Thrown to a subscriber that reads too slowly; its connection is closed with 4410 and it resumes by cursor. */
export class SlowConsumer extends SlipwayError {
  constructor() {
    super('RATE_LIMITED', 'This subscription was read too slowly. Open it again with `after`: nothing is lost.', {
      reason: 'TOO_SLOW',
    });
    this.name = 'SlowConsumer';
  }
}

// The connection first: once it is closing, no error or completion is sent that clients would take as final.
export function endSlow<Item>({ request, subscriber, counts }: Member<Item>): void {
  counts.slow += 1;
  request.end?.(4410, 'Too slow, resume by cursor');
  subscriber.end(new SlowConsumer());
}

export function endForbidden<Item>({ request, subscriber, counts }: Member<Item>, cause?: unknown): void {
  if (subscriber.ended) return;
  counts.forbidden += 1;
  request.end?.(4403, 'Rights have changed, subscribe again');
  const message = 'Your rights have changed: subscribe again to see what you may see now.';
  subscriber.end(new SlipwayError('FORBIDDEN', message, { cause }));
}

/**
 * Resolves a member's scope again. Another scope that still includes all it may have been told calls `move`; a narrower
 * one, or none, ends the subscription: no decision, no access.
 */
export async function renewScope<Item>(
  member: Member<Item>,
  rules: {
    items: Iterable<Item>;
    includes: (scope: Scope, item: Item) => boolean;
    move: (member: Member<Item>, scope: Scope) => void;
  },
): Promise<void> {
  const { request, subscriber } = member;
  if (!request.renew || member.renewing) return;
  member.renewing = true;
  try {
    const scope = await request.renew();
    if (subscriber.ended || scope.key === member.group.scope.key) return;
    for (const item of rules.items) {
      if (member.group.visible(item) && !rules.includes(scope, item)) return endForbidden(member);
    }
    rules.move(member, scope);
  } catch (error) {
    endForbidden(member, error);
  } finally {
    member.renewing = false;
  }
}
