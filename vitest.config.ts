import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/longest-first.ts';

// What a worker, its threads and its programs load, the next one need not compile.
process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'node-compile-cache');

// graphql has a `development` export condition that Vite would take while yoga and Pothos, loaded by Node itself,
// do not: two copies of graphql in one process, and `instanceof GraphQLError` fails.
export default defineConfig({
  ssr: { resolve: { conditions: ['module', 'node', 'module-sync'] } },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/cluster/**', 'test/deploy/**', 'test/browser/**', 'test/postgres/**'],
    pool: 'forks',
    // Nothing keeps state at module scope, so files share what they import: a third of the time.
    isolate: false,
    // A third of the time is waiting for other processes and for time to pass.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    sequence: { sequencer: LongestFirst },
    // They only end what hangs: on a busy machine anything may take long.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 60_000,
    expect: { poll: { timeout: 100_000 } },
  },
});
