import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: join(import.meta.dirname, '../..'),
  // As in the other suites: one copy of graphql.
  ssr: { resolve: { conditions: ['module', 'node', 'module-sync'] } },
  test: {
    include: ['test/deploy/**/*.test.ts'],
    globalSetup: 'test/deploy/global-setup.ts',
    pool: 'forks',
    fileParallelism: false,
    // They only end what hangs: on a busy machine anything may take long.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 120_000,
    expect: { poll: { timeout: 240_000 } },
  },
});
