import { describe, expect, test } from 'vitest';
import { faults } from './soak/faults.ts';
import { soak } from './soak/soak.ts';

/**
 * `SLIPWAY_SOAK_SEEDS=100` runs the seeds 1 to 100, `SLIPWAY_SOAK_SEEDS=17-17` the seed 17 alone. The default is what fits
 * into every run of the tests.
 */
const wanted = /^(?:(\d+)-)?(\d+)$/.exec(process.env.SLIPWAY_SOAK_SEEDS ?? '1');
const [from, to] = [Number(wanted?.[1] ?? 1), Number(wanted?.[2] ?? 3)];
const seeds = Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('10,000 changes of 2,000 objects with every fault in between', () => {
  test.for(seeds)(
    'seed %i: nothing is missed, invented, revived or kept too long',
    { timeout: 600_000 },
    async (seed) => {
      const found = await soak(seed);
      expect(found.problems).toEqual([]);
      expect(found.missedEnds).toEqual([]);
      expect(found.differences).toEqual([]);
      expect(found.misfiled).toEqual([]);
      expect(found.mostWatches).toBe(1);
      expect(found.mismatches).toBe(0);
      expect(found.checks).toBeGreaterThan(0);
      expect(found.struck).toEqual(Object.fromEntries(faults.map(({ name, times }) => [name, times])));
      expect(found.told.DELETED).toBeGreaterThan(500);
    },
  );
});
