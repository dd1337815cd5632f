import { Bag } from './bag.ts';

/** Calls `end` once something is over, at once where it is already; the returned function calls that off. */
export type When = (end: () => void) => () => void;

/** When a signal is aborted. */
export function aborted(signal: AbortSignal): When {
  return (end) => {
    if (signal.aborted) {
      end();
      return () => {};
    }
    signal.addEventListener('abort', end, { once: true });
    return () => signal.removeEventListener('abort', end);
  };
}

/**
 * The same for a signal that lives long and ends many short tasks: with one listener for all of them. Those that were removed
 * from a signal still lead from one to the next, so that the collector of young memory would free none of them.
 */
export function abortedForMany(signal: AbortSignal): When {
  const ends = new Bag<() => void>();
  const endAll = () => {
    for (const end of ends) end();
  };
  signal.addEventListener('abort', endAll, { once: true });
  return (end) => {
    if (!signal.aborted) return ends.add(end);
    end();
    return () => {};
  };
}
