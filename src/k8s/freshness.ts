import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Freshness, FreshnessSource, WatchState } from './cluster.ts';

/** How long a watch may be down before what it feeds is called stale. */
const staleAfterMs = 5_000;

export interface FreshnessTracker {
  readonly source: FreshnessSource;
  /** Adds a watch and gives the function to call when it went up or down. */
  track(state: () => Readonly<WatchState>): () => void;
  stop(): void;
}

export function createFreshness(clock: Clock, log: Log): FreshnessTracker {
  const states: (() => Readonly<WatchState>)[] = [];
  const timers = new Map<number, () => void>();
  const listeners = new Set<(state: Freshness) => void>();
  let staleSince: number | null = null;

  function turn(since: number | null): void {
    staleSince = since;
    const state = since === null ? 'FRESH' : 'STALE';
    log[since === null ? 'info' : 'warn'](`the caches are ${state.toLowerCase()}`);
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

  function changed(id: number, down: boolean): void {
    if (!down) {
      forget(id);
      if (staleSince !== null && states.every((state) => state().downSince === null)) turn(null);
      return;
    }
    if (timers.has(id)) return;
    // By the timer, not by the difference of two readings: the clock may be set while we wait.
    timers.set(
      id,
      clock.after(staleAfterMs, () => {
        if (staleSince === null) turn(clock.now());
      }),
    );
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
      const report = () => changed(id, state().downSince !== null);
      return report;
    },
    stop() {
      for (const id of timers.keys()) forget(id);
    },
  };
}
