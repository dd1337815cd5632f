/** One line of the table: what was measured, our figure, and what it is compared with. */
export interface Figure {
  what: string;
  ours: string;
  comparedWith?: string;
  ratio?: string;
}

/** Prints the figures, and hands them to `bench/index.ts` when that has started this bench. */
export function report(figures: readonly Figure[]): void {
  // oxlint-disable-next-line no-console -- a table is what it is for
  console.table(figures);
  process.send?.(figures);
}

/** The `share` quantile, 0.99 for p99; sorts the values. */
export function quantile(values: number[], share: number): number {
  values.sort((a, b) => a - b);
  return values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
}

export const round = (value: number, digits = 1): number => Number(value.toFixed(digits));
export const ms = (value: number): string => `${round(value)} ms`;
export const times = (ours: number, other: number): string => `${round(ours / other, 2)}×`;

/** A size, as the whole run is scaled by BENCH_SCALE. */
export const scaled = (size: number): number => Math.max(1, Math.round(size * Number(process.env['BENCH_SCALE'] ?? 1)));
