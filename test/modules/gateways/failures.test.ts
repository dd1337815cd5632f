import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Fault } from './failures/api-proxy.ts';
import { operations } from './failures/cases.ts';
import { carryOut } from './failures/failures.ts';
import { failuresOf, runs } from './failures/suite.ts';

const world = failuresOf(operations.filter(({ from, to }) => !from || !to));

test('nor can several of them', { timeout: 600_000 }, async () => {
  const fault = fc.constantFrom<Fault>('refused', 'lost', 'unanswered', 'diedAfter');
  const faults = fc.uniqueArray(fc.tuple(fc.nat(11), fault), { minLength: 2, maxLength: 4, selector: ([i]) => i });
  const situation = fc.record({ operation: fc.constantFrom(...operations), faults, repeated: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(situation, async ({ operation, faults, repeated }) => {
      const outcome = await carryOut(world(), operation, { faults: new Map(faults), repeated, served: false });
      expect(outcome.problems).toEqual([]);
    }),
    { numRuns: runs },
  );
});
