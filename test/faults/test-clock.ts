import type { Clock } from '../../src/clock.ts';

interface Timer {
  at: number;
  task: () => void;
}

/** A clock that stands still until it is moved. */
export interface TestClock extends Clock {
  /** Time passes: what is due in it runs, in order. */
  advance(ms: number): void;
  /** Somebody sets the clock: what was due in a minute still is. */
  set(now: number): void;
  /** Nothing runs for so long, as in a stopped process: then all that was due is late. */
  freeze(ms: number): void;
  readonly timers: number;
}

export function createTestClock(start = Date.parse('2026-01-01T00:00:00Z')): TestClock {
  /** Monotonic; what `now` says differs from it by `offset`. */
  let time = 0;
  let offset = start;
  const timers = new Set<Timer>();

  function runDue(until: number, late: boolean): void {
    for (;;) {
      const due = [...timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (!due) return;
      timers.delete(due);
      if (!late) time = Math.max(time, due.at);
      due.task();
    }
  }

  return {
    now: () => offset + time,
    after(ms, task) {
      const timer = { at: time + ms, task };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      const end = time + ms;
      runDue(end, false);
      time = end;
    },
    set(now) {
      offset = now - time;
    },
    freeze(ms) {
      time += ms;
      runDue(time, true);
    },
    get timers() {
      return timers.size;
    },
  };
}
