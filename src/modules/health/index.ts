import { join } from 'node:path';
import { openSqlite } from '../../database.ts';
import { defineModule } from '../../module.ts';
import { Runs } from '../runs/service.ts';
import { healthConfig } from './config.ts';
import { createHealthStream, startHistory } from './health.ts';
import { addHealth } from './schema.ts';
import { Health } from './service.ts';
import { openTransitions } from './transitions.ts';

/** Health as it changes: a stream of it, and its history. */
export const health = defineModule({
  name: 'health',
  description: 'Streams every change of health and keeps the history of it.',
  needs: { runs: Runs },
  provides: { health: Health },
  config: healthConfig,
  schema: addHealth,
  async start({ config, deps: { runs }, cluster, clock, log, dataDir, onStop }) {
    const changes = createHealthStream(runs, cluster, clock);
    onStop(() => changes.stop());
    if (config.history === 'off') return { health: { changes, transitions: () => Promise.resolve(null) } };
    const store = await openTransitions(openSqlite(join(dataDir, 'health.db')), () => clock.now());
    const history = await startHistory({ runs, store, config, clock, log });
    onStop(() => history.stop());
    return { health: { changes, transitions: (key, last) => history.transitions(key, last) } };
  },
});
