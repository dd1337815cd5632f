import type { Clock } from '../../clock.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import { type HTTPRoute, httpRoutes } from '../../k8s/resources.ts';
import type { Millis } from '../runs/service.ts';
import { routeNameOf } from './names.ts';
import { takingListeners } from './parents.ts';
import { byAge, targetsOf } from './policies.ts';
import { parentsOf } from './route.ts';
import type { GatewayAuthKind, Policy } from './service.ts';
import type { Store } from './store.ts';
import { isRefused, isTaken } from './takeover.ts';

/** A protection that the controllers of a route's Gateways have. */
export interface Taken {
  policy: Policy;
  kind: GatewayAuthKind;
  /** Since when this server has seen it so, without a break. */
  since: Millis;
  /** The listeners that serve the route. */
  listeners: ReadonlySet<string>;
}

/** Which protections are in force, and since when: known from the caches, so a new server begins anew. */
export interface InForce {
  of(route: HTTPRoute): Taken | undefined;
  /** The listeners that serve a route. */
  listenersOf(route: HTTPRoute): Set<string>;
  /** Whether all these listeners have served some other route with this kind of protection, from then until now. */
  served(kind: Taken['kind'], listeners: ReadonlySet<string>, since: Millis): boolean;
  /** Called with the key of a route when it, its policies, or its Gateways have changed. */
  subscribe(listener: (key: string) => void): () => void;
  stop(): void;
}

type Source = Pick<Store, 'policies' | 'parents' | 'backendOf'>;

export function createInForce(store: Source, cluster: Cluster, clock: Clock): InForce {
  const routes = cluster.cache(httpRoutes);
  const known = new Map<string, Taken & { what: string }>();
  const listeners = new Set<(key: string) => void>();

  const listenersOf = (route: HTTPRoute): Set<string> => {
    const { namespace = '' } = route.metadata;
    const [hostname = null] = route.spec.hostnames ?? [];
    const found = parentsOf(route).flatMap(({ sectionName, ...parent }) => {
      const gateway = store.parents.gateway(parent.namespace, parent.name);
      const taking = gateway ? takingListeners(gateway, sectionName, { namespace, hostname }, store.parents) : [];
      return taking.map((listener) => `${parent.namespace}/${parent.name}/${listener.name}`);
    });
    return new Set(found);
  };

  /** Of several the oldest is in force. */
  const policyOf = (route: HTTPRoute): Policy | undefined => store.policies.attachedTo(route).toSorted(byAge)[0];

  function look(key: string): void {
    const slash = key.indexOf('/');
    const route = routes.get(key.slice(0, slash), key.slice(slash + 1));
    const policy = route && policyOf(route);
    if (!route || !policy) known.delete(key);
    else keep(key, route, policy);
    for (const listener of listeners) listener(key);
  }

  function keep(key: string, route: HTTPRoute, policy: Policy): void {
    const { uid, generation } = policy.metadata;
    const { parentRefs, hostnames } = route.spec;
    const what = JSON.stringify([route.metadata.uid, parentRefs, hostnames, uid, generation]);
    const before = known.get(key);
    // Once in force, it stays so until somebody refuses it: a change of the path, say, does not matter.
    const refused = [policy, route].some((object) => isRefused(object, route, store.parents));
    if (before?.what === what && !refused) return void known.set(key, { ...before, policy });
    if (!isTaken(route, policy, store.parents)) return void known.delete(key);
    const { kind } = store.backendOf(route)?.read(policy) ?? { kind: 'OTHER' };
    known.set(key, { what, policy, kind, since: clock.now(), listeners: listenersOf(route) });
  }

  const keyOf = (namespace: string | undefined, name: string): string => `${namespace}/${name}`;
  const stops = [
    routes.subscribe(({ object: { metadata } }) => look(keyOf(metadata.namespace, metadata.name))),
    store.policies.subscribe(({ object }) => {
      const { namespace, name } = object.metadata;
      const targets = targetsOf(object).filter(({ kind }) => kind === httpRoutes.kind);
      const names = [...targets.map((target) => target.name), routeNameOf(name)];
      for (const route of new Set(names)) look(keyOf(namespace, route));
    }),
  ];
  for (const { metadata } of routes.list()) look(keyOf(metadata.namespace, metadata.name));

  return {
    listenersOf,
    of: ({ metadata: { namespace, name, uid } }) => {
      const taken = known.get(keyOf(namespace, name));
      return taken && routes.get(namespace, name)?.metadata.uid === uid ? taken : undefined;
    },
    served: (kind, wanted, since) =>
      wanted.size > 0 &&
      [...wanted].every((listener) =>
        [...known.values()].some((one) => one.kind === kind && one.since <= since && one.listeners.has(listener)),
      ),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop() {
      for (const stop of stops) stop();
      listeners.clear();
    },
  };
}
