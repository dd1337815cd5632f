import { type Clock, systemClock } from '../../../../src/clock.ts';

/** The system's clock, which can be moved on: what is due in the meantime runs at once. */
export function createJumpClock(): Clock & { jump(ms: number): void } {
  let jumped = 0;
  const timers = new Set<{ due: number; fire: () => void }>();
  const now = () => systemClock.now() + jumped;
  return {
    now,
    after(ms, task) {
      const timer = {
        due: now() + ms,
        fire() {
          if (!timers.delete(timer)) return;
          cancel();
          task();
        },
      };
      timers.add(timer);
      const cancel = systemClock.after(ms, () => timer.fire());
      return () => {
        timers.delete(timer);
        cancel();
      };
    },
    jump(ms) {
      jumped += ms;
      for (const timer of [...timers].toSorted((a, b) => a.due - b.due)) if (timer.due <= now()) timer.fire();
    },
  };
}
