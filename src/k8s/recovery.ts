import type { Clock } from '../clock.ts';
import type { ApiError } from './api-error.ts';
import { createBackoff } from './backoff.ts';
import { sleep } from './deadline.ts';
import { isExpired } from './list-all.ts';
import type { Outage } from './outage.ts';

export interface Failure {
  error: ApiError;
  phase: 'list' | 'watch';
  /** In ms. */
  lasted: number;
}

/** What the failures of one reflector mean, and how long it waits after each. */
export interface Recovery {
  /** Takes note of a failure; true when it can only be mended by a list. */
  failed(failure: Failure): boolean;
  /** Waits as the last failure demands. */
  pause(signal: AbortSignal): Promise<void>;
  /** Waits a little after what was no failure, but not as it should be. */
  breathe(signal: AbortSignal): Promise<void>;
  /** The server is well again. */
  answered(): void;
  /** An event came. */
  heard(): void;
  /** A watch was a good one. */
  rest(): void;
}

/** A watch that lasted this long was a good one. */
export const goodWatchMs = 5_000;
const longestWaitMs = 60_000;
/** So often a server that is there again is asked at short intervals: some kinds it serves later than others. */
const asksOfReturned = 10;
const shortWaitMs = 1_000;

export function createRecovery(clock: Clock, random: () => number, outage: Outage): Recovery {
  const backoff = createBackoff(random);
  // Lists are dear: when what was just listed has expired again, the next one comes soon only once.
  const relists = createBackoff(random, 0);
  const pauses = outage.join();
  let serverErrors = 0;
  /** The server could not be reached the last time. */
  let unreachable = false;
  /** How many short waits are left. */
  let asksLeft = 0;
  /** Its return was seen, and all has not been well for long since. */
  let seenBack = false;
  let waitMs = 0;
  /** Nothing but time helps. */
  let alone = false;

  function rest(): void {
    backoff.reset();
    relists.reset();
    pauses.rest();
    asksLeft = 0;
    seenBack = false;
  }

  /** The server is there again, though it may not serve this kind yet: that will soon be over. */
  function returned(): void {
    seenBack = true;
    backoff.reset();
    asksLeft = asksOfReturned;
  }

  function nextWait(): number {
    if (asksLeft === 0) return backoff.next();
    asksLeft -= 1;
    return shortWaitMs * (0.5 + random() * 0.5);
  }

  /** A refused watch is not healed by the same request again; a failing server may have lost our resourceVersion. */
  function needsList({ status: code }: ApiError): boolean {
    if (code >= 500) return ++serverErrors % 3 === 0;
    return code >= 400 && ![401, 403, 408, 429].includes(code);
  }

  return {
    failed({ error, phase, lasted }) {
      const expired = phase === 'watch' && isExpired(error);
      if (phase === 'watch' && lasted >= goodWatchMs && !expired) rest();
      // Once: what comes and goes for a long time is not asked for more often.
      if (unreachable && error.status > 0 && !seenBack) returned();
      unreachable = error.status === 0;
      const soon = expired && relists.failures === 0;
      const wait = expired ? relists.next() : nextWait();
      // A server that is too busy knows for how long: longer is no help to it. One that fails does not: kube-apiserver says
      // 5 s of each CRD while it starts, however soon it serves them.
      const asked = error.status === 429 ? error.retryAfterMs : undefined;
      alone = expired || error.status === 429;
      const ms = asked ? asked + random() * Math.min(asked / 2, 1000) : soon ? random() * 500 : wait;
      waitMs = Math.min(ms, longestWaitMs);
      return phase === 'watch' && (expired || needsList(error));
    },
    async pause(signal) {
      if (alone) await sleep(clock, waitMs, signal);
      else if ((await pauses.pause(waitMs, signal)) === 'woken') returned();
    },
    breathe: (signal) => sleep(clock, backoff.least(), signal),
    answered: () => pauses.answered(),
    heard() {
      serverErrors = 0;
    },
    rest,
  };
}
