import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Fault } from './api-proxy.ts';
import type { Operation } from './cases.ts';
import { carryOut, type Circumstances } from './failures.ts';
import { createWorld, type FailureWorld } from './world.ts';

/** What can become of a request: a read that fails leaves no more behind than one that is refused. */
function faultsOf(asked: string, first: boolean): readonly Fault[] {
  if (asked.startsWith('GET')) return ['lost'];
  return ['refused', 'lost', 'unanswered', 'diedAfter', ...(first ? (['diedBefore'] as const) : [])];
}

/** How many of what is drawn at random. */
export const runs = Number(process.env['SLIPWAY_FAILURE_RUNS'] ?? 10);
const both = [
  { repeated: true, served: true },
  { repeated: false, served: false },
];
/** Each takes its time, so without many runs asked for the requests take turns. */
const situations = (request: number) => (runs > 10 ? both : both.slice(request % 2, (request % 2) + 1));

const words = ({ faults, repeated, served }: Circumstances, asked: readonly string[]): string => {
  const failed = [...faults].map(([i, fault]) => `${asked[i]} (${i}) ${fault}`).join(', ');
  return `${failed}${repeated ? ', repeated' : ''}${served ? ', served' : ''}`;
};

/** At every request of these operations everything that can become of it; gives the world in which that is tried. */
export function failuresOf(operations: readonly Operation[]): () => FailureWorld {
  let world: FailureWorld;
  beforeAll(async () => {
    world = await createWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test.each(operations)(
    '$what: at no request can a failure or a crash open it or leave a half',
    { timeout: 600_000 },
    async (operation) => {
      const { asked, problems } = await carryOut(world, operation, {
        faults: new Map(),
        repeated: false,
        served: true,
      });
      expect(problems).toEqual([]);
      const writes = asked.filter((what) => !what.startsWith('GET'));
      expect(writes.length).toBeGreaterThan(0);
      const found: string[] = [];
      for (const [i, what] of asked.entries()) {
        for (const fault of faultsOf(what, what === writes[0])) {
          for (const there of situations(i)) {
            const circumstances = { faults: new Map([[i, fault]]), ...there };
            const outcome = await carryOut(world, operation, circumstances);
            found.push(...outcome.problems.map((problem) => `${words(circumstances, asked)}: ${problem}`));
          }
        }
      }
      expect(found).toEqual([]);
    },
  );
  return () => world;
}
