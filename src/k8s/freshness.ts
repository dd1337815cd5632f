import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Freshness, FreshnessSource, WatchState } from './cluster.ts';

/** How long a watch may be down before what it feeds is called stale: clients know within five seconds. */
export const staleAfterMs = 4_500;

export interface FreshnessTracker {
  readonly source: FreshnessSource;
  /** Adds a watch and gives the function to call when it went up or down. */
  track(state: () => Readonly<WatchState>): () => void;
  stop(): void;
}

export function createFreshness(clock: Clock, log: Log): FreshnessTracker {
  const states: (() => Readonly<WatchState>)[] = [];
  const timers = new Map<number, () => void>();
  /** The watches that have been down for too long. */
  const overdue = new Set<number>();
  const listeners = new Set<(state: Freshness) => void>();
  let staleSince: number | null = null;

  function judge(): void {
    if (overdue.size > 0 === (staleSince !== null)) return;
    staleSince = overdue.size > 0 ? clock.now() : null;
    const state = staleSince === null ? 'FRESH' : 'STALE';
    log[staleSince === null ? 'info' : 'warn'](`the caches are ${state.toLowerCase()}`);
    for (const listener of [...listeners]) {
      try {
        listener(state);
      } catch (error) {
        log.error({ err: error }, 'a listener of the freshness failed');
      }
    }
  }

  function forget(id: number): void {
    timers.get(id)?.();
    timers.delete(id);
  }

  function changed(id: number, downSince: number | null): void {
    if (downSince === null) {
      forget(id);
      overdue.delete(id);
      judge();
    } else if (!timers.has(id)) {
      // One that fell silent was down before we knew. From here on by the timer: the clock may be set while we wait.
      const left = staleAfterMs - Math.max(0, clock.now() - downSince);
      timers.set(
        id,
        clock.after(Math.max(0, left), () => {
          overdue.add(id);
          judge();
        }),
      );
    }
  }

  return {
    source: {
      get state() {
        return staleSince === null ? 'FRESH' : 'STALE';
      },
      get staleSince() {
        return staleSince;
      },
      watches: () => states.map((state) => ({ ...state() })),
      subscribe(listener) {
        const own = (state: Freshness) => listener(state);
        listeners.add(own);
        return () => listeners.delete(own);
      },
    },
    track(state) {
      const id = states.push(state) - 1;
      return () => changed(id, state().downSince);
    },
    stop() {
      for (const id of [...timers.keys()]) forget(id);
    },
  };
}
