import type { Clock } from '../../src/clock.ts';

interface Timer {
  at: number;
  ms: number;
  task: () => void;
}

/** A clock that stands still until it is moved. */
export interface TestClock extends Clock {
  advance(ms: number): void;
  /** Resolves as soon as a timer of exactly `ms` runs. */
  timer(ms: number): Promise<void>;
  readonly timers: number[];
}

export function createTestClock(start = Date.parse('2026-01-01T00:00:00Z')): TestClock {
  let now = start;
  const timers = new Set<Timer>();
  const waiting = new Set<() => void>();
  return {
    now: () => now,
    after(ms, task) {
      const timer = { at: now + ms, ms, task };
      timers.add(timer);
      for (const check of [...waiting]) check();
      return () => timers.delete(timer);
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const due = [...timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
        if (!due) break;
        timers.delete(due);
        now = Math.max(now, due.at);
        due.task();
      }
      now = end;
    },
    timer(ms) {
      return new Promise((resolve) => {
        const check = () => {
          if (![...timers].some((timer) => timer.ms === ms)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      });
    },
    get timers() {
      return [...timers].map((timer) => timer.ms);
    },
  };
}
