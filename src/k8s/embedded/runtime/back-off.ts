/** The kubelet's back-off: the first restart is at once, the next after 10 s, then doubling up to 300 s. */
export interface BackOff {
  /** How long a restart at `now` still has to wait for a container that ended at `endedAt`; 0: not at all. */
  remaining(endedAt: number, now: number): number;
  /** The present delay, for messages. */
  readonly delayMs: number;
  /** Notes a restart: the next one waits longer. */
  restarted(endedAt: number, now: number): void;
}

const initialMs = 10_000;
const maxMs = 300_000;
/** Who ran this long is well again. */
const resetMs = 2 * maxMs;

export function createBackOff(): BackOff {
  let delayMs = 0;
  let updatedAt = 0;
  const expired = (endedAt: number) => delayMs > 0 && endedAt - updatedAt > resetMs;
  return {
    get delayMs() {
      return delayMs;
    },
    remaining(endedAt, now) {
      return expired(endedAt) ? 0 : Math.max(0, endedAt + delayMs - now);
    },
    restarted(endedAt, now) {
      delayMs = delayMs === 0 || expired(endedAt) ? initialMs : Math.min(delayMs * 2, maxMs);
      updatedAt = now;
    },
  };
}

/** `10s`, `2m40s`, `5m0s`: as Go prints a duration of whole seconds. */
export function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
