import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { EmbeddedInfo } from '../cluster.ts';
import { pods, services } from '../resources.ts';
import type { Definition } from './api/definition.ts';
import { startApi } from './api/index.ts';
import type { EmbeddedApi } from './api/service.ts';
import { startControllers } from './controllers/index.ts';
import { lockDataFolder } from './data-folder-lock.ts';
import { startGateway } from './gateway/index.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { type AddressPool, createAddressPool } from './runtime/addresses.ts';
import { startRuntime } from './runtime/index.ts';
import { seedDemo } from './seed/demo.ts';
import { ensureGateway, localGateway } from './seed/gateway.ts';
import { images } from './seed/images.ts';
import { ensureNamespace } from './seed/namespaces.ts';

export interface EmbeddedOptions {
  dataDir: string;
  /** 0 picks a free port. */
  apiPort: number;
  /** 0 picks a free port. */
  gatewayPort: number;
  /** Whether a new data folder gets the demo services. */
  demo: boolean;
  /** Default namespace for writes. */
  namespace: string;
  /** Whether the system has loopback aliases. @default what it says itself */
  aliases?: boolean;
  clock: Clock;
  log: Log;
  /** Kinds that its API serves besides its own. @default none */
  kinds?: readonly Definition[];
}

/** A cluster for one machine, running in this process. */
export interface EmbeddedCluster extends EmbeddedInfo {
  readonly api: EmbeddedApi;
  /** Where the Kubernetes API is served: `http://127.0.0.1:6443`. */
  readonly url: string;
  /** Ends everything, the programs of the Pods included. */
  stop(): Promise<void>;
}

/** Starts the embedded cluster on its data folder; what was there before goes on. */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedCluster> {
  const { dataDir, clock, log, namespace } = options;
  const stops: (() => Promise<void>)[] = [await lockDataFolder(dataDir)];
  const stop = async () => {
    for (const task of stops.splice(0).toReversed()) {
      await task().catch((error: unknown) =>
        log.error({ err: error }, 'a part of the embedded cluster did not stop well'),
      );
    }
  };
  try {
    const addresses = await createAddressPool(options.aliases === undefined ? {} : { aliases: options.aliases });
    const api = await startApi({
      dataDir,
      port: options.apiPort,
      clock,
      log,
      kinds: options.kinds ?? [],
      allocateClusterIP: () => addresses.allocate(),
      releaseClusterIP: (address) => addresses.release(address),
    });
    stops.push(() => api.stop());
    reserveAddresses(api, addresses);
    const part = { api, clock, log, dataDir, addresses };
    for (const name of new Set(['default', namespace])) await ensureNamespace(api, name);

    // The gateway first: a taken port is found before any program is started or adopted.
    const gateway = await startGateway({ ...part, port: options.gatewayPort });
    stops.push(() => gateway.stop());
    await ensureGateway(api, Number(new URL(gateway.url).port));
    if (options.demo) await seedDemo(api);
    const controllers = await startControllers(part);
    stops.push(() => controllers.stop());
    const runtime = await startRuntime({ ...part, images });
    stops.push(() => runtime.stop());

    const kubeconfig = join(dataDir, 'kubeconfig');
    await writeKubeconfig(kubeconfig, api.url, namespace);
    return {
      api,
      url: api.url,
      gatewayUrl: gateway.url,
      gatewayParent: localGateway,
      kubeconfig,
      ownsAddress: (address) => addresses.owns(address),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What Services and Pods have from before is taken before anything new is handed out. */
function reserveAddresses(api: EmbeddedApi, addresses: AddressPool): void {
  for (const { spec } of api.list(services)) if (spec.clusterIP) addresses.reserve(spec.clusterIP);
  for (const { status } of api.list(pods)) if (status?.podIP) addresses.reserve(status.podIP);
}
