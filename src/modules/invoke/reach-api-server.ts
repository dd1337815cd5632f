import type { Socket } from 'node:net';
import type { Cluster, RawApi } from '../../k8s/cluster.ts';
import { SlipwayError } from '../../errors.ts';
import { type OpenCall, openCall } from './call.ts';
import type { Connections, Line } from './connections.ts';
import { type Dial, readInto } from './connector.ts';
import { CallFailure } from './failure.ts';
import type { Header } from './headers.ts';
import type { Reach } from './reach.ts';

/** A Status is small; what is longer was written by the service. */
const maxStatusBytes = 65_536;

/**
 * Through the API server's proxy of Services, as the caller: for a server outside the cluster. What the API server would
 * change of a call is refused; what it changes of an answer is in the documentation.
 */
export function createApiServerReach(cluster: Pick<Cluster, 'raw'>, connections: Connections): Reach {
  return {
    problems: ({ path, tlsName }, headers) => [
      ...(tlsName === null ? [] : [tlsProblem()]),
      ...headers.flatMap(headerProblem),
      ...pathProblem(path),
    ],
    async open({ target, method, headers, body, limits }, caller, options) {
      const api = cluster.raw(caller);
      const { namespace, name, port } = target.service;
      const line: Line = {
        key: ['api server', caller.name, target.uid, port].join('\n'),
        async connect(dial, take) {
          const socket = await connectApi(api, dial);
          readInto(socket, take);
          return socket;
        },
      };
      const request = {
        line,
        authority: new URL(api.origin).host,
        path: `${api.pathPrefix}/api/v1/namespaces/${namespace}/services/${name}:${port}/proxy${target.path}`,
        method,
        headers: [...headers, ...asItIs(headers), ...(await credentials(api))],
        body,
      };
      const open = await openCall(request, { ...options, connections, limits });
      if (api.forwarded && open.status === 407) throw fromProxy(open);
      return fromService(open);
    },
  };
}

/** Else the API server asks for gzip on its own, and decodes it without any limit. */
function asItIs(headers: readonly Header[]): readonly Header[] {
  const asked = headers.some(({ name }) => name.toLowerCase() === 'accept-encoding');
  return asked ? [] : [{ name: 'Accept-Encoding', value: 'identity' }];
}

async function credentials(api: RawApi): Promise<readonly Header[]> {
  try {
    return await api.headers();
  } catch {
    // No token could be had, or the caller's name can't be in a header.
    throw new CallFailure('UNREACHABLE', 'The API server could not be asked to pass the call on.');
  }
}

function headerProblem({ name }: Header, index: number): SlipwayError[] {
  if (name.toLowerCase() !== 'authorization') return [];
  const message =
    'Calls go through the Kubernetes API server here, which keeps "Authorization" for itself: the service would not get it.';
  return [
    new SlipwayError('NOT_SUPPORTED', message, { field: `headers.${index}.name`, reason: 'AUTHORIZATION_CONSUMED' }),
  ];
}

function tlsProblem(): SlipwayError {
  const message =
    'Calls go through the Kubernetes API server here, which checks no certificate of a service: https can not be called this way.';
  return new SlipwayError('NOT_SUPPORTED', message, { field: 'port', reason: 'CERTIFICATE_UNCHECKED' });
}

function pathProblem(path: string): SlipwayError[] {
  const end = path.indexOf('?');
  const given = end < 0 ? path : path.slice(0, end);
  const sent = cleaned(given);
  if (sent === given) return [];
  const instead = sent === null ? '' : ` It would send ${sent}.`;
  return [
    new SlipwayError(
      'NOT_SUPPORTED',
      `Calls go through the Kubernetes API server here, which cleans paths, so this one would not arrive as it is.${instead}`,
      { field: 'path', reason: 'PATH_CLEANED' },
    ),
  ];
}

