import { BootError } from '../boot-error.ts';
import type { Caller } from '../caller.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { wantedBy } from './admission.ts';
import { createCache } from './cache.ts';
import { createKubeClient } from './client.ts';
import type { Cache, Cluster, ClusterConnection, ClusterMode, EmbeddedInfo, Watch } from './cluster.ts';
import { createBackoff } from './backoff.ts';
import { sleep } from './deadline.ts';
import { createEntry, omittedByAll } from './entry.ts';
import { createFreshness } from './freshness.ts';
import { readInCluster } from './in-cluster.ts';
import { type Endpoint, readKubeconfig } from './kubeconfig.ts';
import { createOutage } from './outage.ts';
import { type Reflector, createReflector } from './reflector.ts';
import { type KubeObject, type Resource, resourceName } from './resources.ts';
import { createSharing } from './sharing.ts';
import { readTls } from './tls.ts';
import { type Identity, type Transport, createTransport } from './transport.ts';

export interface ConnectOptions {
  mode: ClusterMode;
  /** The namespaces to watch; absent or null: all. */
  namespaces?: readonly string[] | null | undefined;
  /** Default namespace for writes; absent: the kubeconfig's or the Pod's, else `default`. */
  namespace?: string | undefined;
  /** KUBECONFIG mode: the context; absent: the current one. */
  context?: string | undefined;
  /** KUBECONFIG mode: paths as in the environment variable of that name; absent: the file in the home folder. */
  kubeconfig?: string | undefined;
  /** EMBEDDED mode: the started cluster. */
  embedded?: (EmbeddedInfo & { readonly url: string }) | undefined;
  /**
   * The process's. It may name a proxy. In IN_CLUSTER mode it has the API server's address (absent: its name in the
   * cluster's DNS), in KUBECONFIG mode it is what a program that gets credentials sees.
   */
  environment?: Readonly<Record<string, string | undefined>> | undefined;
  clock: Clock;
  log: Log;
  /** In [0, 1); default Math.random. */
  random?: () => number;
  /** How often each cache is compared with a list. @default 0: never */
  checkEveryMs?: number;
}

/** Finds the cluster and our credentials for it; rejects with a BootError that says what is missing. */
export async function connect(options: ConnectOptions): Promise<ClusterConnection> {
  const endpoint = endpointOf(options);
  return { open: (watches) => Promise.resolve(openCluster(options, endpoint, watches)) };
}

/** HTTP to the cluster without caches: for a look at it. Throws as `connect` rejects. */
export function openTransport(options: ConnectOptions): Transport {
  return createTransport(endpointOf(options));
}

function endpointOf({ mode, embedded, kubeconfig, context, environment, clock, log }: ConnectOptions): Endpoint {
  switch (mode) {
    case 'KUBECONFIG':
      return readKubeconfig({ paths: kubeconfig, context, environment, clock, log });
    case 'IN_CLUSTER':
      return readInCluster({ ...(environment && { environment }) });
    case 'EMBEDDED': {
      if (embedded)
        return { url: embedded.url, tls: readTls({}), credentials: undefined, proxy: undefined, namespace: undefined };
      const message = 'The embedded cluster is not started.';
      throw new BootError([{ module: 'server', field: 'SLIPWAY_CLUSTER', message, remedy: 'Start it before.' }]);
    }
  }
}

