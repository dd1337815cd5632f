import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { Auth } from './auth.ts';
import { type Access, type Caller, fullAccess, localCaller } from './caller.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Cluster, KubeClient } from './k8s/cluster.ts';
import { connect } from './k8s/connect.ts';
import type { Definition } from './k8s/embedded/api/definition.ts';
import { type EmbeddedCluster, startEmbedded } from './k8s/embedded/index.ts';
import { type Log, createLog } from './log.ts';
import { type AnyModule, defineModule } from './module.ts';
import { builtinModules } from './modules/index.ts';
import { type RunningServer, createServer } from './server.ts';
import type { RequestLimits } from './schema/limits.ts';
import type { SocketLimits } from './server/socket-limits.ts';

export interface TestServerOptions {
  /** @default the built-in modules */
  modules?: readonly AnyModule[];
  /** One value for each module, by its name. */
  config?: Readonly<Record<string, unknown>>;
  /** Runs against the embedded cluster before the server starts. */
  seed?: (kube: KubeClient) => Promise<unknown>;
  /** Kinds that the embedded API serves besides its own, such as those of a third party's policies. @default none */
  kinds?: readonly Definition[];
  /** Whether the demo services are there. @default false */
  demo?: boolean;
  /** Who every request comes from, in place of the auth module. @default the local user, who may do everything */
  as?: { caller?: Partial<Caller>; access?: Access };
  /** Kept at the end when given. @default a new temporary folder */
  dataDir?: string;
  clock?: Clock;
  log?: Log;
  /** Connects to the embedded cluster as to any other one, by the kubeconfig file whose path this gives. */
  kubeconfig?: (embedded: EmbeddedCluster) => Promise<string>;
  /** How long new connections are still served once the server is stopped. @default 0 */
  drainMs?: number;
  /** @default 2,000 sockets, 10 of one caller */
  socketLimits?: Partial<SocketLimits>;
  /** @default documents of 16 KiB, variables of 64 KiB, a cost of 25,000 */
  requestLimits?: Partial<RequestLimits>;
}

export interface GraphQLAnswer<Data = Record<string, unknown>> {
  data?: Data | null;
  errors?: { message: string; path?: (string | number)[]; extensions: Record<string, unknown> }[];
}

/** A whole server with its own embedded cluster on free loopback ports, reached as a client would. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly kubernetesUrl: string;
  readonly gatewayUrl: string;
  readonly dataDir: string;
  readonly cluster: Cluster;
  readonly embedded: EmbeddedCluster;
  readonly server: RunningServer;
  /** Plays the controller, or another user with kubectl. */
  readonly kube: KubeClient;
  /** POST /graphql. */
  query<Data = Record<string, unknown>>(
    document: string,
    variables?: Record<string, unknown>,
  ): Promise<GraphQLAnswer<Data>>;
  /** Like `query`, but rejects when there are errors. */
  data<Data = Record<string, unknown>>(document: string, variables?: Record<string, unknown>): Promise<Data>;
  /** A subscription; returning from the loop unsubscribes. */
  subscribe<Data = Record<string, unknown>>(
    document: string,
    variables?: Record<string, unknown>,
    transport?: 'ws' | 'sse',
  ): AsyncIterableIterator<GraphQLAnswer<Data>>;
  stop(): Promise<void>;
}

/** Starts a server for tests: `await using server = await startTestServer({ demo: true })`. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? createLog(process.env.SLIPWAY_TEST_LOG ?? 'silent');
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'slipway-test-')));
  const embedded = await startEmbedded({
    dataDir,
    apiPort: 0,
    gatewayPort: 0,
    demo: options.demo ?? false,
    namespace: 'default',
    clock,
    log,
    kinds: options.kinds ?? [],
  });
  const stops: (() => Promise<unknown>)[] = [() => embedded.stop()];
  if (!options.dataDir) stops.unshift(() => rm(dataDir, { recursive: true, force: true }));
  const stop = async (): Promise<void> => {
    for (const task of stops.splice(0).reverse()) await task();
  };
  try {
    await options.seed?.(embedded.api.client);
    const kubeconfig = await options.kubeconfig?.(embedded);
    const cluster = await connect({
      ...(kubeconfig === undefined ? { mode: 'EMBEDDED', embedded } : { mode: 'KUBECONFIG', kubeconfig }),
      namespaces: null,
      namespace: 'default',
      clock,
      log,
    });
    const server = await createServer({
      modules: modulesFor(options),
      config: options.config ?? {},
      cluster,
      port: 0,
      dataDir,
      log,
      clock,
      drainMs: options.drainMs ?? 0,
      ...(options.socketLimits && { socketLimits: options.socketLimits }),
      ...(options.requestLimits && { requestLimits: options.requestLimits }),
    });
    stops.push(() => server.stop());
    await server.synced();
    return surface(server, embedded, dataDir, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

function modulesFor(options: TestServerOptions): readonly AnyModule[] {
  const modules = options.modules ?? builtinModules;
  const { as } = options;
  if (!as) return modules;
  const auth = defineModule({
    name: 'auth',
    provides: { auth: Auth },
    start: () => ({
      auth: {
        authenticate: () => Promise.resolve({ ...localCaller, ...as.caller }),
        access: () => as.access ?? fullAccess,
      },
    }),
  });
  return [auth, ...modules.filter((module) => module.name !== 'auth')];
}

function surface(
  server: RunningServer,
  embedded: EmbeddedCluster,
  dataDir: string,
  stop: () => Promise<void>,
): TestServer {
  const endpoint = `${server.url}/graphql`;
  const query: TestServer['query'] = async (document, variables) => {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ query: document, variables }),
    });
    return (await response.json()) as GraphQLAnswer<never>;
  };
  return {
    url: server.url,
    kubernetesUrl: embedded.url,
    gatewayUrl: embedded.gatewayUrl,
    dataDir,
    cluster: server.cluster,
    embedded,
    server,
    kube: embedded.api.client,
    query,
    async data<Data>(document: string, variables?: Record<string, unknown>) {
      const answer = await query<Data>(document, variables);
      if (answer.errors || !answer.data) throw new Error(JSON.stringify(answer.errors ?? answer));
      return answer.data;
    },
    subscribe: (document, variables, transport = 'ws') =>
      transport === 'ws' ? overWebSocket(server.url, document, variables) : overSse(endpoint, document, variables),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function* overWebSocket<Data>(
  url: string,
  query: string,
  variables?: Record<string, unknown>,
): AsyncIterableIterator<GraphQLAnswer<Data>> {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  try {
    yield* client.iterate({ query, variables: variables ?? null }) as AsyncIterableIterator<GraphQLAnswer<Data>>;
  } finally {
    await client.dispose();
  }
}

async function* overSse<Data>(
  endpoint: string,
  query: string,
  variables?: Record<string, unknown>,
): AsyncIterableIterator<GraphQLAnswer<Data>> {
  const aborter = new AbortController();
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ query, variables }),
    signal: aborter.signal,
  });
  try {
    let text = '';
    for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        const data = /^data: ?(.+)$/m.exec(block)?.[1];
        if (/^event: ?complete$/m.test(block)) return;
        if (data) yield JSON.parse(data) as GraphQLAnswer<Data>;
      }
    }
  } finally {
    aborter.abort();
  }
}
