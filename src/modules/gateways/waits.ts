import { ApiError } from '../../k8s/api-error.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import { parseDuration } from '../../k8s/durations.ts';
import { envoyProxies, type HTTPRoute } from '../../k8s/resources.ts';
import type { Log } from '../../log.ts';
import type { Millis } from '../runs/service.ts';
import type { GatewaysConfig } from './config.ts';
import type { InForce, Taken } from './in-force.ts';
import { parentsOf } from './route.ts';
import type { Store } from './store.ts';

/** What Envoy Gateway gives its Envoys where nothing else is said. */
const defaultDrainMs = 60_000;

/** How long a route stays closed after a controller has its protection. */
export interface Waits {
  /** What a data plane takes to put into effect what its controller has. */
  readonly takeoverMs: Millis;
  /** That, and the time until connections are gone that would pass the protection by. */
  closedMs(route: HTTPRoute, protection: Pick<Taken, 'kind' | 'since'>): Promise<Millis>;
}

interface Options {
  config: Pick<GatewaysConfig, 'takeoverSeconds' | 'drainSeconds'>;
  cluster: Pick<Cluster, 'client'>;
  store: Pick<Store, 'backendOf' | 'parents'>;
  inForce: Pick<InForce, 'served' | 'listenersOf'>;
  log: Log;
}

export function createWaits({ config, cluster, store, inForce, log }: Options): Waits {
  const takeoverMs = config.takeoverSeconds * 1000;

  /** As long as the longest that may apply: which of several an Envoy runs with, only its controller knows. */
  async function drainMs(route: HTTPRoute): Promise<Millis> {
    if (config.drainSeconds !== undefined) return config.drainSeconds * 1000;
    const proxies = parentsOf(route).flatMap((parent) => proxiesOf(parent, store.parents));
    const times = await Promise.all(proxies.map(drainOf));
    return times.length > 0 ? Math.max(...times) : defaultDrainMs;
  }

  async function drainOf({ namespace, name }: Place): Promise<Millis> {
    try {
      const { spec } = await cluster.client.get(envoyProxies, name, namespace);
      return parseDuration(spec.shutdown?.drainTimeout ?? '') ?? defaultDrainMs;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      log.warn({ err: error, envoyProxy: `${namespace}/${name}` }, 'its drain time could not be read: 60 s assumed');
      return defaultDrainMs;
    }
  }

  return {
    takeoverMs,
    async closedMs(route, { kind, since }) {
      const per = store.backendOf(route)?.checksPer?.(kind);
      if (!per) return takeoverMs;
      const drain = await drainMs(route);
      // Whatever connection there is then has the check already.
      const everywhere = per === 'KIND' && inForce.served(kind, inForce.listenersOf(route), since - drain);
      return takeoverMs + (everywhere ? 0 : drain);
    },
  };
}

interface Place {
  namespace: string;
  name: string;
}

/** The EnvoyProxies that a Gateway and its class name. */
function proxiesOf(parent: Place, lookup: Pick<Store['parents'], 'gateway' | 'gatewayClass'>): Place[] {
  const gateway = lookup.gateway(parent.namespace, parent.name);
  const own = gateway?.spec.infrastructure?.parametersRef;
  const general = gateway && lookup.gatewayClass(gateway.spec.gatewayClassName)?.spec.parametersRef;
  const places = [own && { ...own, namespace: parent.namespace }, general];
  return places.flatMap((ref) =>
    ref?.kind === envoyProxies.kind && ref.namespace !== undefined
      ? [{ namespace: ref.namespace, name: ref.name }]
      : [],
  );
}