function openCluster(options: ConnectOptions, endpoint: Endpoint, watches: readonly Watch[]): Cluster {
  const { mode, log, embedded } = options;
  const transport = createTransport(endpoint);
  const client = createKubeClient(transport);
  const stopped = new AbortController();
  const namespaces = options.namespaces ? [...new Set(options.namespaces)] : null;
  const shared = openCaches(options, namespaces, transport, watches);
  let kubernetesVersion: string | null = null;
  const asking = askVersion(options, transport, stopped.signal).then((version) => {
    kubernetesVersion = version;
  });
  const { proxy } = transport;
  log.info({ url: transport.url, ...(proxy && { proxy }), kinds: shared.caches.size }, 'connected to the cluster');

  return {
    mode,
    url: transport.url,
    namespace: options.namespace ?? endpoint.namespace ?? 'default',
    watchedNamespaces: namespaces,
    get kubernetesVersion() {
      return kubernetesVersion;
    },
    client,
    as: (caller) => (caller.local || caller.ownIdentity ? client : createKubeClient(transport, identityOf(caller))),
    raw: (caller) => transport.raw(caller.local || caller.ownIdentity ? undefined : identityOf(caller)),
    cache<T extends KubeObject>(resource: Resource<T>): Cache<T> {
      const cache = shared.caches.get(resourceName(resource));
      if (cache) return cache as unknown as Cache<T>;
      throw new Error(`no module watches ${resourceName(resource)}: name it in the module's watches`);
    },
    namespacesOf: (resource) => shared.caches.get(resourceName(resource))?.namespaces() ?? [],
    freshness: shared.freshness.source,
    embedded: embedded ?? null,
    async synced() {
      await Promise.all(shared.reflectors.map((reflector) => reflector.settled));
    },
    async stop() {
      stopped.abort();
      await Promise.all([...shared.reflectors.map((reflector) => reflector.stop()), asking]);
      shared.freshness.stop();
      await transport.close();
    },
  };
}

/** One cache for each kind; one reflector for each, or for each of the namespaces. */
function openCaches(
  options: ConnectOptions,
  namespaces: readonly string[] | null,
  transport: Transport,
  watches: readonly Watch[],
) {
  const { clock, log, random = Math.random, checkEveryMs = 0 } = options;
  const freshness = createFreshness(clock, log);
  const caches = new Map<string, Cache<KubeObject>>();
  const reflectors: Reflector[] = [];
  const sharing = createSharing();
  const outage = createOutage(clock, random);

  for (const [name, wanted] of Map.groupBy(watches, (watch) => resourceName(watch.resource))) {
    const [first] = wanted;
    if (!first) continue;
    const { resource } = first;
    const own: Reflector[] = [];
    const synced = () => own.every((reflector) => reflector.state.synced);
    const { cache, writer } = createCache({ resource, wants: wantedBy(wanted), synced, clock, log });
    caches.set(name, cache);
    const entry = createEntry(resource, omittedByAll(wanted), sharing);
    const optional = wanted.every((watch) => watch.optional);
    for (const namespace of resource.namespaced && namespaces ? namespaces : [null]) {
      const onChange = () => report();
      const reflector = createReflector({
        ...{
          resource,
          namespace,
          optional,
          transport,
          writer,
          entry,
          clock,
          random,
          log,
          outage,
          onChange,
          checkEveryMs,
        },
      });
      const report = freshness.track(() => reflector.state);
      report();
      own.push(reflector);
    }
    reflectors.push(...own);
  }
  return { caches, reflectors, freshness };
}

/** Asks until the server has said it. */
async function askVersion(options: ConnectOptions, transport: Transport, signal: AbortSignal): Promise<string | null> {
  const backoff = createBackoff(options.random ?? Math.random);
  while (!signal.aborted) {
    try {
      const { gitVersion } = await transport.json<{ gitVersion?: string }>({ method: 'GET', path: '/version', signal });
      return gitVersion ?? null;
    } catch {
      // The watches report why the server can't be reached; the version follows when it can.
      await sleep(options.clock, backoff.next(), signal);
    }
  }
  return null;
}

/** Whom the API server is told to act as. Nobody is ever nobody: an anonymous caller is Kubernetes' own anonymous. */
function identityOf(caller: Caller): Identity {
  return caller.anonymous
    ? { user: 'system:anonymous', groups: ['system:unauthenticated'] }
    : { user: caller.name, groups: caller.groups };
}
