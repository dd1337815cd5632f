import { type IncomingMessage, type Server, type ServerResponse, createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { BootError } from './boot-error.ts';
import { type Clock, systemClock } from './clock.ts';
import { type Refusal, createHttpGuard } from './http-guard.ts';
import type { Cluster, ClusterConnection } from './k8s/cluster.ts';
import type { Log } from './log.ts';
import type { AnyModule } from './module.ts';
import { type StartedModules, planModules, startModules } from './registry.ts';
import { buildSchema } from './schema/build.ts';
import { tour } from './server/tour.ts';
import { serveWebSocket } from './server/websocket.ts';
import { createGraphQL } from './server/yoga.ts';

export interface ServerOptions {
  modules: readonly AnyModule[];
  /** One value for each module, by its name. */
  config: Readonly<Record<string, unknown>>;
  cluster: ClusterConnection;
  /** @default 127.0.0.1 */
  host?: string;
  /** 0 picks a free one. */
  port: number;
  dataDir: string;
  log: Log;
  /** @default the system's clock */
  clock?: Clock;
}

export interface RunningServer {
  /** `http://127.0.0.1:4000` */
  readonly url: string;
  readonly cluster: Cluster;
  readonly modules: StartedModules;
  /** Drains: no new requests, sockets closed with 1001, modules stopped in reverse. The cluster is stopped last. */
  stop(): Promise<void>;
}

/** Modules to a running server: plan, open the cluster, build the schema, start, listen. */
export async function createServer(options: ServerOptions): Promise<RunningServer> {
  const { log, clock = systemClock, dataDir, host = '127.0.0.1' } = options;
  const plan = await planModules(options.modules, options.config);
  const schema = buildSchema(plan.modules.map(({ module }) => module));
  const cluster = await options.cluster.open(plan.watches);
  let modules: StartedModules | undefined;
  try {
    modules = await startModules(plan, { cluster, clock, log, dataDir });
    const source = { modules, cluster, clock, log };
    const yoga = createGraphQL(schema, source);
    const guard = createHttpGuard({ bodyTypes: ['application/json'] });
    const server = createHttpServer({ requestTimeout: 35_000, headersTimeout: 10_000 });
    server.on('request', httpHandler({ guard, modules, cluster, log, graphql: (req, res) => yoga(req, res) }));
    const sockets = serveWebSocket(server, yoga, source, guard);
    const url = await listen(server, host, options.port);
    const started = modules;
    return {
      url,
      cluster,
      modules,
      async stop() {
        const closed = new Promise((resolve) => server.close(resolve));
        await sockets.close();
        server.closeIdleConnections();
        await started.stop();
        server.closeAllConnections();
        await closed;
        await cluster.stop();
      },
    };
  } catch (error) {
    await modules?.stop();
    await cluster.stop();
    throw error;
  }
}

function listen(server: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      const message = taken
        ? `port ${port} on ${host} is taken.`
        : `can't listen on ${host}:${port}: ${error.message}.`;
      const remedy = taken
        ? 'Stop the other program or set another port (0 picks a free one).'
        : 'Set SLIPWAY_HOST and SLIPWAY_PORT.';
      reject(new BootError([{ module: 'server', field: 'SLIPWAY_PORT', message, remedy }]));
    });
    server.listen(port, host, () => {
      const address = server.address() as AddressInfo;
      resolve(`http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`);
    });
  });
}

interface HttpParts {
  guard: (request: IncomingMessage) => Refusal | null;
  modules: StartedModules;
  cluster: Cluster;
  log: Log;
  graphql: (request: IncomingMessage, response: ServerResponse) => unknown;
}

/** Probes first, then the guard, then GraphQL, the modules' own routes and GraphiQL. */
function httpHandler(parts: HttpParts): (request: IncomingMessage, response: ServerResponse) => void {
  const { guard, modules, cluster } = parts;
  return (request, response) => {
    response.setHeader('x-content-type-options', 'nosniff');
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    if (path === '/livez') return answer(response, 200, { status: 'ok' });
    if (path === '/readyz') {
      const reasons = modules.notReady();
      return answer(response, reasons.length === 0 ? 200 : 503, {
        status: reasons.length === 0 ? 'ok' : 'not ready',
        reasons,
      });
    }
    const refusal = guard(request);
    if (refusal) {
      const code = refusal.status === 415 ? 'INVALID' : 'FORBIDDEN';
      return answer(response, refusal.status, { errors: [{ message: refusal.message, extensions: { code } }] });
    }
    if (path === '/graphql') return void parts.graphql(request, response);
    const route = [...modules.routes].find(
      ([prefix]) => path === prefix || path.startsWith(prefix === '/' ? '/' : `${prefix}/`),
    );
    if (route) return void runRoute(route[1], request, response, parts.log);
    if (cluster.mode === 'EMBEDDED' && path === '/graphiql') return graphiql(response);
    if (cluster.mode === 'EMBEDDED' && path === '/')
      return void response.writeHead(302, { location: '/graphiql' }).end();
    answer(response, 404, { errors: [{ message: `There is nothing at ${path}.`, extensions: { code: 'NOT_FOUND' } }] });
  };
}

async function runRoute(
  handler: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
  request: IncomingMessage,
  response: ServerResponse,
  log: Log,
): Promise<void> {
  try {
    await handler(request, response);
  } catch (error) {
    log.error({ err: error }, "a module's route failed");
    if (response.headersSent) response.destroy();
    else
      answer(response, 500, {
        errors: [{ message: 'Something went wrong on our side.', extensions: { code: 'INTERNAL' } }],
      });
  }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

function graphiql(response: ServerResponse): void {
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
