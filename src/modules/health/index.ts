import { openDatabase } from '../../database.ts';
import { defineModule } from '../../module.ts';
import { Metrics } from '../metrics/service.ts';
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
  uses: { metrics: Metrics },
  provides: { health: Health },
  config: healthConfig,
  schema: addHealth,
  async start(host) {
    const { config, cluster, clock, log } = host;
    const { runs, metrics } = host.deps;
    const changes = createHealthStream(runs, cluster, clock);
    metrics?.stream('serviceHealthChanged', changes);
    host.onStop(() => changes.stop());
    if (config.historyUrl === 'off') return { health: { changes, transitions: () => Promise.resolve(null) } };
    const database = await openDatabase(config.historyUrl, host.dataDir);
    const store = await openTransitions(database, () => clock.now());
    const history = startHistory({ runs, store, config, clock, log });
    host.onStop(() => history.stop());
    return { health: { changes, transitions: history.transitions } };
  },
});
