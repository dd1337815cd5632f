import type { Clock } from '../clock.ts';

/** Those that wait are woken over so long, and no more than a hundred in a second. */
const spreadMs = 500;
const spreadForEachMs = 10;

/** The waits after failures of all who ask one server: when one of them is answered again, the others need not wait longer. */
export interface Outage {
  /** For one of them. */
  join(): Pauses;
}

export interface Pauses {
  /** Waits so long, or until soon after somebody else was answered again: then it was woken. */
  pause(ms: number, signal: AbortSignal): Promise<'woken' | 'waited'>;
  /** It was answered as by a server that is well. */
  answered(): void;
  /** All was well for a while. */
  rest(): void;
}

export function createOutage(clock: Clock, random: () => number): Outage {
  const waiting = new Set<(spread: number) => void>();

  function join(): Pauses {
    let failing = false;
    // Once until all was well for a while: what fails again and again is not asked for more often.
    let woken = false;
    return {
      answered() {
        if (failing) {
          const spread = Math.max(spreadMs, waiting.size * spreadForEachMs);
          for (const wake of [...waiting]) wake(spread);
        }
        failing = false;
      },
      rest() {
        woken = false;
      },
      async pause(ms, signal) {
        failing = true;
        if (signal.aborted) return 'waited';
        const over = Promise.withResolvers<void>();
        const timers = [clock.after(ms, over.resolve)];
        let how: 'woken' | 'waited' = 'waited';
        const wake = (spread: number) => {
          waiting.delete(wake);
          woken = true;
          how = 'woken';
          timers.push(clock.after(random() * spread, over.resolve));
        };
        const end = () => over.resolve();
        if (!woken) waiting.add(wake);
        signal.addEventListener('abort', end, { once: true });
        await over.promise;
        signal.removeEventListener('abort', end);
        waiting.delete(wake);
        for (const cancel of timers) cancel();
        return how;
      },
    };
  }
  return { join };
}
