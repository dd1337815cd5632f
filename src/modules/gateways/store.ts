import type { Access } from '../../caller.ts';
import type { Clock } from '../../clock.ts';
import { SlipwayError } from '../../errors.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import {
  gatewayClasses,
  gateways as gatewayResource,
  type HTTPRoute,
  httpRoutes,
  namespaces,
} from '../../k8s/resources.ts';
import type { Log } from '../../log.ts';
import { parseGlobalId } from '../../schema/ids.ts';
import type { Millis, Runs, RunView } from '../runs/service.ts';
import type { Backends } from './backends.ts';
import { routeNameOf } from './names.ts';
import { controllerOf, type ParentLookup } from './parents.ts';
import { extensionKey, extensionsOf, keyOfPolicy, selects, targetsOf } from './policies.ts';
import { createPolicyIndex, type PolicyIndex } from './policy-index.ts';
import { refuseUnread } from './readable.ts';
import { parentsOf, simpleRule } from './route.ts';
import type { GatewayChange, Gateways, GatewayView, Policy, PolicyBackend } from './service.ts';
import { gatewayView } from './view.ts';

export interface StoreOptions {
  cluster: Cluster;
  runs: Runs;
  backends: Backends;
  clock: Clock;
  log: Log;
}

export interface Store extends Omit<Gateways, 'changes'> {
  readonly parents: ParentLookup;
  readonly policies: PolicyIndex;
  /** Who enforces the protection of a route, by the Gateways that it names. */
  backendOf(route: HTTPRoute): PolicyBackend | undefined;
  /** False until the first lists are in and all runs known: before that, what is missing might only not be listed yet. */
  readonly started: boolean;
  /** Resolves when it has started. */
  known(): Promise<void>;
  /** From when on a closed route will be open; null: that is not known yet. */
  opens(key: string, at: Millis | null): void;
  stop(): void;
}

/** Keeps the view of every route current, and tells each change once. */
export function createStore(options: StoreOptions): Store {
  const { cluster, runs, backends, clock, log } = options;
  const routes = cluster.cache(httpRoutes);
  const policies = createPolicyIndex(cluster, backends);
  const gateways = cluster.cache(gatewayResource);
  const classes = cluster.cache(gatewayClasses);
  const parents = parentLookup(cluster);
  const routesOfParent = routes.index('gateways.parent', (route) =>
    parentsOf(route).map(({ namespace, name }) => `${namespace}/${name}`),
  );
  const routesOfBackend = routes.index('gateways.backend', backendKeys);
  const routesOfPolicy = routes.index('gateways.policy', (route) =>
    extensionsOf(route).map((extension) => extensionKey(route.metadata.namespace, extension)),
  );
  const views = new Map<string, GatewayView>();
  const timers = new Map<string, () => void>();
  const listeners = new Set<(change: GatewayChange) => void>();
  const openings = new Map<string, Millis>();
  /** The uids of routes that a policy was attached to. */
  const protectedOnce = new Set<string>();
  let [started, policiesKnown, revision] = [false, false, 0];

  const backendOf = (route: HTTPRoute): PolicyBackend | undefined => {
    for (const { namespace, name } of parentsOf(route)) {
      const gateway = gateways.get(namespace, name);
      const backend = gateway && backends.of(controllerOf(gateway, parents));
      if (backend) return backend;
    }
    return undefined;
  };

  const view = (route: HTTPRoute, attached: readonly Policy[]): GatewayView => {
    const backend = backendOf(route);
    return gatewayView(route, {
      parents,
      attached,
      policiesIn: (namespace) => policies.in(namespace),
      policiesKnown: backend ? policies.knows(backend) : policies.synced,
      wasProtected: protectedOnce.has(route.metadata.uid ?? ''),
      opensAt: openings.get(`${route.metadata.namespace}/${route.metadata.name}`) ?? null,
      read: (policy) => backends.reader(policy, backend)?.read(policy) ?? { kind: 'OTHER' },
      runOf: (namespace, service) => runs.byService(namespace, service),
      now: clock.now(),
    });
  };

  const present = (route: HTTPRoute): GatewayView => view(route, policies.attachedTo(route));

  function tell(change: Omit<GatewayChange, 'revision'>): void {
    revision += 1;
    for (const listener of listeners) {
      try {
        listener({ ...change, revision });
      } catch (error) {
        log.error({ err: error }, 'a listener to gateways failed');
      }
    }
  }

  function refresh(key: string): void {
    if (!started) return;
    timers.get(key)?.();
    timers.delete(key);
    const slash = key.indexOf('/');
    const route = routes.get(key.slice(0, slash), key.slice(slash + 1));
    const before = views.get(key);
    if (!route) {
      if (before) protectedOnce.delete(before.uid);
      if (views.delete(key) && before) tell({ key, before });
      return;
    }
    const after = present(route);
    if (after.objects.policies.length > 0) protectedOnce.add(after.uid);
    views.set(key, after);
    if (after.changesAt !== null) {
      timers.set(
        key,
        clock.after(Math.max(1, after.changesAt - clock.now()), () => refresh(key)),
      );
    }
    if (!before || shown(before) !== shown(after)) tell({ key, ...(before && { before }), after });
  }

  const refreshAll = (some: Iterable<HTTPRoute>): void => {
    for (const { metadata } of [...some]) refresh(`${metadata.namespace}/${metadata.name}`);
  };

  const onPolicy = (policy: Policy): void => {
    const { namespace, name } = policy.metadata;
    const targets = targetsOf(policy);
    const byName = targets.filter(({ kind }) => kind === httpRoutes.kind).map((target) => target.name);
    // Also the route that this policy was made for, wherever it is attached now.
    for (const route of new Set([...byName, routeNameOf(name)])) refresh(`${namespace}/${route}`);
    for (const target of targets) {
      if (target.kind === gatewayResource.kind) refreshAll(routesOfParent(`${namespace}/${target.name}`));
    }
    refreshAll(routesOfPolicy(keyOfPolicy(policy)));
    if (selects(policy)) refreshAll(routes.list());
  };

  const unsubscribe = [
    routes.subscribe(({ object: { metadata } }) => refresh(`${metadata.namespace}/${metadata.name}`)),
    policies.subscribe((event) => {
      if (event.type === 'MODIFIED') onPolicy(event.previous);
      onPolicy(event.object);
    }),
    gateways.subscribe(({ object: { metadata } }) =>
      refreshAll(routesOfParent(`${metadata.namespace}/${metadata.name}`)),
    ),
    classes.subscribe(() => refreshAll(routes.list())),
    cluster.cache(namespaces).subscribe(({ object }) => refreshAll(routes.list(object.metadata.name))),
    runs.subscribe(({ before, after }) => {
      if (before && after && before.id === after.id && before.project === after.project) {
        if (servicesOf(before).join() === servicesOf(after).join()) return;
      }
      for (const key of new Set([...servicesOf(before), ...servicesOf(after)])) refreshAll(routesOfBackend(key));
    }),
    cluster.freshness.subscribe(() => {
      // Answers may be reused while the revision is the same, and staleness is part of them.
      revision += 1;
      if (policies.synced === policiesKnown) return;
      policiesKnown = policies.synced;
      refreshAll(routes.list());
    }),
  ];
  let stopped = false;
  const begin = (): void => {
    if (stopped) return;
    started = true;
    policiesKnown = policies.synced;
    refreshAll(routes.list());
  };
  const known = runs.known().then(begin);

  return {
    parents,
    policies,
    backendOf,
    get started() {
      return started;
    },
    known: () => known,
    get revision() {
      return revision;
    },
    readable: () => refuseUnread(routes),
    opens(key, at) {
      if ((openings.get(key) ?? null) === at) return;
      if (at === null) openings.delete(key);
      else openings.set(key, at);
      refresh(key);
    },
    get: (key) => views.get(key),
    all: () => views.values(),
    byService: (namespace, service) =>
      [...routesOfBackend(`${namespace}/${service}`)]
        .map(({ metadata }) => views.get(`${metadata.namespace}/${metadata.name}`))
        .filter((found) => found !== undefined),
    visible: (id, access, field = 'id') => visible(views, id, access, field),
    view,
    subscribe(listener) {
      // A listener of its own for each call, so that the same function may subscribe twice.
      const own = (change: GatewayChange) => listener(change);
      listeners.add(own);
      return () => listeners.delete(own);
    },
    async settled(written, deleted = false) {
      await Promise.all(
        written.map(async (object) => {
          const cache = object.kind === httpRoutes.kind ? routes : policies.cacheOf(object);
          await cache?.seen(object, { deleted });
        }),
      );
    },
    stop() {
      stopped = true;
      for (const stop of unsubscribe) stop();
      for (const cancel of timers.values()) cancel();
      timers.clear();
      listeners.clear();
    },
  };
}

