import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BootError } from '../../../../boot-error.ts';
import { type When, abortedForMany } from '../../../../endings.ts';
import { createHttpGuard } from '../../../../http-guard.ts';
import type { Log } from '../../../../log.ts';
import { ApiError } from '../../../api-error.ts';
import { patchTypes } from '../patch/index.ts';
import { badRequest, internalError, statusOf } from '../status.ts';
import { protobufType } from './body.ts';

/** One request on its way through the server. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Aborted when the client is gone or the server stops. */
  readonly signal: AbortSignal;
}

export type Handler = (exchange: Exchange) => Promise<void> | void;

export interface HttpServer {
  readonly url: string;
  stop(): Promise<void>;
}

const bodyTypes = ['application/json', 'application/yaml', protobufType, ...Object.values(patchTypes)];
const refusalReasons: Record<number, string> = { 400: 'BadRequest', 403: 'Forbidden', 415: 'UnsupportedMediaType' };

/** Listens on loopback only, and keeps out web pages of other origins and rebound host names. */
export async function serve(port: number, handle: Handler, log: Log): Promise<HttpServer> {
  const guard = createHttpGuard({ bodyTypes });
  const stopping = new AbortController();
  const whenStopped = abortedForMany(stopping.signal);
  const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
    const refusal = guard(request);
    if (refusal) {
      // What is left of the body is of no interest.
      response.setHeader('connection', 'close');
      sendError(response, new ApiError(refusal.status, refusalReasons[refusal.status] ?? '', refusal.message));
      return;
    }
    void answer(request, response, handle, whenStopped, log);
  });
  // Watches last as long as they ask for; only the head of a request must come soon.
  server.requestTimeout = 0;
  await listen(server, port);
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${bound}`,
    async stop() {
      stopping.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      server.closeAllConnections();
      await closed;
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') return reject(error);
      const why = error.code === 'EACCES' ? 'may not be used' : 'is taken by another program';
      const message = `port ${port} for the embedded Kubernetes API ${why}.`;
      const remedy = 'Stop that program, or set another port (0 picks a free one).';
      reject(new BootError([{ module: 'server', field: 'SLIPWAY_EMBEDDED_API_PORT', message, remedy }]));
    });
    server.listen(port, '127.0.0.1', resolve);
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  handle: Handler,
  whenStopped: When,
  log: Log,
): Promise<void> {
  const gone = new AbortController();
  const leave = () => gone.abort();
  response.once('close', leave);
  const callOff = whenStopped(leave);
  try {
    const url = parseUrl(request.url ?? '/');
    await handle({
      request,
      response,
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      signal: gone.signal,
    });
  } catch (error) {
    if (!(error instanceof ApiError)) log.error({ error, path: request.url?.split('?')[0] }, 'the embedded API failed');
    sendError(response, error instanceof ApiError ? error : internalError('see the log of the server'));
  } finally {
    callOff();
  }
}

function parseUrl(text: string): URL {
  try {
    return new URL(text, 'http://localhost');
  } catch {
    throw badRequest('the path of the request is malformed');
  }
}

export function sendText(response: ServerResponse, code: number, text: string, type = 'application/json'): void {
  response.writeHead(code, {
    'content-type': type,
    'cache-control': 'no-cache, private',
    'x-content-type-options': 'nosniff',
  });
  response.end(text);
}

export function sendJson(response: ServerResponse, code: number, value: unknown): void {
  sendText(response, code, `${JSON.stringify(value)}\n`);
}

export function sendError(response: ServerResponse, error: ApiError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error.retryAfterMs !== undefined) response.setHeader('retry-after', String(Math.ceil(error.retryAfterMs / 1000)));
  // A body that was refused unread can't be followed by another request.
  if (error.status === 413) response.setHeader('connection', 'close');
  sendJson(response, error.status || 500, statusOf(error));
}
