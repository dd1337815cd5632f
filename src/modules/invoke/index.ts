import { BootError } from '../../boot-error.ts';
import { openDatabase } from '../../database.ts';
import { defineModule } from '../../module.ts';
import { Metrics } from '../metrics/service.ts';
import { RunAction, Runs } from '../runs/service.ts';
import { audit } from './audit.ts';
import { createCalls } from './calls.ts';
import { createConnections } from './connections.ts';
import { createEndpoints } from './endpoints.ts';
import { type InvokeConfig, invokeConfig } from './config.ts';
import { countCalls, countRecords } from './counting.ts';
import { guardHistory } from './history-guard.ts';
import { serveHar } from './har-route.ts';
import { type History, openHistory } from './history.ts';
import { createInvoker } from './invoker.ts';
import { createRecorder } from './recorder.ts';
import { builtinRedaction, createRedactor } from './redaction.ts';
import { keepTidy } from './retention.ts';
import { addInvoke } from './schema/index.ts';
import { Invocations, Redaction } from './service.ts';
import { createSlots } from './slots.ts';
import { admittedAddresses } from './target.ts';
import { invokeAction } from './action.ts';

/** Calls services on behalf of callers, safely, and keeps the history of it. */
export const invoke = defineModule({
  name: 'invoke',
  description: 'Calls services for callers outside the cluster, and keeps a history of it.',
  needs: { runs: Runs },
  uses: { redactions: Redaction, metrics: Metrics },
  provides: { invocations: Invocations, redaction: Redaction, actions: RunAction },
  config: invokeConfig,
  schema: addInvoke,
  async start({ config, deps, cluster, clock, dataDir, log, signal, route, onStop }) {
    const history = await historyFor(config, dataDir, () => clock.now());
    const recorder = history && createRecorder({ history, clock, log });
    if (history && recorder) {
      onStop(() => history.close());
      onStop(() => recorder.close());
      onStop(await keepTidy({ history, config, clock, log }));
      countRecords(deps.metrics, recorder);
      route('/invocations.har', serveHar(history));
    }
    const count = countCalls(deps.metrics);
    const calls = createCalls({
      runs: deps.runs,
      history,
      recorder,
      config,
      redactor: createRedactor(deps.redactions, config),
      slots: createSlots({ total: config.maxCalls, perCaller: config.maxCallsPerCaller }),
      endpoints: createEndpoints(cluster),
      admits: admittedAddresses(cluster),
      onEnd(mutation, run, entry) {
        audit(log, mutation, run, entry);
        count(mutation, entry);
      },
      clock,
      log,
    });
    const connections = createConnections(clock);
    onStop(() => connections.close());
    // The signal has ended them all: their ends are still to be recorded.
    onStop(() => calls.idle());
    return {
      invocations: createInvoker({ calls, connections, history, config, clock, log, signal }),
      redaction: [builtinRedaction],
      actions: [invokeAction],
    };
  },
});

async function historyFor(config: InvokeConfig, dataDir: string, now: () => number): Promise<History | null> {
  if (config.historyUrl === 'off') return null;
  const database = await openDatabase(config.historyUrl, dataDir);
  try {
    const { historyDays: days, historyPerCaller: perCaller } = config;
    return guardHistory(await openHistory({ database, now, days, perCaller }));
  } catch (error) {
    await database.close().catch(() => {});
    throw new BootError([
      {
        module: 'invoke',
        field: 'historyUrl',
        message: `the history can't be opened: ${(error as Error).message}`,
        remedy: 'Name a database that can be reached and written, or set it to "off".',
      },
    ]);
  }
}
