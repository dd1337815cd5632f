import type { Clock } from '../../clock.ts';
import type { SlipwayError } from '../../errors.ts';
import { ApiError } from '../../k8s/api-error.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import { type HTTPRoute, httpRoutes } from '../../k8s/resources.ts';
import type { Log } from '../../log.ts';
import { type Context, serviceRef } from '../../module.ts';
import type { Runs } from '../runs/service.ts';
import { type Claim, clashOf } from './clashes.ts';
import type { GatewaysConfig } from './config.ts';
import { createGateway, type GatewayResult } from './create.ts';
import { type DeleteGatewayInput, deleteGateway } from './delete.ts';
import { rememberedKey } from './idempotency.ts';
import { createLocks, type Locks } from './locks.ts';
import { projectLabel } from './names.ts';
import { envoyGateway } from './envoy-gateway.ts';
import { controllerOf, type ParentLookup } from './parents.ts';
import type { CreateGatewayInput } from './plan.ts';
import { simpleRule } from './route.ts';
import { createSecrets } from './secrets/secrets.ts';
import type { GatewaySecrets } from './secrets/service.ts';
import type { GatewayView, Policy, PolicyBackend } from './service.ts';
import type { Backends } from './backends.ts';
import type { Store } from './store.ts';
import { defaultParent, type TargetSources } from './targets.ts';
import { type UpdateGatewayInput, updateGateway } from './update.ts';

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
  /** After the write: refuses it when another server gave the same place away at the same time. */
  refuseLostRace(context: Context, claim: Claim, route: HTTPRoute): Promise<void>;
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
  cluster: Cluster;
  runs: Runs;
  config: GatewaysConfig;
  backends: Backends;
  clock: Clock;
  log: Log;
}

export function createOperations(parts: Parts): GatewayOperations {
  const { store, cluster, runs, log } = parts;
  const routes = cluster.cache(httpRoutes);
  const projectOf = (route: HTTPRoute): string | null => {
    const backend = simpleRule(route)?.shape.backend;
    const run = backend && runs.byService(backend.namespace, backend.service);
    return run?.project ?? route.metadata.labels?.[projectLabel] ?? null;
  };

  async function clash(context: Context, claim: Claim, among: Iterable<HTTPRoute>): Promise<SlipwayError | null> {
    return clashOf(claim, { routes: among, projectOf, scope: await context.access.scope('see') });
  }

  /** Straight from the server, with our own identity: routes of others count too. */
  async function liveRoutes(): Promise<HTTPRoute[] | null> {
    const places = cluster.watchedNamespaces ?? [undefined];
    try {
      const lists = await Promise.all(
        places.map((namespace) => cluster.client.list(httpRoutes, namespace === undefined ? {} : { namespace })),
      );
      return lists.flatMap(({ items }) => items);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
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
      const present = (await liveRoutes()) ?? [];
      // Of the same second both give way: the one that was written last always sees the other.
      const made = route.metadata.creationTimestamp ?? '';
      const older = present.filter(
        ({ metadata }) => metadata.uid !== route.metadata.uid && (metadata.creationTimestamp ?? '') <= made,
      );
      const error = await clash(context, claim, older);
      if (error) throw error;
    },
    async settledView(route, policy) {
      await store.settled(policy ? [policy, route] : [route]);
      const { namespace, name, uid } = route.metadata;
      const cached = store.get(`${namespace}/${name}`);
      const current = cached?.uid === uid && cached?.objects.route.metadata.generation === route.metadata.generation;
      return cached && current ? cached : store.view(route, policy ? [policy] : []);
    },
  };

  /** Before the first lists are in, everything would seem free, and nothing to be there. */
  const listed = async <T>(task: () => Promise<T>): Promise<T> => {
    await cluster.synced();
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
