import type { Clock } from '../clock.ts';

/** Aborts when nothing was heard for too long, or when its parent aborts. */
export interface SilenceGuard {
  readonly signal: AbortSignal;
  /** It aborted because of silence. */
  readonly expired: boolean;
  heard(): void;
  /** Must be called in the end: lets go of timer and parent. */
  clear(): void;
}

/** `ms` from the start nothing needs to be heard; after that, never more than `graceMs` may be silent. */
export function guardSilence(clock: Clock, parent: AbortSignal, ms: number, graceMs = 0): SilenceGuard {
  const controller = new AbortController();
  let expired = false;
  let lastHeard = Number.NEGATIVE_INFINITY;
  let cancel = clock.after(ms, check);
  const follow = () => controller.abort();
  if (parent.aborted) follow();
  parent.addEventListener('abort', follow, { once: true });

  function check(): void {
    const left = graceMs - (clock.now() - lastHeard);
    if (left > 0) {
      // A clock that was set back must not make the wait longer.
      cancel = clock.after(Math.min(left, graceMs), check);
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
