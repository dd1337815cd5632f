import { defineModule } from '../../module.ts';
import { Redaction } from '../invoke/service.ts';
import { Metrics } from '../metrics/service.ts';
import { RunAction, Runs } from '../runs/service.ts';
import { exposeAction } from './action.ts';
import { checkParent } from './check.ts';
import { createBackends } from './backends.ts';
import { createChanges } from './changes.ts';
import { config } from './config.ts';
import { envoyGateway } from './envoy-gateway.ts';
import { createExposable, Exposable } from './exposable.ts';
import { createOperations, GatewayOperations } from './operations.ts';
import { apiKeyRedaction } from './redaction.ts';
import { addGateways } from './schema/index.ts';
import { Gateways, PolicyBackend } from './service.ts';
import { createInForce } from './in-force.ts';
import { startOpening } from './opening.ts';
import { createStore } from './store.ts';
import { startSweep } from './sweep.ts';
import { defaultParent } from './targets.ts';
import { traefik } from './traefik.ts';
import { createWaits } from './waits.ts';
import { callerRules, gatewayRules, gatewayWatches } from './watches.ts';

/** Exposes services on public hostnames, protected, and says how that is going. */
export const gateways = defineModule({
  name: 'gateways',
  description:
    'Exposes services on public hostnames with passwords, API keys or signed tokens, never open by accident.',
  needs: { runs: Runs },
  uses: { backends: PolicyBackend, metrics: Metrics },
  provides: {
    gateways: Gateways,
    operations: GatewayOperations,
    exposable: Exposable,
    backends: PolicyBackend,
    actions: RunAction,
    redaction: Redaction,
  },
  config,
  rbac: gatewayRules,
  callerRbac: callerRules,
  check: checkParent,
  watches: gatewayWatches,
  schema: addGateways,
  start(host) {
    const { config, deps, cluster, clock, log } = host;
    const { runs } = deps;
    const own = [envoyGateway, traefik];
    const backends = createBackends([...own, ...deps.backends], config.policy);
    const store = createStore({ cluster, runs, backends, clock, log });
    host.onStop(() => store.stop());
    host.ready(() => (store.started ? null : 'the cluster has not been listed yet.'));
    const changes = createChanges(store, cluster, clock);
    host.onStop(() => changes.stop());
    deps.metrics?.stream('gatewayChanged', changes);
    for (const resource of backends.resources) {
      const sweep = startSweep({ cluster, resource, clock, log });
      host.onStop(() => sweep.stop());
    }
    const inForce = createInForce(store, cluster, clock);
    host.onStop(() => inForce.stop());
    const waits = createWaits({ config, cluster, store, inForce, log });
    const opening = startOpening({ cluster, store, inForce, waits, clock, log });
    host.onStop(() => opening.stop());
    const parts = { store, cluster, runs, config, backends, inForce, waits, opening, clock, log };
    return {
      gateways: Object.assign(store, { changes }),
      operations: createOperations(parts),
      exposable: createExposable({ ...parts, parents: store.parents, defaultParent: defaultParent(parts) }),
      backends: own,
      actions: [exposeAction(cluster)],
      redaction: [apiKeyRedaction(store)],
    };
  },
});
