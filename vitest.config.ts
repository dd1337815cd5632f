import { defineConfig } from 'vitest/config';

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
    // Half of the time is waiting for other processes, so the runner needs no processor for itself.
    maxWorkers: '100%',
    // They only end what hangs: on a busy machine anything may take long.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 60_000,
    expect: { poll: { timeout: 100_000 } },
  },
});
