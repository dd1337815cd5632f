import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EmbeddedCluster } from '../../../src/k8s/embedded/index.ts';
import type { Upstream } from './upstream.ts';

/** What a kube-apiserver adds to an answer. */
const ownHeaders = {
  'audit-id': '8c7f6b1c',
  'cache-control': 'no-cache, private',
  'x-kubernetes-pf-flowschema-uid': 'a',
  'x-kubernetes-pf-prioritylevel-uid': 'b',
};

/** A request for `services/proxy` as it came. */
export interface Passed {
  method: string;
  path: string;
  service: string;
  headers: IncomingMessage['headersDistinct'];
}

/**
 * An API server with a service proxy that does to calls what kube-apiserver does: all else is the embedded cluster's. It
 * knows one user by their token.
 */
export interface ProxyingApiServer extends AsyncDisposable {
  readonly url: string;
  readonly passed: Passed[];
  /** Which program answers for a Service. */
  route(service: string, upstream: Pick<Upstream, 'address' | 'port'>): void;
  /** How it answers the next calls itself: a Status of this reason. */
  refuse(code: number, reason: string): void;
  /** With `cluster`, such as a proxy, in it. */
  readonly kubeconfig: (embedded: EmbeddedCluster, cluster?: Record<string, unknown>) => Promise<string>;
}

const token = 'token-of-the-server';

export async function startProxyingApiServer(): Promise<ProxyingApiServer> {
  const upstreams = new Map<string, Pick<Upstream, 'address' | 'port'>>();
  const passed: Passed[] = [];
  let embeddedUrl = '';
  let refusal: { code: number; reason: string } | null = null;

  const server = createServer((incoming, response) => {
    const proxied = /^\/api\/v1\/namespaces\/[^/]+\/services\/([^/:]+):(\d+)\/proxy(\/[^?]*)(\?.*)?$/.exec(
      incoming.url ?? '',
    );
    if (incoming.headers.authorization !== `Bearer ${token}`) return status(response, 401, 'Unauthorized');
    if (!proxied) return pass(incoming, response, new URL(embeddedUrl), incoming.url ?? '/', {});
    const [, service = '', , path = '/', query = ''] = proxied;
    passed.push({ method: incoming.method ?? '', path: path + query, service, headers: incoming.headersDistinct });
    if (refusal) return status(response, refusal.code, refusal.reason);
    const upstream = upstreams.get(service);
    if (!upstream) return status(response, 404, 'NotFound');
    const target = new URL(`http://${upstream.address}:${upstream.port}`);
    pass(incoming, response, target, rewritten(path) + query, ownHeaders);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    passed,
    route: (service, upstream) => void upstreams.set(service, upstream),
    refuse: (code, reason) => {
      refusal = code === 0 ? null : { code, reason };
    },
    async kubeconfig(embedded, cluster = {}) {
      embeddedUrl = embedded.url;
      const file = join(embedded.kubeconfig, '..', 'elsewhere.yaml');
      const config = {
        'current-context': 'elsewhere',
        clusters: [{ name: 'elsewhere', cluster: { server: url, ...cluster } }],
        users: [{ name: 'slipway', user: { token } }],
        contexts: [{ name: 'elsewhere', context: { cluster: 'elsewhere', user: 'slipway' } }],
      };
      await writeFile(file, JSON.stringify(config));
      return file;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Decoded, cleaned, encoded again. */
function rewritten(path: string): string {
  const segments = decodeURIComponent(path)
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.');
  const trailing = path.endsWith('/') && segments.length > 0 ? '/' : '';
  return `/${segments.map(encoded).join('/')}${trailing}`;
}

/** As Go does: of a segment it leaves more than encodeURIComponent() does, and less. */
const encoded = (segment: string) =>
  encodeURIComponent(segment)
    .replaceAll(/%(?:24|26|2B|2C|3A|3B|3D|40)/g, decodeURIComponent)
    .replaceAll(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);

function status(response: ServerResponse, code: number, reason: string): void {
  response.writeHead(code, { 'content-type': 'application/json', ...ownHeaders });
  const message = `error trying to reach service: dial tcp 10.9.0.1:8080: connect: connection refused (${reason})`;
  response.end(
    JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code }),
  );
}

/** The service never sees who asked the API server. */
const consumed = /^(authorization|impersonate-.*|host|connection)$/;

function pass(
  incoming: IncomingMessage,
  response: ServerResponse,
  target: URL,
  path: string,
  added: Record<string, string>,
): void {
  const headers = Object.entries(incoming.headersDistinct).filter(([name]) => !consumed.test(name));
  const outgoing = send(
    {
      host: target.hostname,
      port: target.port,
      path,
      method: incoming.method,
      headers: { ...Object.fromEntries(headers), 'x-forwarded-uri': incoming.url },
    },
    (answer) => {
      const pairs = Object.entries(added).flat();
      for (let index = 0; index < answer.rawHeaders.length; index += 2) {
        const [name = '', value = ''] = answer.rawHeaders.slice(index, index + 2);
        if (name.toLowerCase() !== 'connection') pairs.push(name, value);
      }
      response.writeHead(answer.statusCode ?? 502, pairs);
      response.flushHeaders();
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    },
  );
  outgoing.on('error', () => (response.headersSent ? response.destroy() : status(response, 503, 'ServiceUnavailable')));
  response.on('close', () => outgoing.destroy());
  incoming.pipe(outgoing);
}
