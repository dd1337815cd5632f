const firstMs = 800;
const patientMs = 4_000;
const capMs = 30_000;

/** How long to wait after each failure in a row. */
export interface Backoff {
  /** Failures in a row so far. */
  readonly failures: number;
  next(): number;
  /** The first step, without counting a failure. */
  least(): number;
  reset(): void;
}

/**
 * 0.8 s, doubling to 30 s, half of it jittered. The first `patient` steps stay below 4 s: most outages last less than a
 * minute, and their end should be noticed soon.
 */
export function createBackoff(random: () => number, patient = 16): Backoff {
  let failures = 0;
  const step = (count: number) =>
    Math.min(firstMs * 2 ** (count + 1), count < patient ? patientMs : capMs) * (0.5 + random() * 0.5);
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
