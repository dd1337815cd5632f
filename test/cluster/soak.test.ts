import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { startControlPlane } from './control-plane/index.ts';
import { faults } from './soak/faults.ts';
import { soakOn } from './soak/on-control-plane.ts';

/** With watch caches a version is too old when it is from before the server's start; without, when etcd has forgotten it. */
const seeds = [
  { seed: 1, caches: 'watch caches', flags: [], compacts: false },
  { seed: 2, caches: 'no watch caches', flags: ['--watch-cache=false'], compacts: true },
];

/** A part of it fits into every run of the suite; the whole is `SLIPWAY_CLUSTER_SOAK_SCALE=1`, some four minutes a seed. */
const scale = Number(process.env['SLIPWAY_CLUSTER_SOAK_SCALE'] ?? 0.2);

describe.runIf(inject('cluster').apiServer)(
  `${10_000 * scale} changes of 2,000 objects on a real API server, with disconnects, 410s and restarts`,
  () => {
    it.for(seeds)(
      'seed $seed, a server with $caches: nothing is missed, invented, revived or kept too long',
      { timeout: 1_200_000 },
      async ({ seed, flags, compacts }) => {
        const plane = await startControlPlane({ nodes: [], controllers: false, apiServerFlags: flags });
        const folder = await mkdtemp(join(tmpdir(), 'slipway-soak-'));
        try {
          const found = await soakOn(plane, folder, { seed, compacts, scale });
          expect(found.problems).toEqual([]);
          expect(found.missedEnds).toEqual([]);
          expect(found.differences).toEqual([]);
          expect(found.mostWatches).toBe(1);
          expect(found.struck).toEqual(
            Object.fromEntries(faults.map(({ name, times }) => [name, Math.ceil(times * scale)])),
          );
          expect(found.expired).toBeGreaterThanOrEqual(20 * scale);
          expect(found.told.DELETED).toBeGreaterThan(500 * scale);
          expect(found.freshness).toBe('FRESH');
        } finally {
          await plane.stop();
          await rm(folder, { recursive: true });
        }
      },
    );
  },
);
