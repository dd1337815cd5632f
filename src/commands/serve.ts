import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { systemClock } from '../clock.ts';
import type { Environment, Settings } from '../config.ts';
import { connect } from '../k8s/connect.ts';
import { type EmbeddedCluster, startEmbedded } from '../k8s/embedded/index.ts';
import type { Log } from '../log.ts';
import { Metrics } from '../modules/metrics/service.ts';
import { type RunningServer, createServer } from '../server.ts';
import { connectionOf } from './connection.ts';
import { loadModules } from './load-modules.ts';

/** The endpoints of a Service are usually updated everywhere by then. */
const usualDrainMs = 5_000;

/** Starts what the settings ask for and logs the ready line. */
export async function serve(
  settings: Settings,
  environment: Environment,
  log: Log,
): Promise<{ stop(): Promise<void>; server: RunningServer }> {
  const { modules, config } = await loadModules(settings, environment);
  const dataDir = resolve(settings.SLIPWAY_DATA_DIR);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const embedded = settings.SLIPWAY_CLUSTER === 'embedded' ? await startEmbeddedCluster(settings, dataDir, log) : null;
  try {
    const cluster = await connect({ ...connectionOf(settings, environment, log), ...(embedded && { embedded }) });
    const server = await createServer({
      modules,
      config,
      cluster,
      host: settings.SLIPWAY_HOST,
      port: settings.SLIPWAY_PORT,
      ...(settings.SLIPWAY_ALLOWED_HOSTS && { allowedHosts: settings.SLIPWAY_ALLOWED_HOSTS }),
      ...(settings.SLIPWAY_ALLOWED_ORIGINS && { allowedOrigins: settings.SLIPWAY_ALLOWED_ORIGINS }),
      drainMs: settings.SLIPWAY_DRAIN_MS ?? (settings.SLIPWAY_CLUSTER === 'in-cluster' ? usualDrainMs : 0),
      socketLimits: {
        sockets: settings.SLIPWAY_MAX_SOCKETS,
        socketsPerCaller: settings.SLIPWAY_MAX_SOCKETS_PER_CALLER,
      },
      requestLimits: {
        queryBytes: settings.SLIPWAY_MAX_QUERY_BYTES,
        variablesBytes: settings.SLIPWAY_MAX_VARIABLES_BYTES,
        cost: settings.SLIPWAY_MAX_COST,
      },
      dataDir,
      log,
    });
    await announce(server, embedded, dataDir, log);
    return {
      server,
      async stop() {
        await server.stop();
        await embedded?.stop();
      },
    };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}

function startEmbeddedCluster(settings: Settings, dataDir: string, log: Log): Promise<EmbeddedCluster> {
  return startEmbedded({
    dataDir,
    apiPort: settings.SLIPWAY_EMBEDDED_API_PORT,
    gatewayPort: settings.SLIPWAY_GATEWAY_PORT,
    demo: settings.SLIPWAY_DEMO,
    namespace: settings.SLIPWAY_NAMESPACE,
    clock: systemClock,
    log: log.child({ part: 'embedded' }),
  });
}

/**
 * Writes `endpoints.json`, and once the cluster is listed logs the one line that says the server is ready and where. A
 * cluster that can't be reached yet is no reason not to start: `/readyz` tells, and the line comes later.
 */
async function announce(
  server: RunningServer,
  embedded: EmbeddedCluster | null,
  dataDir: string,
  log: Log,
): Promise<void> {
  const endpoints = {
    graphql: `${server.url}/graphql`,
    console: null,
    kubernetes: server.cluster.url,
    gateway: embedded?.gatewayUrl ?? null,
    metrics: server.modules.find(Metrics)?.url ?? null,
  };
  await writeFile(join(dataDir, 'endpoints.json'), `${JSON.stringify(endpoints, null, 2)}\n`);
  const addresses = { ...endpoints, ...(embedded && { graphiql: `${server.url}/graphiql` }) };
  void server.synced().then(() => log.info(addresses, 'ready'));
}
