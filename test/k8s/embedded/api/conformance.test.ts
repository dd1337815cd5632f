import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../../src/clock.ts';
import { startApi } from '../../../../src/k8s/embedded/api/index.ts';
import { createLog } from '../../../../src/log.ts';
import { topics } from '../../../cluster/conformance/index.ts';
import { runTopics } from '../../../cluster/conformance/suite.ts';

/** The cases that also run on a real API server, by `npm run test:cluster`. */
runTopics(topics, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-api-'));
  const log = createLog(process.env['SLIPWAY_TEST_LOG'] ?? 'silent');
  const api = await startApi({ dataDir, port: 0, clock: systemClock, log });
  return {
    url: api.url,
    async close() {
      await api.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
});