const servicesOf = (run: RunView | undefined): string[] =>
  [run?.objects.service, ...(run?.objects.aliases ?? [])].flatMap((service) =>
    service ? [`${service.metadata.namespace}/${service.metadata.name}`] : [],
  );

/** Everything a client can see of a view. */
const shown = ({ objects: _objects, changesAt: _changesAt, ...visible }: GatewayView): string =>
  JSON.stringify(visible);

function backendKeys(route: HTTPRoute): string[] {
  const { namespace = '' } = route.metadata;
  const shape = simpleRule(route)?.shape;
  if (shape) return [`${shape.backend.namespace}/${shape.backend.service}`];
  const refs = (route.spec.rules ?? []).flatMap((rule) => rule.backendRefs ?? []);
  return [...new Set(refs.map((ref) => `${ref.namespace ?? namespace}/${ref.name}`))];
}

function parentLookup(cluster: Cluster): ParentLookup {
  const { embedded } = cluster;
  return {
    gateway: (namespace, name) => cluster.cache(gatewayResource).get(namespace, name),
    gatewayClass: (name) => cluster.cache(gatewayClasses).get(undefined, name),
    watches: (namespace) => cluster.watchedNamespaces?.includes(namespace) ?? true,
    namespaceLabels: (name) => {
      const found = cluster.cache(namespaces).get(undefined, name);
      // The API server puts this label on every namespace; selectors by name rest on it.
      return found && { 'kubernetes.io/metadata.name': name, ...found.metadata.labels };
    },
    embedded: embedded && { ...embedded.gatewayParent, url: embedded.gatewayUrl },
  };
}

async function visible(
  views: ReadonlyMap<string, GatewayView>,
  id: string,
  access: Access,
  field: string,
): Promise<GatewayView> {
  const scope = await access.scope('see');
  const parsed = parseGlobalId(id);
  const view = parsed?.typename === 'Gateway' ? views.get(parsed.local) : undefined;
  if (view && scope.includes(view)) return view;
  throw new SlipwayError('NOT_FOUND', 'There is no such gateway, or you may not see it.', { field });
}
