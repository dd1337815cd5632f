import { defineModule } from '../../module.ts';
import { runActions } from './actions.ts';
import { runsConfig } from './config.ts';
import { createRuns, notListed } from './runs.ts';
import { addRuns } from './schema/index.ts';
import { RunAction, RunSource, Runs } from './service.ts';
import { builtinSources } from './sources/index.ts';
import { callerRules, runWatches, watchRules } from './watches.ts';
import { RunOperations, createOperations } from './write/operations.ts';

/** Finds, judges, starts, stops and scales service runs. */
export const runs = defineModule({
  name: 'runs',
  description: 'Finds service runs, says how they are and why, and starts, stops and scales them.',
  provides: { runs: Runs, operations: RunOperations, sources: RunSource, actions: RunAction },
  uses: { sources: RunSource },
  config: runsConfig,
  rbac: watchRules,
  callerRbac: callerRules,
  watches: runWatches,
  schema: addRuns,
  start(host) {
    const { config, deps, cluster, clock, log } = host;
    const { maxReplicas, sources: _, ...health } = config;
    const settings = { ...health, addressing: cluster.mode === 'EMBEDDED' ? ('ip' as const) : ('dns' as const) };
    const own = builtinSources(config);
    const runs = createRuns({ cluster, clock, log, settings, sources: [...own, ...deps.sources] });
    host.onStop(() => runs.stop());
    host.ready(() => (runs.started ? null : notListed(cluster.freshness)));
    const operations = createOperations({ runs, cluster, clock, log, settings, maxReplicas });
    return { runs, operations, sources: own, actions: runActions };
  },
});
