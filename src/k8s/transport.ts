import type { Readable } from 'node:stream';
import { Agent } from 'undici';
import { ApiError, type Status } from './api-error.ts';
import type { RawApi } from './cluster.ts';
import { type Proxy, isForwarding, proxyAuthorization } from './proxy.ts';
import { type TlsOptions, type TlsSource, createConnector } from './tls.ts';
import { transportError } from './transport-error.ts';
import { proxyRefusal } from './tunnel.ts';

export type { TlsOptions, TlsSource } from './tls.ts';

/** Where a request's `Authorization` header comes from. Asked for each request, since tokens rotate. */
export interface Credentials {
  /** The header's value; null sends none (client certificates, the embedded cluster). */
  authorization(): Promise<string | null>;
  /** The server answered 401 to this value: what was kept of it is no good. */
  refused?(authorization: string | null): void;
  /** Another number than before: there is another client certificate, and connections with the old one are left. */
  readonly generation?: number;
}

/** Whom a request acts as, by the impersonation headers. */
export interface Identity {
  user: string;
  groups: readonly string[];
}

export interface TransportOptions {
  /** Base URL of the API server; a path before `/api` is kept. */
  url: string;
  tls?: TlsOptions | TlsSource;
  credentials?: Credentials | undefined;
  /** All connections go through it. */
  proxy?: Proxy | undefined;
  connectTimeoutMs?: number;
  headersTimeoutMs?: number;
  bodyTimeoutMs?: number;
}

export interface ApiRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the server's root, encoded. */
  path: string;
  query?: Readonly<Record<string, string | number | boolean | undefined>>;
  body?: unknown;
  /** Default `application/json`. */
  contentType?: string;
  identity?: Identity | undefined;
  signal?: AbortSignal | undefined;
}

/** Rising numbers for metrics. */
export interface TransportCounts {
  requests: number;
  /** Answers by the first digit of their status; 0 for none. */
  answers: Record<'0' | '1' | '2' | '3' | '4' | '5', number>;
}

/**
 * HTTP to one API server over one pool of connections. Nothing is retried here: a caller that reads may ask again, and
 * what writes may have been carried out.
 */
export interface Transport {
  readonly url: string;
  /** The proxy on the way, such as `http://proxy:3128 (HTTPS_PROXY)`: without credentials, so it may be shown. */
  readonly proxy: string | null;
  readonly counts: TransportCounts;
  /** The answer's JSON. Rejects with an ApiError. */
  json<T>(request: ApiRequest): Promise<T>;
  /** The answer's body as it comes, without a limit on silence. Destroy it to end the request. */
  stream(request: ApiRequest): Promise<Readable>;
  /** For requests of another shape. */
  raw(identity?: Identity): RawApi;
  close(): Promise<void>;
}

/** No connection is used for longer: files with certificates are renewed well before the old ones expire. */
const connectionLifetimeMs = 300_000;

