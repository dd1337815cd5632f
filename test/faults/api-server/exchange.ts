import type { IncomingMessage, ServerResponse } from 'node:http';

/** What a request is for. */
export type RequestKind = 'list' | 'watch' | 'get';

/** One request, and ways to answer it well or badly. */
export interface Exchange {
  readonly kind: RequestKind;
  /** `apis/apps/v1/deployments`; for others than lists and watches the whole path. */
  readonly resource: string;
  readonly namespace: string | null;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly response: ServerResponse;
  /** Answers as a good server would. */
  serve(): void;
  /** Answers with a Status. */
  status(code: number, reason?: string, options?: { headers?: Record<string, string>; cause?: string }): void;
  /** Answers as what stands before an API server would. */
  html(code: number): void;
  /** Begins a watch's answer. */
  open(): void;
  /** Writes one line or a part of it. */
  write(text: string | Uint8Array): void;
  event(type: string, object: unknown): void;
  end(): void;
  /** RST */
  reset(): void;
}

export type Step = (exchange: Exchange) => void | Promise<void>;

type Target = Pick<Exchange, 'kind' | 'resource' | 'namespace' | 'query'>;

export function createExchange(
  target: Target,
  request: IncomingMessage,
  response: ServerResponse,
  serve: (exchange: Exchange) => void,
): Exchange {
  // A client that goes away while we write is what the tests are about.
  response.on('error', () => {});
  const exchange: Exchange = {
    ...target,
    headers: request.headers,
    response,
    serve: () => serve(exchange),
    status(code, reason, { headers = {}, cause } = {}) {
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      const details = cause === undefined ? {} : { details: { causes: [{ reason: cause }] } };
      const status = {
        kind: 'Status',
        apiVersion: 'v1',
        status: 'Failure',
        code,
        ...(reason && { reason }),
        ...details,
      };
      json(response, code, status);
    },
    html(code) {
      response.writeHead(code, { 'content-type': 'text/html' });
      response.end('<html><body>\n<h1>Somebody else</h1>\n</body></html>\n');
    },
    open() {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
    },
    write: (text) => void response.write(text),
    event: (type, object) => void response.write(`${JSON.stringify({ type, object })}\n`),
    end: () => void response.end(),
    reset: () => void response.socket?.resetAndDestroy(),
  };
  return exchange;
}

export function json(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
