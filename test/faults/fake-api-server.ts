import { EventEmitter, once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KubeObject } from '../../src/k8s/resources.ts';

/** An object of the fake server's one kind: a Deployment whose spec is any JSON. */
export interface FakeObject extends KubeObject {
  spec: { value: unknown };
}

interface HistoryEvent {
  version: number;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: FakeObject;
}

/** One request for a list or a watch, and ways to answer it well or badly. */
export interface Exchange {
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  readonly response: ServerResponse;
  /** Answers as a good server would. */
  serve(): void;
  /** Answers with a Status. */
  status(code: number, reason?: string, headers?: Record<string, string>): void;
  /** Begins a watch's answer. */
  open(): void;
  /** Writes one line or a part of it. */
  write(text: string): Promise<void>;
  event(type: string, object: unknown): Promise<void>;
  end(): void;
  /** RST */
  reset(): void;
}

export type Step = (exchange: Exchange) => void | Promise<void>;

/** A scripted API server for `deployments.apps`: well-behaved unless a step is set for the next list or watch. */
export async function startFakeApi() {
  const objects = new Map<string, FakeObject>();
  const history: HistoryEvent[] = [];
  const watchers = new Set<{ exchange: Exchange; send(event: HistoryEvent): void }>();
  const steps = { list: [] as Step[], watch: [] as Step[] };
  const requests: { kind: 'list' | 'watch'; query: URLSearchParams; authorization: string | undefined }[] = [];
  const seen = new EventEmitter();
  let version = 1000;
  let oldest = 0;
  let uids = 0;

  function commit(type: HistoryEvent['type'], object: FakeObject): FakeObject {
    version += 1;
    object.metadata.resourceVersion = String(version);
    const event = { version, type, object: structuredClone(object) };
    history.push(event);
    for (const watcher of [...watchers]) watcher.send(event);
    return structuredClone(object);
  }

  function listAnswer(exchange: Exchange): void {
    const all = [...objects.values()];
    const limit = Number(exchange.query.get('limit') ?? all.length);
    const start = Number(exchange.query.get('continue') ?? 0);
    const more = limit > 0 && start + limit < all.length;
    json(exchange.response, 200, {
      kind: 'DeploymentList',
      apiVersion: 'apps/v1',
      metadata: { resourceVersion: String(version), ...(more && { continue: String(start + limit) }) },
      // As the real server does, without apiVersion and kind.
      items: all.slice(start, more ? start + limit : undefined).map(({ apiVersion: _, kind: __, ...rest }) => rest),
    });
  }

  function watchAnswer(exchange: Exchange): void {
    const from = Number(exchange.query.get('resourceVersion'));
    if (from < oldest) {
      exchange.status(410, 'Expired');
      return;
    }
    exchange.open();
    const watcher = {
      exchange,
      send: (event: HistoryEvent) => void exchange.event(event.type, event.object),
    };
    for (const event of history) if (event.version > from) watcher.send(event);
    watchers.add(watcher);
    exchange.response.on('close', () => watchers.delete(watcher));
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://fake');
    if (url.pathname === '/version') return json(response, 200, { gitVersion: 'v1.36.2' });
    if (url.pathname !== '/apis/apps/v1/deployments') return json(response, 404, { kind: 'Status' });
    const kind = url.searchParams.get('watch') === 'true' ? 'watch' : 'list';
    const exchange = createExchange(request, response, url.searchParams, () =>
      kind === 'watch' ? watchAnswer(exchange) : listAnswer(exchange),
    );
    requests.push({ kind, query: url.searchParams, authorization: request.headers.authorization });
    const step = steps[kind].shift() ?? ((good: Exchange) => good.serve());
    void Promise.resolve(step(exchange)).then(() => seen.emit(kind, exchange));
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    count: (kind: 'list' | 'watch') => requests.filter((request) => request.kind === kind).length,
    /** How the next lists and watches are answered, in order. */
    onList: (...next: Step[]) => void steps.list.push(...next),
    onWatch: (...next: Step[]) => void steps.watch.push(...next),
    objects: () => [...objects.values()].map((object) => structuredClone(object)),
    openWatches: () => [...watchers].map((watcher) => watcher.exchange),
    /** The next request of this kind once its answer has begun. */
    next: async (kind: 'list' | 'watch'): Promise<Exchange> => (await once(seen, kind))[0],
    put(name: string, value: unknown = 1): FakeObject {
      const present = objects.get(name);
      const object = present ?? fakeObject(name, `uid-${(uids += 1)}`);
      object.spec = { value };
      objects.set(name, object);
      return commit(present ? 'MODIFIED' : 'ADDED', object);
    },
    remove(name: string): FakeObject {
      const object = objects.get(name);
      if (!object) throw new Error(`no object ${name}`);
      objects.delete(name);
      return commit('DELETED', object);
    },
    /** Forgets all history: watches from an older version get 410. */
    compact(): void {
      history.length = 0;
      oldest = version;
    },
    /** Ends all open watches. */
    disconnect(how: 'end' | 'reset' = 'end'): void {
      for (const { exchange } of [...watchers]) exchange[how]();
    },
    async stop(): Promise<void> {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export type FakeApi = Awaited<ReturnType<typeof startFakeApi>>;

function createExchange(
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
  serve: () => void,
): Exchange {
  // A client that goes away while we write is what the tests are about.
  response.on('error', () => {});
  const write = (text: string) => new Promise<void>((resolve) => response.write(text, () => resolve()));
  return {
    query,
    authorization: request.headers.authorization,
    response,
    serve,
    status(code, reason, headers = {}) {
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      json(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, ...(reason && { reason }) });
    },
    open() {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
    },
    write,
    event: (type, object) => write(`${JSON.stringify({ type, object })}\n`),
    end: () => void response.end(),
    reset: () => void response.socket?.resetAndDestroy(),
  };
}

export function fakeObject(name: string, uid: string): FakeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'lab', uid },
    spec: { value: null },
  };
}

function json(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
