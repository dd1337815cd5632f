import { BootError } from '../../boot-error.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import { openDatabase } from '../../database.ts';
import { abortedForMany } from '../../endings.ts';
import { type PolicyRule, defineModule } from '../../module.ts';
import { Metrics } from '../metrics/service.ts';
import { RunAction, Runs } from '../runs/service.ts';
import { audit } from './audit.ts';
import { createCalls } from './calls.ts';
import { type Connections, createConnections } from './connections.ts';
import { createEndpoints } from './endpoints.ts';
import { type InvokeConfig, invokeConfig } from './config.ts';
import { countCalls, countRecords } from './counting.ts';
import { guardHistory } from './history-guard.ts';
import { serveHar } from './har-route.ts';
import { type History, openHistory } from './history.ts';
import { createInvoker } from './invoker.ts';
import { createPreviews } from './previews.ts';
import { type Reach, createDirectReach } from './reach.ts';
import { createApiServerReach } from './reach-api-server.ts';
import { createRecorder } from './recorder.ts';
import { builtinRedaction, createRedactor } from './redaction.ts';
import { keepTidy } from './retention.ts';
import { addInvoke } from './schema/index.ts';
import { Invocations, Redaction } from './service.ts';
import { createSlots } from './slots.ts';
import { admittedAddresses } from './target.ts';
import { createTargets } from './targets.ts';
import { invokeAction } from './action.ts';

/** Where our own identity passes calls on; where callers are impersonated it is them who need it. */
const proxyRule: PolicyRule = {
  apiGroups: [''],
  resources: ['services/proxy'],
  verbs: ['get', 'create', 'update', 'patch', 'delete'],
};

/** Calls services on behalf of callers, safely, and keeps the history of it. */
export const invoke = defineModule({
  name: 'invoke',
  description: 'Calls services for callers outside the cluster, and keeps a history of it.',
  needs: { runs: Runs },
  uses: { redactions: Redaction, metrics: Metrics },
  provides: { invocations: Invocations, redaction: Redaction, actions: RunAction },
  config: invokeConfig,
  rbac: ({ reach }) => (reach === 'apiserver' ? [proxyRule] : []),
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
    // Its lines have no member whose name would call for redaction, and looking for one takes most of their time.
    const auditLog = log.child({}, { redact: [] });
    const connections = createConnections(clock);
    const reach = reachOf(config, cluster, connections);
    const count = countCalls(deps.metrics);
    const calls = createCalls({
      runs: deps.runs,
      history,
      recorder,
      config,
      redactor: createRedactor(deps.redactions, config),
      slots: createSlots({ total: config.maxCalls, perCaller: config.maxCallsPerCaller }),
      targets: createTargets(createEndpoints(cluster), admittedAddresses(cluster)),
      reach,
      onEnd(mutation, run, entry) {
        audit(auditLog, mutation, run, entry);
        count(mutation, entry);
      },
      clock,
      log,
    });
    onStop(() => connections.close());
    const previews = createPreviews(clock);
    onStop(() => previews.close());
    // The signal has ended them all: their ends are still to be recorded.
    onStop(() => calls.idle());
    return {
      invocations: createInvoker({
        calls,
        previews,
        reach,
        history,
        config,
        clock,
        log,
        whenStopped: abortedForMany(signal),
      }),
      redaction: [builtinRedaction],
      actions: [invokeAction],
    };
  },
});

function reachOf({ reach, tlsAuthorities }: InvokeConfig, cluster: Cluster, connections: Connections): Reach {
  const wanted = reach === 'auto' ? (cluster.mode === 'KUBECONFIG' ? 'apiserver' : 'direct') : reach;
  if (wanted === 'direct') return createDirectReach(connections, tlsAuthorities);
  if (!cluster.embedded) return createApiServerReach(cluster, connections);
  throw new BootError([
    {
      module: 'invoke',
      field: 'reach',
      message: 'the API server of the embedded cluster has no service proxy.',
      remedy: 'Set it to "direct" or "auto".',
    },
  ]);
}

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
