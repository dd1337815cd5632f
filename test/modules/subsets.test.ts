import { validateSchema } from 'graphql';
import { describe, expect, test } from 'vitest';
import type { AnyModule, Refs } from '../../src/module.ts';
import { builtinModules } from '../../src/modules/index.ts';
import { buildSchema } from '../../src/schema/build.ts';
import { startTestServer } from '../../src/testing.ts';

const ids = (refs: Refs | undefined) => Object.values(refs ?? {}).map((ref) => ref.id);

function subsets(modules: readonly AnyModule[]): AnyModule[][] {
  const [first, ...rest] = modules;
  if (!first) return [[]];
  const without = subsets(rest);
  return [...without, ...without.map((subset) => [first, ...subset])];
}

function needsAreMet(subset: readonly AnyModule[]): boolean {
  const provided = subset.flatMap((module) => ids(module.provides));
  return subset.every((module) => ids(module.needs).every((id) => provided.includes(id)));
}

const cases = subsets(builtinModules)
  .filter(needsAreMet)
  .map((subset) => [subset.map((module) => module.name).join(', ') || 'none', subset] as const);

describe('every subset of the built-in modules whose needs are met', () => {
  test('there are as many as the needs allow', () => {
    // auth or not, metrics or not, times: no runs, or runs with any of health, invoke and gateways.
    expect(cases).toHaveLength(2 * 2 * (1 + 2 ** 3));
  });

  test.each(cases)('%s: builds a valid schema and starts', async (_names, subset) => {
    const schema = buildSchema(subset);
    expect(validateSchema(schema)).toEqual([]);
    const has = (name: string) => subset.some((module) => module.name === name);
    expect(schema.getQueryType()?.getFields()['serviceRuns'] !== undefined).toBe(has('runs'));
    expect(schema.getQueryType()?.getFields()['gateways'] !== undefined).toBe(has('gateways'));
    expect(schema.getType('Invocation') !== undefined).toBe(has('invoke'));
    await using server = await startTestServer({ modules: subset });
    expect(await server.data('{ viewer { name } cluster { mode freshness } }')).toEqual({
      viewer: { name: 'local' },
      cluster: { mode: 'EMBEDDED', freshness: 'FRESH' },
    });
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  });
});
