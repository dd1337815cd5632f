const firstMs = 800;
const capMs = 30_000;

/** How long to wait after each failure in a row: 0.8 s, doubling to 30 s, half of it jittered. */
export interface Backoff {
  /** Failures in a row so far. */
  readonly failures: number;
  next(): number;
  /** The first step, without counting a failure. */
  least(): number;
  reset(): void;
}

export function createBackoff(random: () => number): Backoff {
  let failures = 0;
  const step = (count: number) => Math.min(capMs, firstMs * 2 ** (count + 1)) * (0.5 + random() * 0.5);
  return {
    get failures() {
      return failures;
    },
    next: () => step(failures++),
    least: () => step(0),
    reset() {
      failures = 0;
    },
  };
}
