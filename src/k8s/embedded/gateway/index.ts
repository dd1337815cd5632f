import type { EmbeddedPart, Running } from '../controllers/service.ts';
import { createKeySets } from './auth/jwks.ts';
import { createDispatch } from './dispatch.ts';
import { findListeners } from './listeners.ts';
import { resolvePolicies } from './policies.ts';
import { createProxy } from './proxy.ts';
import { evaluateRoute } from './routes.ts';
import { closeServer, createGatewayServer, listen } from './server.ts';
import { readState, watchedKinds } from './state.ts';
import { statusUpdates } from './status.ts';
import { createStatusWriter } from './status-writer.ts';
import { buildTable, emptyTable, type RoutingTable } from './table.ts';

export { controllerName } from './conditions.ts';

/** The data plane of the embedded cluster: serves its HTTPRoutes on one loopback port, and says so in their status. */
export async function startGateway(part: EmbeddedPart & { port: number }): Promise<Running & { url: string }> {
  const { api, clock, log, addresses } = part;
  let table: RoutingTable = emptyTable;
  const proxy = createProxy(clock);
  const server = createGatewayServer(
    createDispatch(() => table),
    proxy,
    log,
  );
  const port = await listen(server, part.port);
  const keySets = createKeySets();
  const writer = createStatusWriter(api, log);

  const evaluate = () => {
    const state = readState(api);
    const listeners = findListeners(state, port);
    const policies = resolvePolicies({ state, keySets, clock }, listeners);
    keySets.prune();
    const routes = state.routes.map((route) => evaluateRoute(state, route, listeners, (a) => addresses.owns(a)));
    table = buildTable(routes, policies);
    // After the table is in place: whoever reads that a route is accepted may call it.
    writer.write(statusUpdates({ state, listeners, routes, policies }, new Date(clock.now()).toISOString()));
  };
  const evaluateSafely = () => {
    try {
      evaluate();
    } catch (error) {
      log.error({ err: error }, 'the routing table could not be built; the last one stays');
    }
  };
  const schedule = coalesced(evaluateSafely);
  const unsubscribe = watchedKinds.map((resource) => api.observe(resource, schedule.request));
  evaluateSafely();

  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      for (const stop of unsubscribe) stop();
      schedule.stop();
      await closeServer(server);
      proxy.close();
      await writer.stop();
    },
  };
}

/** Many requests in one turn of the event loop make one run. */
function coalesced(task: () => void): { request: () => void; stop: () => void } {
  let scheduled: NodeJS.Immediate | null = null;
  return {
    request() {
      scheduled ??= setImmediate(() => {
        scheduled = null;
        task();
      });
    },
    stop() {
      if (scheduled) clearImmediate(scheduled);
    },
  };
}
