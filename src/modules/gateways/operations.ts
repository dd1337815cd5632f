import type { Clock } from '../../clock.ts';
import type { SlipwayError } from '../../errors.ts';
import { ApiError } from '../../k8s/api-error.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import { isExpired } from '../../k8s/list-all.ts';
import { type HTTPRoute, httpRoutes } from '../../k8s/resources.ts';
import type { Log } from '../../log.ts';
import { type Context, serviceRef } from '../../module.ts';
import type { Runs } from '../runs/service.ts';
import { type Claim, clashOf } from './clashes.ts';
import { isClosed } from './closed.ts';
import type { GatewaysConfig } from './config.ts';
import { createGateway, type GatewayResult } from './create.ts';
import { type DeleteGatewayInput, deleteGateway } from './delete.ts';
import { rememberedKey } from './idempotency.ts';
import type { InForce } from './in-force.ts';
import { createLocks, type Locks } from './locks.ts';
import { projectLabel } from './names.ts';
import { envoyGateway } from './envoy-gateway.ts';
import { controllerOf, type ParentLookup } from './parents.ts';
import type { CreateGatewayInput } from './plan.ts';
import { simpleRule } from './route.ts';
import { createSecrets } from './secrets/secrets.ts';
import type { GatewaySecrets } from './secrets/service.ts';
import type { Opening, Written } from './opening.ts';
import type { GatewayAuthKind, GatewayView, Policy, PolicyBackend } from './service.ts';
import type { Backends } from './backends.ts';
import type { Store } from './store.ts';
import { defaultParent, type TargetSources } from './targets.ts';
import { type UpdateGatewayInput, updateGateway } from './update.ts';
import type { Waits } from './waits.ts';

/** What the mutations share. */
export interface Operations extends TargetSources {
  store: Store;
  clock: Clock;
  locks: Locks;
  lookups: { policiesIn: (namespace: string) => Iterable<Policy>; lookup: ParentLookup };
  /** Routes that remember an idempotency key, by its hash. */
  routesOfKey(key: string): Iterable<HTTPRoute>;
  /** Refuses a place on a Gateway that somebody has, as far as the cache knows, or with `live` the server. */
  refuseClash(context: Context, claim: Claim, live?: boolean): Promise<void>;
  /** After the write: refuses it when another server gave the same place away before. */
  refuseLostRace(context: Context, claim: Claim, route: HTTPRoute): Promise<void>;
  /** How long a route with this protection will stay closed once its controller has it, in milliseconds. */
  closedMs(route: HTTPRoute, kind: GatewayAuthKind): Promise<number>;
  /** The listeners that serve a route. */
  listenersOf(route: HTTPRoute): Set<string>;
  /** The route once it is open, or when that takes longer than somebody waits. */
  untilOpen(written: Written): Promise<HTTPRoute>;
  /** The view as of these written objects, once queries show them too. */
  settledView(route: HTTPRoute, policy: Policy | null): Promise<GatewayView>;
}

/** The mutations of gateways. */
export interface GatewayOperations {
  create(context: Context, input: CreateGatewayInput): Promise<GatewayResult>;
  update(context: Context, input: UpdateGatewayInput): Promise<GatewayResult>;
  delete(context: Context, input: DeleteGatewayInput): Promise<Pick<GatewayResult, 'objects'>>;
  readonly secrets: GatewaySecrets;
}
export const GatewayOperations = serviceRef<GatewayOperations>('slipway.gateway-operations');

interface Parts {
  store: Store;
  inForce: InForce;
  waits: Waits;
  opening: Opening;
  cluster: Cluster;
  runs: Runs;
  config: GatewaysConfig;
  backends: Backends;
  clock: Clock;
  log: Log;
}

