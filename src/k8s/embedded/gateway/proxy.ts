import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from 'node:http';
import { pipeline } from 'node:stream';
import type { Clock } from '../../../clock.ts';
import type { HeaderModifier } from '../../resources.ts';
import type { Endpoint } from './backends.ts';
import { endToEndHeaders, type HeaderLines, headerLines, headerValues, modifyHeaders, setHeader } from './headers.ts';

/** A request as the backend will see it. */
export interface Outgoing {
  method: string;
  /** Path and query. */
  target: string;
  headers: HeaderLines;
  endpoint: Endpoint;
  responseHeaders: readonly HeaderModifier[];
  timeoutMs: number | null;
}

export interface Proxy {
  /** Resolves when the exchange is over, whichever way it ended; never rejects. */
  forward(incoming: IncomingMessage, response: ServerResponse, outgoing: Outgoing): Promise<void>;
  close(): void;
}

/** A connection on which nothing moves for so long is given up. */
const idleTimeoutMs = 300_000;

export function createProxy(clock: Clock): Proxy {
  const pooled = new Agent({ keepAlive: true, maxFreeSockets: 16, timeout: 60_000 });
  const fresh = new Agent({ keepAlive: false });
  return {
    close() {
      pooled.destroy();
      fresh.destroy();
    },
    forward(incoming, response, outgoing) {
      const repeatable = !hasBody(incoming) && ['GET', 'HEAD', 'OPTIONS'].includes(outgoing.method);
      return new Promise((resolve) => {
        const exchange = createExchange(incoming, response, outgoing, clock, resolve);
        // A pooled connection may just have been closed by the other side: only what may be sent twice goes over one.
        exchange.send(repeatable ? pooled : fresh, repeatable ? fresh : null);
      });
    },
  };
}

function createExchange(
  incoming: IncomingMessage,
  response: ServerResponse,
  outgoing: Outgoing,
  clock: Clock,
  done: () => void,
) {
  let upstream: ClientRequest | null = null;
  const fail = (status: number, message: string) => {
    upstream?.destroy();
    // Half an answer must not pass for a whole one.
    if (response.headersSent) response.destroy();
    else answer(response, status, message);
  };
  const cancel =
    outgoing.timeoutMs === null
      ? () => {}
      : clock.after(outgoing.timeoutMs, () => fail(504, 'The service did not answer in time.'));
  response.once('close', () => {
    cancel();
    upstream?.destroy();
    incoming.resume();
    done();
  });

  const send = (agent: Agent, again: Agent | null) => {
    const attempt = openRequest(outgoing, agent);
    upstream = attempt;
    attempt.setTimeout(idleTimeoutMs, () => fail(504, 'The service fell silent.'));
    attempt.on('error', () => {
      // Once the answer is on its way, its own stream says whether it is whole.
      if (response.headersSent || response.destroyed) return;
      if (again && attempt.reusedSocket) send(again, null);
      else fail(502, 'The service could not be reached or broke off.');
    });
    attempt.on('response', (answered) => relay(answered, response, outgoing, fail));
    if (hasBody(incoming)) incoming.pipe(attempt);
    else attempt.end();
  };
  return { send };
}

/** Opens the request to the backend with exactly the given headers. */
export function openRequest(outgoing: Outgoing, agent: Agent | false, extra: HeaderLines = []): ClientRequest {
  const { address, port } = outgoing.endpoint;
  const request = httpRequest({
    host: address,
    port,
    method: outgoing.method,
    path: outgoing.target,
    agent,
    setHost: false,
  });
  for (const [name, value] of [...outgoing.headers, ...extra]) request.appendHeader(name, value);
  return request;
}

function relay(
  answered: IncomingMessage,
  response: ServerResponse,
  outgoing: Outgoing,
  fail: (status: number, message: string) => void,
): void {
  try {
    const headers = responseHeaders(answered, outgoing.responseHeaders);
    response.writeHead(answered.statusCode ?? 502, answered.statusMessage ?? '', headers.flat());
  } catch {
    // A status or header that the parser let pass but that can't be written on.
    fail(502, 'The service gave an answer that is not valid HTTP.');
    return;
  }
  // A stream's first byte may come much later than its headers.
  response.flushHeaders();
  pipeline(answered, response, (error) => {
    if (error) response.destroy();
  });
}

export function responseHeaders(answered: IncomingMessage, modifiers: readonly HeaderModifier[]): HeaderLines {
  return modifiers.reduce(modifyHeaders, endToEndHeaders(headerLines(answered.rawHeaders)));
}

export function hasBody(incoming: IncomingMessage): boolean {
  return incoming.headers['transfer-encoding'] !== undefined || Number(incoming.headers['content-length'] ?? 0) > 0;
}

/** The client's headers as they go on: hop-by-hop ones gone, where it came from added. */
export function forwardedHeaders(incoming: IncomingMessage, headers: HeaderLines): HeaderLines {
  let lines = endToEndHeaders(headers);
  const from = [...headerValues(lines, 'x-forwarded-for'), incoming.socket.remoteAddress ?? ''].filter(Boolean);
  lines = setHeader(lines, 'X-Forwarded-For', from.join(', '));
  lines = setHeader(lines, 'X-Forwarded-Proto', 'http');
  // The framing of a body is this hop's own, but must be said: for some methods Node would send it unframed.
  return incoming.headers['transfer-encoding'] === undefined ? lines : setHeader(lines, 'Transfer-Encoding', 'chunked');
}

/** An answer of the gateway itself. */
export function answer(response: ServerResponse, status: number, message: string, headers: HeaderLines = []): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, [...headers, ['Content-Type', 'text/plain; charset=utf-8']].flat());
  response.end(`${message}\n`);
}
