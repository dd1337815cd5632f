const units = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;

/** A GEP-2257 duration (`1h30m`, `500ms`) in milliseconds; null when malformed. */
export function parseDuration(text: string): number | null {
  if (!/^(?:\d{1,5}(?:h|m|s|ms)){1,4}$/.test(text)) return null;
  let total = 0;
  for (const [, digits, unit] of text.matchAll(/(\d+)(ms|h|m|s)/g)) {
    total += Number(digits) * units[unit as keyof typeof units];
  }
  return total;
}
