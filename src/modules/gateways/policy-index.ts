import type { Cache, CacheEvent, Cluster } from '../../k8s/cluster.ts';
import { apiVersionOf, type HTTPRoute, type KubeObject } from '../../k8s/resources.ts';
import type { Backends } from './backends.ts';
import { attachedTo, extensionKey, extensionsOf, keyOfPolicy, selects, targetsOf } from './policies.ts';
import { refuseUnread } from './readable.ts';
import type { Policy, PolicyBackend } from './service.ts';

/** The policies of all back ends, from the caches. */
export interface PolicyIndex {
  /** False while some kind is not listed, or may not be read. */
  readonly synced: boolean;
  /** The same for the kind of one back end. */
  knows(backend: PolicyBackend): boolean;
  /** UNAVAILABLE where they may not be read: nobody would see who governs a route, nor when a protection is in force. */
  readable(backend: PolicyBackend): void;
  /** Of a namespace, of all kinds. */
  in(namespace: string): Iterable<Policy>;
  attachedTo(route: HTTPRoute): Policy[];
  subscribe(listener: (event: CacheEvent<Policy>) => void): () => void;
  cacheOf(object: KubeObject): Cache<Policy> | undefined;
}

export function createPolicyIndex(cluster: Cluster, { resources }: Pick<Backends, 'resources'>): PolicyIndex {
  const kinds = resources.map((resource) => {
    const cache = cluster.cache(resource);
    const byRoute = cache.index('gateways.route', (policy) => [
      ...targetsOf(policy).map(({ name }) => `${policy.metadata.namespace}/${name}`),
      ...(selects(policy) ? [`${policy.metadata.namespace}/`] : []),
      keyOfPolicy(policy),
    ]);
    return { cache, byRoute };
  });
  // A policy that names the route and selects it too is one.
  const candidates = (route: HTTPRoute): Set<Policy> => {
    const { namespace, name } = route.metadata;
    const named = extensionsOf(route).map((extension) => extensionKey(namespace, extension));
    const keys = [`${namespace}/${name}`, `${namespace}/`, ...named];
    return new Set(kinds.flatMap(({ byRoute }) => keys.flatMap((key) => [...byRoute(key)])));
  };
  const find = ({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>) =>
    kinds.find(({ cache: { resource } }) => resource.kind === kind && apiVersionOf(resource) === apiVersion)?.cache;
  return {
    get synced() {
      return kinds.every(({ cache }) => cache.synced);
    },
    knows: ({ resource }) => find({ apiVersion: apiVersionOf(resource), kind: resource.kind })?.synced ?? false,
    readable({ resource }) {
      const cache = find({ apiVersion: apiVersionOf(resource), kind: resource.kind });
      if (cache) refuseUnread(cache);
    },
    in: (namespace) => kinds.flatMap(({ cache }) => [...cache.list(namespace)]),
    attachedTo: (route) => attachedTo(route, candidates(route)),
    subscribe(listener) {
      const stops = kinds.map(({ cache }) => cache.subscribe(listener));
      return () => stops.forEach((stop) => stop());
    },
    cacheOf: find,
  };
}
