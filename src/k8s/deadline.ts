import type { Clock } from '../clock.ts';
import { ApiError } from './api-error.ts';

/** Aborts when nothing was heard for too long, or when its parent aborts. */
export interface SilenceGuard {
  readonly signal: AbortSignal;
  /** It aborted because of silence. */
  readonly expired: boolean;
  heard(): void;
  /** Must be called in the end: lets go of timer and parent. */
  clear(): void;
}

/** A timer this late says that we did not run, or that the clock was set: what came meanwhile is not read yet. */
const lateMs = 1_000;

/** `ms` from the start nothing needs to be heard; after that, never more than `graceMs` may be silent. */
export function guardSilence(clock: Clock, parent: AbortSignal, ms: number, graceMs = 0): SilenceGuard {
  const controller = new AbortController();
  let expired = false;
  let lastHeard = Number.NEGATIVE_INFINITY;
  let cancel = wait(ms);
  const follow = () => controller.abort();
  if (parent.aborted) follow();
  parent.addEventListener('abort', follow, { once: true });

  function wait(ms: number): () => void {
    const due = clock.now() + ms;
    return clock.after(ms, () => check(clock.now() - due > lateMs));
  }

  function check(late: boolean): void {
    const left = late ? Math.max(graceMs, lateMs) : graceMs - (clock.now() - lastHeard);
    if (left > 0) {
      // A clock that was set back must not make the wait longer.
      cancel = wait(Math.min(left, Math.max(graceMs, lateMs)));
      return;
    }
    expired = true;
    controller.abort();
  }

  return {
    signal: controller.signal,
    get expired() {
      return expired;
    },
    heard() {
      lastHeard = clock.now();
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
  const guard = guardSilence(clock, signal, ms);
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