export function createTransport(options: TransportOptions): Transport {
  const base = new URL(options.url);
  const { proxy, connectTimeoutMs = 5_000, headersTimeoutMs = 30_000, bodyTimeoutMs = 30_000 } = options;
  const newConnector = () => createConnector(options.tls ?? {}, connectTimeoutMs, proxy);
  const forwarding = isForwarding(proxy, options.url);
  /** What paths begin with on the wire: a proxy that forwards gets whole URLs. */
  const before = forwarding ? base.origin : '';
  const toProxy = forwarding ? proxyAuthorization(proxy) : undefined;
  const open = () =>
    new Agent({
      connect: newConnector(),
      headersTimeout: headersTimeoutMs,
      bodyTimeout: bodyTimeoutMs,
      // Shorter than a silent watch is waited for: its successor must not get a connection that died idle with it.
      keepAliveTimeout: 10_000,
      keepAliveMaxTimeout: 10_000,
      clientTtl: connectionLifetimeMs,
      // Redirects are never followed: they would carry our credentials away.
    });
  const rawConnector = newConnector();
  let agent = open();
  const agents = new Set([agent]);
  let generation = options.credentials?.generation;
  const counts: TransportCounts = { requests: 0, answers: { 0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0 } };

  async function exchange(request: ApiRequest, streaming: boolean) {
    counts.requests += 1;
    try {
      const authorization = (await options.credentials?.authorization()) ?? null;
      if (options.credentials?.generation !== generation) reopen();
      const headers = { ...headersOf(request, authorization), ...(toProxy && { 'proxy-authorization': toProxy }) };
      const answer = await agent.request({
        origin: base.origin,
        path: before + pathOf(base, request),
        method: request.method,
        headers,
        body: request.body === undefined ? null : JSON.stringify(request.body),
        ...(request.signal && { signal: request.signal }),
        ...(streaming && { bodyTimeout: 0 }),
      });
      counts.answers[firstDigit(answer.statusCode)] += 1;
      if (answer.statusCode === 401) refused(authorization);
      if (forwarding && answer.statusCode === 407) {
        answer.body.on('error', () => {}).destroy();
        throw proxyRefusal(407);
      }
      return answer;
    } catch (error) {
      counts.answers[0] += 1;
      throw transportError(error);
    }
  }

  function refused(authorization: string | null): void {
    options.credentials?.refused?.(authorization);
    reopen();
  }

  /** A client certificate belongs to its connection: with a renewed one there must be another. */
  function reopen(): void {
    generation = options.credentials?.generation;
    const old = agent;
    agent = open();
    agents.add(agent);
    const forget = () => void agents.delete(old);
    old.close().then(forget, forget);
  }

  return {
    url: options.url.replace(/\/$/, ''),
    proxy: proxy ? `${proxy.url} (${proxy.from})` : null,
    counts,

    async json<T>(request: ApiRequest): Promise<T> {
      const answer = await exchange(request, false);
      const text = await bodyText(answer.body);
      if (answer.statusCode < 200 || answer.statusCode > 299) {
        throw statusError(answer.statusCode, text, answer.headers['retry-after']);
      }
      const value = parse(text);
      if (value === undefined)
        throw new ApiError(0, 'BadAnswer', 'the API server answered with something else than JSON');
      return value as T;
    },

    async stream(request) {
      const answer = await exchange(request, true);
      // A stream that is destroyed, by its reader or with the request, may say so again after nobody listens.
      answer.body.on('error', () => {});
      if (answer.statusCode === 200) return answer.body;
      throw statusError(answer.statusCode, await bodyText(answer.body), answer.headers['retry-after']);
    },

    raw: (identity) => ({
      origin: base.origin,
      pathPrefix: before + base.pathname.replace(/\/$/, ''),
      forwarded: forwarding,
      connect: rawConnector,
      async headers() {
        const authorization = (await options.credentials?.authorization()) ?? null;
        const {
          accept: _,
          'user-agent': __,
          ...headers
        } = headersOf({ method: 'GET', path: '', identity }, authorization);
        if (toProxy) headers['proxy-authorization'] = toProxy;
        return Object.entries(headers).flatMap(([name, values]) => [values].flat().map((value) => ({ name, value })));
      },
    }),

    async close() {
      await Promise.all([...agents].map((agent) => agent.destroy()));
    },
  };
}

function pathOf(base: URL, { path, query = {} }: ApiRequest): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  const search = parameters.size > 0 ? `?${parameters}` : '';
  return base.pathname.replace(/\/$/, '') + path + search;
}

function headersOf(request: ApiRequest, authorization: string | null) {
  const headers: Record<string, string | string[]> = { accept: 'application/json', 'user-agent': 'slipway' };
  if (request.body !== undefined) headers['content-type'] = request.contentType ?? 'application/json';
  if (authorization) headers.authorization = authorization;
  if (request.identity) {
    headers['impersonate-user'] = headerText(request.identity.user);
    // An array goes out as one line for each group; a joined line would be one group with commas in its name.
    if (request.identity.groups.length > 0) headers['impersonate-group'] = request.identity.groups.map(headerText);
  }
  return headers;
}

/** The UTF-8 bytes of a name, as header bytes. What can't be in a header acts as nobody. */
function headerText(name: string): string {
  if (name.trim() !== name || name === '' || /\p{Cc}/u.test(name)) {
    throw new ApiError(403, 'Forbidden', 'a user or group name has characters that can not be sent to the cluster');
  }
  return Buffer.from(name, 'utf8').toString('latin1');
}

async function bodyText(body: { text(): Promise<string> }): Promise<string> {
  try {
    return await body.text();
  } catch (error) {
    throw transportError(error);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the caller decides what that means.
    return undefined;
  }
}

function statusError(code: number, text: string, retryAfter: string | string[] | undefined): ApiError {
  const body = parse(text) as Partial<Status> | null | undefined;
  const status = typeof body === 'object' && body?.kind === 'Status' ? body : {};
  return ApiError.fromStatus(status, code, retryAfterMs(retryAfter));
}

/** Kubernetes sends whole seconds; the date form is for proxies that nobody puts here. */
function retryAfterMs(header: string | string[] | undefined): number | undefined {
  const seconds = Number(Array.isArray(header) ? header[0] : header);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

function firstDigit(status: number): keyof TransportCounts['answers'] {
  return String(Math.trunc(status / 100)) as keyof TransportCounts['answers'];
}
