import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import { type Server as TlsServer, createServer as createTlsServer } from 'node:https';
import type { TLSSocket, TlsOptions } from 'node:tls';
import { listenAgain } from '../ports.ts';

export interface Received {
  method: string;
  path: string;
  /** Names as they came, each line of a repeated header by itself. */
  headers: [string, string][];
  body: string;
  httpVersion: string;
  /** The common name of the client's certificate. */
  client: string | null;
}

export type Answer = (request: Received, response: ServerResponse) => void;

/** A server that answers as told and remembers what it got, over HTTP or HTTPS. */
export async function startHttpServer(answer: Answer, tls?: TlsOptions & { http2?: boolean }) {
  const received: Received[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
    const headers: [string, string][] = [];
    for (let index = 0; index < request.rawHeaders.length; index += 2) {
      headers.push([request.rawHeaders[index] ?? '', request.rawHeaders[index + 1] ?? '']);
    }
    const { method = '', url = '', httpVersion } = request;
    const got = { method, path: url, headers, body, httpVersion, client: clientOf(request) };
    received.push(got);
    answer(got, response);
  };
  const listener = (request: unknown, response: unknown) =>
    void handle(request as IncomingMessage, response as ServerResponse);
  let connections = 0;
  const listening: { server: Server | TlsServer } = { server: create(tls) };
  let port = 0;

  function create(options: typeof tls): Server | TlsServer {
    if (!options) return createServer(listener);
    if (!options.http2) return createTlsServer(options, listener);
    const { http2: _http2, ...rest } = options;
    return createSecureServer({ ...rest, allowHTTP1: true }, listener) as unknown as TlsServer;
  }

  async function listen(server: Server | TlsServer): Promise<void> {
    server.on(tls ? 'secureConnection' : 'connection', () => (connections += 1));
    server.on('tlsClientError', () => {});
    port = await listenAgain(server, port);
    listening.server = server;
  }

  async function close(): Promise<void> {
    const { server } = listening;
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    // An HTTP/2 server has no such method, and no connection is left by then.
    (server as Partial<Server>).closeAllConnections?.();
    await closed;
  }

  await listen(listening.server);
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    received,
    get connections() {
      return connections;
    },
    close,
    /** On the same port, with other certificates. */
    async renew(options: TlsOptions): Promise<void> {
      await close();
      await listen(create(options));
    },
    [Symbol.asyncDispose]: close,
  };
}

function clientOf(request: IncomingMessage): string | null {
  const socket = request.socket as Partial<TLSSocket>;
  const subject = socket.getPeerCertificate?.()?.subject as { CN?: string } | undefined;
  return subject?.CN ?? null;
}

export const ok = (value: unknown): Answer => {
  return (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  };
};

/** The values of a header, a line each. */
export function linesOf({ headers }: Received, name: string): string[] {
  return headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}
