import { type Clock, systemClock } from '../../../src/clock.ts';

/** The real clock, but for timers of the held durations: they run only when the test says so. */
export interface HeldClock extends Clock {
  /** Resolves once a timer of this duration is set. */
  set(ms: number): Promise<void>;
  /** Resolves once no timer of this duration is set. */
  cleared(ms: number): Promise<void>;
  /** Runs a timer of this duration as soon as there is one. */
  fire(ms: number): Promise<void>;
  /** Adds to the time of day. */
  shift(ms: number): void;
}

export function holdTimers(...held: number[]): HeldClock {
  const timers = new Set<{ ms: number; task: () => void }>();
  const waiting = new Set<() => void>();
  let shifted = 0;
  const find = (ms: number) => [...timers].find((timer) => timer.ms === ms);
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!condition()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  const changed = () => {
    for (const check of waiting) check();
  };
  const set = (ms: number) => until(() => find(ms) !== undefined);
  return {
    now: () => systemClock.now() + shifted,
    after(ms, task) {
      if (!held.includes(ms)) return systemClock.after(ms, task);
      const timer = { ms, task };
      timers.add(timer);
      changed();
      return () => {
        timers.delete(timer);
        changed();
      };
    },
    set,
    cleared: (ms) => until(() => find(ms) === undefined),
    async fire(ms) {
      await set(ms);
      const timer = find(ms);
      if (!timer) return;
      timers.delete(timer);
      timer.task();
    },
    shift(ms) {
      shifted += ms;
    },
  };
}