/** The path as the API server writes it anew: decoded, without empty and dot segments, encoded again; null: it refuses. */
function cleaned(path: string): string | null {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return null; // no percent-encoding of UTF-8
  }
  const segments = decoded.split('/').filter((segment) => segment !== '' && segment !== '.');
  const trailing = decoded.endsWith('/') && segments.length > 0 ? '/' : '';
  const text = `/${segments.join('/')}${trailing}`;
  return [...Buffer.from(text)]
    .map((byte) =>
      kept.test(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}

/** What Go leaves as it is in a path. */
const kept = /^[A-Za-z0-9\-_.~$&+,/:;=@]$/;

function connectApi(api: RawApi, call: Dial): Promise<Socket> {
  const { hostname, host, protocol, port } = new URL(api.origin);
  return new Promise((resolve, reject) => {
    let over = false;
    const end = (failure: CallFailure | null) => {
      if (over) return;
      over = true;
      cancel();
      forget();
      if (failure) reject(failure);
    };
    const { connectTimeoutMs } = call;
    const late = `The API server took no connection within ${connectTimeoutMs} ms.`;
    const cancel = call.clock.after(connectTimeoutMs, () => end(new CallFailure('UNREACHABLE', late)));
    const forget = call.onEnd(() => end(new CallFailure('CANCELLED', 'The call was cancelled.')));
    api.connect({ hostname, host, protocol, port }, (...[error, socket]) => {
      if (over) return void socket?.destroy();
      if (error) return end(new CallFailure('UNREACHABLE', 'The API server took no connection.'));
      if (!call.confirm()) {
        socket.destroy();
        return end(new CallFailure('UNREACHABLE', 'The service changed its address during the call. Try again.'));
      }
      end(null);
      call.connected();
      resolve(socket);
    });
  });
}

/** A proxy on the way to the API server wants credentials: the call went no further. */
function fromProxy(open: OpenCall): CallFailure {
  open.close();
  const failure = new CallFailure('UNREACHABLE', 'The proxy to the API server did not pass the call on.');
  return Object.assign(failure, { timings: open.timings });
}

/** What the API server wrote into every answer itself. */
const ownHeaders = /^(audit-id|x-kubernetes-pf-(flowschema|prioritylevel)-uid)$/i;

/** The answer, if it is the service's: one of the API server itself means that the service was not reached. */
async function fromService(open: OpenCall): Promise<OpenCall> {
  const headers = serviceHeaders(open.headers);
  const type = headers.find(({ name }) => name.toLowerCase() === 'content-type')?.value ?? '';
  if (open.status < 400 || !/^application\/json\b/i.test(type)) return { ...exposed(open), headers };
  const { chunks, ended } = await beginning(open);
  const failure = ended ? statusFailure(Buffer.concat(chunks).toString()) : null;
  if (failure) {
    open.close();
    throw Object.assign(failure, { timings: open.timings });
  }
  return { ...exposed(open), headers, body: again(chunks, open.body) };
}

function exposed(open: OpenCall): OpenCall {
  const { status, statusText, headers, body, timings } = open;
  return {
    ...{ status, statusText, headers, body, timings },
    fail: (failure) => open.fail(failure),
    failure: (error) => open.failure(error),
    close: () => open.close(),
  };
}

function serviceHeaders(headers: readonly Header[]): Header[] {
  const own = headers.findIndex(
    ({ name, value }) => name.toLowerCase() === 'cache-control' && value === 'no-cache, private',
  );
  return headers.filter(({ name }, index) => index !== own && !ownHeaders.test(name));
}

async function beginning(open: OpenCall): Promise<{ chunks: Buffer[]; ended: boolean }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    while (bytes <= maxStatusBytes) {
      const { value, done } = await open.body.next();
      if (done) return { chunks, ended: true };
      chunks.push(value);
      bytes += value.length;
    }
  } catch {
    // Whoever reads the body next meets the same error.
  }
  return { chunks, ended: false };
}

async function* again(chunks: readonly Buffer[], rest: AsyncIterableIterator<Buffer>): AsyncGenerator<Buffer> {
  yield* chunks;
  yield* rest;
}

const reasons: Readonly<Record<string, string>> = {
  Forbidden: 'The API server refused the way to the service: the right to use services/proxy is missing.',
  Unauthorized: 'The API server did not accept our credentials.',
  NotFound: 'The API server knows no such service.',
  TooManyRequests: 'The API server has too much to do.',
};

/** The failure behind a Status of the API server; null for any other text. Its own words may tell addresses: not shown. */
function statusFailure(text: string): CallFailure | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null; // not JSON: the service's
  }
  if (typeof value !== 'object' || value === null) return null;
  const { kind, apiVersion, status, reason } = value as Record<string, unknown>;
  if (kind !== 'Status' || apiVersion !== 'v1' || status !== 'Failure') return null;
  const message = Object.hasOwn(reasons, String(reason)) ? reasons[String(reason)] : undefined;
  return new CallFailure('UNREACHABLE', message ?? 'The API server could not reach the service.');
}
