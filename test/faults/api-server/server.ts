import { EventEmitter, once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import type { Clock } from '../../../src/clock.ts';
import { type KubeObject, type Resource, apiVersionOf, deployments, resourcePath } from '../../../src/k8s/resources.ts';
import { listenAgain } from '../../ports.ts';
import { createAnswers } from './answers.ts';
import { type Exchange, type RequestKind, type Step, createExchange, json } from './exchange.ts';
import { type Backup, createStore } from './store.ts';

/** An object of the server's main kind: a Deployment whose spec is any JSON. */
export interface FakeObject extends KubeObject {
  spec: { value: unknown };
}

export interface Seen {
  kind: RequestKind;
  resource: string;
  namespace: string | null;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  /** By the test's clock. */
  at: number;
}

export interface FakeApiOptions {
  clock: Clock;
  /** HTTPS with this certificate. */
  tls?: SecureContextOptions;
  /** @default 127.0.0.1 */
  host?: string;
  /** @default a free one */
  port?: number;
}

/**
 * A scripted API server for every kind: well-behaved unless a step is set for the next list or watch of a kind. Objects
 * are put and removed by the test.
 */
export async function startFakeApi(options: FakeApiOptions) {
  const { clock, host = '127.0.0.1' } = options;
  const store = createStore();
  const answers = createAnswers(store, clock);
  const steps = new Map<string, Step[]>();
  const requests: Seen[] = [];
  const absent = new Set<string>();
  const seen = new EventEmitter();
  let always: Step | null = null;
  let uids = 0;
  let connections = 0;
  let mostWatches = 0;

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://fake');
    const target = targetOf(url);
    const exchange = createExchange(target, request, response, serve);
    const { kind, resource, namespace, query, headers } = exchange;
    requests.push({ kind, resource, namespace, query, headers, at: clock.now() });
    const step = steps.get(`${kind} ${resource}`)?.shift() ?? always ?? ((good: Exchange) => good.serve());
    void Promise.resolve(step(exchange)).then(() => {
      mostWatches = Math.max(mostWatches, answers.watches.size);
      seen.emit(kind, exchange);
    });
  }

  function serve(exchange: Exchange): void {
    const { kind, resource, response } = exchange;
    if (kind === 'get') return discovery(exchange);
    if (absent.has(resource)) return void response.writeHead(404).end('404 page not found\n');
    if (kind === 'watch') answers.watch(exchange);
    else answers.list(exchange);
  }

  function discovery({ resource, response }: Exchange): void {
    if (resource === 'version') return json(response, 200, { gitVersion: 'v1.36.2' });
    if (resource === 'apis') {
      const versions = [{ groupVersion: 'apps/v1', version: 'v1' }];
      return json(response, 200, { kind: 'APIGroupList', groups: [{ name: 'apps', versions }] });
    }
    if (resource !== 'apis/apps/v1') return void response.writeHead(404).end('404 page not found\n');
    const resources = ['deployments', 'replicasets'].filter((name) => !absent.has(`apis/apps/v1/${name}`));
    json(response, 200, { kind: 'APIResourceList', resources: resources.map((name) => ({ name })) });
  }

  function plan(kind: RequestKind, resource: string, next: readonly Step[]): void {
    const key = `${kind} ${resource}`;
    steps.set(key, [...(steps.get(key) ?? []), ...next]);
  }

  function of(resource: Resource) {
    const path = pathOf(resource);
    return {
      /** How the next lists and watches are answered, in order. */
      onList: (...next: Step[]) => plan('list', path, next),
      onWatch: (...next: Step[]) => plan('watch', path, next),
      count: (kind: 'list' | 'watch') => requests.filter((seen) => seen.kind === kind && seen.resource === path).length,
      objects: () => store.all(path),
      /** By uid. */
      held: () => store.held(path),
      openWatches: () => [...answers.watches].filter(({ exchange }) => exchange.resource === path),
      /** Stores an object as it is; without a uid it gets one. */
      store(object: KubeObject): KubeObject {
        const present = store.get(path, `${object.metadata.namespace ?? ''}/${object.metadata.name}`);
        const uid = object.metadata.uid ?? present?.metadata.uid ?? `uid-${(uids += 1)}`;
        const { apiVersion, kind } = { apiVersion: apiVersionOf(resource), kind: resource.kind };
        return store.put(path, structuredClone({ ...object, apiVersion, kind, metadata: { ...object.metadata, uid } }));
      },
      remove: (name: string, namespace = 'lab') => store.remove(path, `${namespace}/${name}`),
      /** The kind is not served: a CRD that is not installed. */
      uninstall: () => void absent.add(path),
      install: () => void absent.delete(path),
    };
  }

  const kind = of(deployments);
  const listening: { server: Server | null } = { server: null };
  let port = options.port ?? 0;

  async function start(tls = options.tls): Promise<void> {
    const server: Server = tls ? createTlsServer(tls, handle) : createServer(handle);
    server.keepAliveTimeout = 60_000;
    server.on('connection', (socket) => {
      connections += 1;
      // A client that does not trust us says so by breaking off.
      socket.on('error', () => {});
    });
    port = await listenAgain(server, port, host);
    listening.server = server;
  }

  async function stop(): Promise<void> {
    const { server } = listening;
    listening.server = null;
    if (!server) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  await start();
  return {
    ...kind,
    of,
    get url() {
      return `${options.tls ? 'https' : 'http'}://${host}:${port}`;
    },
    get port() {
      return port;
    },
    requests,
    lives: store.lives,
    restored: store.restored,
    /** The moments of which lists were given. */
    listed: answers.listed,
    get version() {
      return store.version;
    },
    get moment() {
      return store.moment;
    },
    get connections() {
      return connections;
    },
    /** The most watches that were ever open at once. */
    get mostWatches() {
      return mostWatches;
    },
    /** How every request is answered for which no step is set; null: well. */
    always(step: Step | null): void {
      always = step;
    },
    /** Drops the steps that nobody came for. */
    forgetSteps: () => steps.clear(),
    /** The next request of this kind once its answer has begun. */
    next: async (kind: RequestKind): Promise<Exchange> => (await once(seen, kind))[0],
    put(name: string, value: unknown = 1, metadata: Partial<KubeObject['metadata']> = {}): KubeObject {
      return kind.store(fakeObject(name, value, metadata));
    },
    has: (name: string) => store.get(pathOf(deployments), `lab/${name}`) !== undefined,
    get oldest() {
      return store.oldest;
    },
    /** Ends all open watches. */
    disconnect(how: 'end' | 'reset' = 'end'): void {
      for (const { exchange } of [...answers.watches]) exchange[how]();
    },
    /** All open watches say nothing any more and never end: half-open. */
    mute(): void {
      for (const watch of [...answers.watches]) watch.mute();
    },
    compact: () => store.compact(),
    backup: () => store.backup(),
    restore: (backup: Backup) => store.restore(backup),
    stop,
    /** On the same port, with all objects and all history. */
    start,
  };
}

export type FakeApi = Awaited<ReturnType<typeof startFakeApi>>;

function pathOf(resource: Resource): string {
  return resourcePath(resource).slice(1);
}

/** `/api/v1[/namespaces/<name>]/<plural>` and the same below `/apis/<group>`; all else is a get. */
function targetOf({ pathname, searchParams: query }: URL): Pick<Exchange, 'kind' | 'resource' | 'namespace' | 'query'> {
  const match = /^\/(api\/v1|apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([a-z]+)$/.exec(pathname);
  if (!match) return { kind: 'get', resource: pathname.slice(1), namespace: null, query };
  const [, root, namespace = null, plural] = match;
  return { kind: query.get('watch') === 'true' ? 'watch' : 'list', resource: `${root}/${plural}`, namespace, query };
}

export function fakeObject(name: string, value: unknown, metadata: Partial<KubeObject['metadata']> = {}): FakeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'lab', ...metadata },
    spec: { value },
  };
}
