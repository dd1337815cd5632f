import type { Clock } from '../../../../src/clock.ts';
import { connect } from '../../../../src/k8s/connect.ts';
import {
  gatewayClasses,
  gateways as gatewayResource,
  type HTTPRoute,
  httpRoutes,
  type KubeObject,
  type SecurityPolicy,
  securityPolicies,
} from '../../../../src/k8s/resources.ts';
import { createLog } from '../../../../src/log.ts';
import { gateways } from '../../../../src/modules/gateways/index.ts';
import { runs } from '../../../../src/modules/runs/index.ts';
import { createServer } from '../../../../src/server.ts';
import type { GraphQLAnswer } from '../../../../src/testing.ts';
import { calls, echo, type GatewaysServer, startGatewaysServer } from '../surface.ts';
import { type ApiProxy, startApiProxy } from './api-proxy.ts';
import { createJumpClock } from './jump-clock.ts';

/** What the cluster holds of one gateway. */
export interface Held {
  route: HTTPRoute | undefined;
  policy: SecurityPolicy | undefined;
}

/** Several servers on one cluster: some reach it by a proxy at which requests fail, and one that is always well. */
export async function createWorld() {
  const home = await startGatewaysServer();
  await echo(home);
  const seeding = calls(home);
  for (const name of ['users', 'others']) {
    await seeding.createSecret({ basic: { namespace: 'default', name, users: [{ username: 'maria' }] } });
  }
  await seeding.createSecret({ apiKey: { namespace: 'default', name: 'keys', clients: ['lab'] } });
  await addPlayedParent(home);
  const stopController = playController(home);
  const clock = createJumpClock();
  const well = await startReplica(home, clock, home.kubernetesUrl);
  let failing: FailingReplica | null = null;

  return {
    home,
    /** Moves the clock of all servers on. */
    jump: (ms: number) => clock.jump(ms),
    well,
    /** The one that fails; a new one after `lose`. */
    async failing(): Promise<FailingReplica> {
      failing ??= await startFailingReplica(home, clock);
      return failing;
    },
    /** Ends the failing one, as after a crash. */
    async lose(): Promise<void> {
      const lost = failing;
      failing = null;
      await lost?.stop();
    },
    held: (name: string): Held => ({
      route: home.embedded.api.get(httpRoutes, 'default', name),
      policy: home.embedded.api.get(securityPolicies, 'default', `${name}-sp`),
    }),
    /** Resolves when the cluster holds what is wanted of a gateway. */
    until(name: string, wanted: (held: Held) => boolean): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      const check = () => {
        if (wanted(this.held(name))) resolve();
      };
      const stops = [httpRoutes, securityPolicies].map((resource) =>
        home.embedded.api.observe<KubeObject>(resource, check),
      );
      check();
      return promise.finally(() => stops.forEach((stop) => stop()));
    },
    async [Symbol.asyncDispose]() {
      await failing?.stop();
      await stopController();
      await well.stop();
      await home.stop();
    },
  };
}

/** A Gateway of Envoy Gateway; its controller is played: it takes routes and policies, the one or the other first. */
export const playedParent = { namespace: 'default', name: 'played' };

const programmed = {
  type: 'Programmed',
  status: 'True',
  reason: 'Programmed',
  message: '',
  observedGeneration: 1,
  lastTransitionTime: '2026-01-01T00:00:00Z',
};

/** Accepts routes that name the Gateway, and their policies; resolves when all is written. */
function playController({ kube, embedded }: GatewaysServer): () => Promise<void> {
  let writing = Promise.resolve();
  const acceptRoute = async (name: string): Promise<void> => {
    const route = embedded.api.get(httpRoutes, 'default', name);
    if (route?.spec.parentRefs?.[0]?.name !== playedParent.name) return;
    const { generation = 1 } = route.metadata;
    if (route.status?.parents?.[0]?.conditions?.[0]?.observedGeneration === generation) return;
    const conditions = ['Accepted', 'ResolvedRefs'].map((type) => ({
      ...{ ...programmed, type, reason: type },
      observedGeneration: generation,
    }));
    const parents = [{ parentRef: playedParent, controllerName: 'x/y', conditions }];
    await kube.patch(httpRoutes, name, 'default', { status: { parents } }, { subresource: 'status' });
  };
  const look = async (name: string): Promise<void> => {
    const route = embedded.api.get(httpRoutes, 'default', name);
    const policy = embedded.api.get(securityPolicies, 'default', `${name}-sp`);
    if (route?.spec.parentRefs?.[0]?.name !== playedParent.name || !policy) return;
    const { generation = 1 } = policy.metadata;
    const condition = { ...programmed, type: 'Accepted', reason: 'Accepted', observedGeneration: generation };
    if (policy.status?.ancestors?.[0]?.conditions?.[0]?.observedGeneration === generation) return;
    const ancestors = [{ ancestorRef: playedParent, controllerName: 'x/y', conditions: [condition] }];
    const path = { status: { ancestors } };
    await kube.patch(securityPolicies, policy.metadata.name, 'default', path, { subresource: 'status' });
  };
  const soon = (name: string) => {
    writing = writing
      .then(() => acceptRoute(name))
      .catch(() => {})
      .then(() => look(name))
      .catch(() => {});
  };
  const stops = [
    embedded.api.observe(httpRoutes, ({ object }) => soon(object.metadata.name)),
    embedded.api.observe(securityPolicies, ({ object }) => soon(object.metadata.name.replace(/-sp$/, ''))),
  ];
  return async () => {
    for (const stop of stops) stop();
    await writing;
  };
}

async function addPlayedParent({ kube }: GatewaysServer): Promise<void> {
  const { name, namespace } = playedParent;
  await kube.create(gatewayClasses, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GatewayClass',
    metadata: { name },
    spec: { controllerName: 'gateway.envoyproxy.io/gatewayclass-controller' },
  });
  await kube.create(gatewayResource, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name, namespace },
    spec: { gatewayClassName: name, listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] },
  });
  await kube.patch(
    gatewayResource,
    name,
    namespace,
    { status: { conditions: [programmed] } },
    { subresource: 'status' },
  );
}

export type FailureWorld = Awaited<ReturnType<typeof createWorld>>;

export interface Replica {
  query<Data>(document: string, variables?: Record<string, unknown>): Promise<GraphQLAnswer<Data>>;
  stop(): Promise<void>;
}

interface FailingReplica extends Replica {
  proxy: ApiProxy;
}

async function startFailingReplica(home: GatewaysServer, clock: Clock): Promise<FailingReplica> {
  const proxy = await startApiProxy(home.kubernetesUrl);
  const replica = await startReplica(home, clock, proxy.url);
  return {
    ...replica,
    proxy,
    async stop() {
      await replica.stop();
      await proxy.stop();
    },
  };
}

/** One more server on the same cluster. */
export async function startReplica(
  { embedded, dataDir }: GatewaysServer,
  clock: Clock,
  url: string,
  namespaces: string[] | null = null,
): Promise<Replica> {
  const log = createLog(process.env['SLIPWAY_TEST_LOG'] ?? 'silent');
  const cluster = await connect({ mode: 'EMBEDDED', embedded: { ...embedded, url }, namespaces, clock, log });
  const server = await createServer({
    modules: [runs, gateways],
    config: { gateways: { takeoverSeconds: 0, drainSeconds: 0 } },
    cluster,
    port: 0,
    dataDir,
    log,
    clock,
  });
  await server.synced();
  return {
    async query(document, variables) {
      const response = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify({ query: document, variables }),
      });
      return (await response.json()) as GraphQLAnswer<never>;
    },
    stop: () => server.stop(),
  };
}
