import type { Clock } from '../../clock.ts';

/** Something done again and again while there is need for it. */
export interface Rounds {
  /** Begins, unless it is going on already. */
  start(): void;
  stop(): void;
}

/**
 * Calls `round` every `everyMs` until it returns false. `paused` is true when the last round is so long ago that the
 * whole process must have stood still.
 */
export function createRounds(clock: Clock, everyMs: number, round: (now: number, paused: boolean) => boolean): Rounds {
  let cancel: (() => void) | null = null;
  function start(): void {
    if (cancel) return;
    const startedAt = clock.now();
    cancel = clock.after(everyMs, () => {
      cancel = null;
      const now = clock.now();
      if (round(now, now - startedAt > 3 * everyMs)) start();
    });
  }
  return {
    start,
    stop() {
      cancel?.();
      cancel = null;
    },
  };
}
