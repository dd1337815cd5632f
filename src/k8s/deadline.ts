import type { Clock } from '../clock.ts';
import { ApiError } from './api-error.ts';

/** Aborts when nothing was heard for too long, or when its parent aborts. */
export interface SilenceGuard {
  readonly signal: AbortSignal;
  /** It aborted because of silence. */
  readonly expired: boolean;
  heard(): void;
  /** From now on it counts anew. */
  restart(): void;
  /** Must be called in the end: lets go of timer and parent. */
  clear(): void;
}

const tickMs = 1_000;

/**
 * For `ms` nothing needs to be heard; after that, never more than `graceMs` may be silent. Measured by timers alone, since
 * the clock may be set, and second by second: what came in while the process was stopped or busy is read between two timers.
 */
export function guardSilence(clock: Clock, parent: AbortSignal, ms: number, graceMs = tickMs): SilenceGuard {
  const controller = new AbortController();
  let expired = false;
  let heard = false;
  let silentMs = 0;
  let cancel = clock.after(ms, listen);
  const follow = () => controller.abort();
  if (parent.aborted) follow();
  parent.addEventListener('abort', follow, { once: true });

  function listen(): void {
    heard = false;
    cancel = clock.after(tickMs, judge);
  }

  function judge(): void {
    silentMs = heard ? 0 : silentMs + tickMs;
    if (silentMs < graceMs) return listen();
    expired = true;
    controller.abort();
  }

  return {
    signal: controller.signal,
    get expired() {
      return expired;
    },
    heard() {
      heard = true;
    },
    restart() {
      cancel();
      silentMs = 0;
      cancel = clock.after(ms, listen);
    },
    clear() {
      cancel();
      parent.removeEventListener('abort', follow);
    },
  };
}

/** Gives a request `ms` from now; what takes longer rejects as NoAnswerInTime. */
export async function within<R>(
  { clock, signal, ms }: { clock: Clock; signal: AbortSignal; ms: number },
  call: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const guard = guardSilence(clock, signal, ms - tickMs);
  try {
    return await call(guard.signal);
  } catch (error) {
    const message = 'the API server did not answer in time';
    throw guard.expired ? new ApiError(0, 'NoAnswerInTime', message, { cause: error }) : error;
  } finally {
    guard.clear();
  }
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal.addEventListener('abort', end, { once: true });
  });
}
