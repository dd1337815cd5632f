/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
export function createRandom(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    next,
    below,
    pick<T>(from: readonly T[]): T {
      const found = from[below(from.length)];
      if (found === undefined) throw new Error('nothing to pick from');
      return found;
    },
    /** In another order. */
    shuffled<T>(from: readonly T[]): T[] {
      const all = [...from];
      for (let index = all.length - 1; index > 0; index -= 1) {
        const other = below(index + 1);
        [all[index], all[other]] = [all[other] as T, all[index] as T];
      }
      return all;
    },
  };
}

export type Random = ReturnType<typeof createRandom>;
