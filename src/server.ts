import { type IncomingMessage, type ServerResponse, createServer as createHttpServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { Auth } from './auth.ts';
import type { Caller } from './caller.ts';
import { type Clock, systemClock } from './clock.ts';
import { type ContextSource, authenticate } from './context.ts';
import { type ErrorCode, errorCodes } from './errors.ts';
import { type Refusal, createHttpGuard } from './http-guard.ts';
import type { Cluster, ClusterConnection } from './k8s/cluster.ts';
import type { Log } from './log.ts';
import type { AnyModule } from './module.ts';
import { Runs } from './modules/runs/service.ts';
import { type StartedModules, planModules, startModules } from './registry.ts';
import { buildSchema } from './schema/build.ts';
import { type RequestLimits, requestLimits } from './schema/limits.ts';
import { answerCors } from './server/cors.ts';
import { type Drain, createDrain } from './server/drain.ts';
import { presentError } from './server/errors.ts';
import { listen } from './server/listen.ts';
import { createGraphQL } from './server/graphql.ts';
import { checkListener } from './server/sign-in.ts';
import { type SocketLimits, socketLimits } from './server/socket-limits.ts';
import { tour } from './server/tour.ts';
import { serveWebSocket } from './server/websocket.ts';

export interface ServerOptions {
  modules: readonly AnyModule[];
  /** One value for each module, by its name. */
  config: Readonly<Record<string, unknown>>;
  cluster: ClusterConnection;
  /** @default 127.0.0.1 */
  host?: string;
  /** 0 picks a free one. */
  port: number;
  /** Names that requests may name besides loopback; only with sign-in. @default none */
  allowedHosts?: readonly string[];
  /** Other origins whose pages may call; only with sign-in. @default none */
  allowedOrigins?: readonly string[];
  dataDir: string;
  log: Log;
  /** @default the system's clock */
  clock?: Clock;
  /** How long new connections are still served once the server is stopped, at least; with 0 not at all. @default 0 */
  drainMs?: number;
  /** @default 2,000 sockets, 10 of one caller */
  socketLimits?: Partial<SocketLimits>;
  /** @default documents of 16 KiB, variables of 64 KiB, a cost of 25,000 */
  requestLimits?: Partial<RequestLimits>;
}

export interface RunningServer {
  /** `http://127.0.0.1:4000` */
  readonly url: string;
  readonly cluster: Cluster;
  readonly modules: StartedModules;
  /** Resolves when the cluster is listed and all its runs are known. */
  synced(): Promise<void>;
  /** Not ready from now on; drains, stops the modules in reverse, and the cluster last. */
  stop(): Promise<void>;
}

/**
 * Whoever sends too slowly is cut (looked after every five seconds), and no single client may hold all connections. After
 * so many requests a connection ends, so that clients spread over the replicas. Idle ones are kept for longer than clients
 * are told, so that none is closed while a request is on its way: load balancers, which do not listen, keep them for 60 s.
 */
const httpLimits = {
  headersTimeout: 10_000,
  requestTimeout: 35_000,
  keepAliveTimeout: 5_000,
  keepAliveTimeoutBuffer: 60_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16_384,
};
const maxConnections = 10_000;
const maxRequestsPerSocket = 1_000;

const ownSettings = { module: 'server', host: 'SLIPWAY_HOST', port: 'SLIPWAY_PORT' };

/** Modules to a running server: plan, open the cluster, build the schema, start, listen. */
export async function createServer(options: ServerOptions): Promise<RunningServer> {
  const { log, clock = systemClock, dataDir, host = '127.0.0.1', allowedHosts = [], allowedOrigins = [] } = options;
  const { drainMs = 0 } = options;
  const plan = await planModules(options.modules, options.config);
  const atMost = { ...requestLimits, ...options.requestLimits };
  // First of all: while the rest is made, the API server has the first lists to prepare.
  const cluster = await options.cluster.open(plan.watches);
  let modules: StartedModules | undefined;
  try {
    const schema = buildSchema(
      plan.modules.map(({ module }) => module),
      atMost,
    );
    modules = await startModules(plan, { cluster, clock, log, dataDir });
    checkListener({ host, allowedHosts, allowedOrigins, mode: cluster.mode }, modules.find(Auth));
    const source = { modules, cluster, clock, log };
    const server = createHttpServer(httpLimits);
    server.maxConnections = maxConnections;
    server.maxRequestsPerSocket = maxRequestsPerSocket;
    const drain = createDrain({ server, clock, log, isProbe });
    const graphql = createGraphQL(schema, source, (response) => drain.stream(response), atMost);
    const origins = new Set(allowedOrigins);
    const hosts = new Set([host, ...allowedHosts]);
    const guard = createHttpGuard({ bodyTypes: ['application/json'], allowsHost: (name) => hosts.has(name), origins });
    server.on('request', httpHandler({ guard, origins, source, graphql: graphql.serve, drain }));
    const sockets = serveWebSocket(server, graphql.yoga, source, guard, { ...socketLimits, ...options.socketLimits });
    const url = await listen(server, { host, port: options.port }, ownSettings);
    const started = modules;
    const stop = async (): Promise<void> => {
      await drain.run(drainMs, sockets);
      const closed = new Promise((resolve) => server.close(resolve));
      await started.stop();
      server.closeAllConnections();
      await closed;
      await cluster.stop();
    };
    const synced = async (): Promise<void> => {
      await cluster.synced();
      await started.find(Runs)?.known();
    };
    let stopped: Promise<void> | undefined;
    return { url, cluster, modules, synced, stop: () => (stopped ??= stop()) };
  } catch (error) {
    await modules?.stop();
    await cluster.stop();
    throw error;
  }
}

interface HttpParts {
  guard: (request: IncomingMessage) => Refusal | null;
  origins: ReadonlySet<string>;
  source: ContextSource;
  graphql: (request: IncomingMessage, response: ServerResponse, caller: Caller) => unknown;
  drain: Drain;
}

const pathOf = ({ url = '/' }: IncomingMessage): string => url.split('?')[0] ?? '/';
const isProbe = (request: IncomingMessage): boolean => ['/livez', '/readyz'].includes(pathOf(request));

/** Probes first, then the guard, then who is calling, and only then anything else. */
function httpHandler(parts: HttpParts): (request: IncomingMessage, response: ServerResponse) => void {
  const { guard, origins, source, drain } = parts;
  return (request, response) => {
    drain.track(response);
    response.setHeader('x-content-type-options', 'nosniff');
    const path = pathOf(request);
    if (path === '/livez') return answer(response, 200, { status: 'ok' });
    if (path === '/readyz')
      return readiness(response, [
        ...(drain.begun ? ['server: it is shutting down.'] : []),
        ...source.modules.notReady(),
      ]);
    const refusal = guard(request);
    if (refusal) {
      const code = refusal.status === 415 ? 'INVALID' : 'FORBIDDEN';
      return answer(response, refusal.status, { errors: [{ message: refusal.message, extensions: { code } }] });
    }
    if (answerCors(request, response, origins)) return;
    void serveCaller(parts, path, request, response);
  };
}

async function serveCaller(
  parts: HttpParts,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const caller = await authenticate(parts.source, request);
    await route(parts, path, request, response, caller);
  } catch (error) {
    refuse(response, error, parts.source.log);
  }
}