export function createOperations(parts: Parts): GatewayOperations {
  const { store, cluster, runs, clock, log, inForce, waits, opening } = parts;
  const routes = cluster.cache(httpRoutes);
  const projectOf = (route: HTTPRoute): string | null => {
    const backend = simpleRule(route)?.shape.backend;
    const run = backend && runs.byService(backend.namespace, backend.service);
    return run?.project ?? route.metadata.labels?.[projectLabel] ?? null;
  };

  async function clash(context: Context, claim: Claim, among: Iterable<HTTPRoute>): Promise<SlipwayError | null> {
    return clashOf(claim, {
      routes: among,
      lookup: store.parents,
      projectOf,
      scope: await context.access.scope('see'),
    });
  }

  /** Straight from the server, with our own identity: routes of others count too. */
  async function liveRoutes(at?: string): Promise<HTTPRoute[] | null> {
    const places = cluster.watchedNamespaces?.map((namespace) => ({ namespace })) ?? [{}];
    try {
      const lists = await Promise.all(
        places.map((place) => cluster.client.list(httpRoutes, { ...place, ...(at !== undefined && { at }) })),
      );
      return lists.flatMap(({ items }) => items);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (at !== undefined && isExpired(error)) return liveRoutes();
      log.warn({ err: error }, 'could not check for a gateway of the same address on another server');
      return null;
    }
  }

  const operations: Operations = {
    ...parts,
    parents: store.parents,
    locks: createLocks(),
    lookups: { policiesIn: (namespace) => store.policies.in(namespace), lookup: store.parents },
    routesOfKey: routes.index('gateways.idempotency', (route) => {
      const key = rememberedKey(route);
      return key === null ? [] : [key];
    }),
    async refuseClash(context, claim, live = false) {
      const error = await clash(context, claim, (live && (await liveRoutes())) || routes.list());
      if (error) throw error;
    },
    async refuseLostRace(context, claim, route) {
      // The cluster writes one thing after the other. So of two that saw nobody before they wrote, exactly one finds the
      // other in the list of that moment, and gives way; times can be equal, and clocks differ.
      const first = (await liveRoutes(route.metadata.resourceVersion)) ?? [];
      const error = await clash(context, claim, first);
      if (error) throw error;
    },
    closedMs: (route, kind) => waits.closedMs(route, { kind, since: clock.now() }),
    listenersOf: (route) => inForce.listenersOf(route),
    async untilOpen(written) {
      const { route, policy } = written;
      if (!isClosed(route)) return route;
      const kind = (policy && store.backendOf(route)?.read(policy).kind) ?? 'OTHER';
      return opening.untilOpen(written, await operations.closedMs(route, kind));
    },
    async settledView(route, policy) {
      await store.settled(policy ? [policy, route] : [route]);
      const { namespace, name, uid } = route.metadata;
      const cached = store.get(`${namespace}/${name}`);
      const seen = (cached?.objects.route.metadata.generation ?? 0) >= (route.metadata.generation ?? 0);
      return cached && cached.uid === uid && seen ? cached : store.view(route, policy ? [policy] : []);
    },
  };

  /** Before the first lists are in, everything would seem free, and nothing to be there. */
  const listed = async <T>(task: () => Promise<T>): Promise<T> => {
    await store.known();
    store.readable();
    return task();
  };
  return {
    create: (context, input) => listed(() => createGateway(operations, context, input)),
    update: (context, input) => listed(() => updateGateway(operations, context, input)),
    delete: (context, input) => listed(() => deleteGateway(operations, context, input)),
    secrets: createSecrets({
      cluster,
      backends: parts.backends,
      locks: operations.locks,
      backend: () => secretsBackend(operations),
    }),
  };
}

/** Who will read Secrets: the implementation of the default Gateway, else Envoy Gateway. */
function secretsBackend(operations: Operations): PolicyBackend {
  const ref = defaultParent(operations);
  const gateway = ref && operations.parents.gateway(ref.namespace, ref.name);
  const controller = gateway ? controllerOf(gateway, operations.parents) : null;
  return operations.backends.of(controller) ?? envoyGateway;
}