function readiness(response: ServerResponse, reasons: readonly string[]): void {
  const ready = reasons.length === 0;
  answer(response, ready ? 200 : 503, { status: ready ? 'ok' : 'not ready', reasons });
}

/** GraphQL, the modules' own routes and GraphiQL. */
async function route(
  { source, graphql }: HttpParts,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  caller: Caller,
): Promise<void> {
  const { modules, cluster } = source;
  if (path === '/graphql') return void (await graphql(request, response, caller));
  const found = [...modules.routes].find(
    ([prefix]) => path === prefix || path.startsWith(prefix === '/' ? '/' : `${prefix}/`),
  );
  if (found) return await found[1](request, response, caller);
  if (cluster.mode === 'EMBEDDED' && path === '/graphiql') return await graphiql(response);
  if (cluster.mode === 'EMBEDDED' && path === '/') return void response.writeHead(302, { location: '/graphiql' }).end();
  answer(response, 404, { errors: [{ message: `There is nothing at ${path}.`, extensions: { code: 'NOT_FOUND' } }] });
}

/** Says why; of what is unexpected, nothing but an id. What was sent beyond the headers is not read. */
function refuse(response: ServerResponse, error: unknown, log: Log): void {
  const presented = presentError(error, log, randomUUID());
  if (response.headersSent) return void response.destroy();
  const code = presented.extensions['code'] as ErrorCode;
  response.setHeader('connection', 'close');
  if (code === 'UNAUTHENTICATED') response.setHeader('www-authenticate', 'Bearer');
  answer(response, errorCodes[code], { errors: [presented] });
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

/** Loaded when somebody looks: it is a text of 9 MB, which the others would all carry along. */
async function graphiql(response: ServerResponse): Promise<void> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const page = renderGraphiQL({
    title: 'Slipway',
    endpoint: '/graphql',
    subscriptionsProtocol: 'WS',
    defaultQuery: tour,
  });
  // The page is inert data and our own origin; framing it would let another page click for the user.
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "frame-ancestors 'none'",
  });
  response.end(page);
}
