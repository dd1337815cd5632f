import { writeFile } from 'node:fs/promises';
import { createLog } from '../../src/log.ts';
import type { Cache, CacheEvent, Cluster, Watch } from '../../src/k8s/cluster.ts';
import { type ConnectOptions, connect } from '../../src/k8s/connect.ts';
import { type KubeObject, type Resource, deployments } from '../../src/k8s/resources.ts';
import { type FakeApi, type FakeApiOptions, type FakeObject, startFakeApi } from './api-server/server.ts';
import { type Held, stateOf } from './api-server/store.ts';
import { watchWithOracle } from './oracle.ts';
import { type TestClock, createTestClock } from './test-clock.ts';

export const fakeDeployments = deployments as unknown as Resource<FakeObject>;

export interface WatchingOptions {
  prepare?: (api: FakeApi) => void;
  /** @default deployments */
  watches?: readonly Watch[];
  wants?: (object: FakeObject) => boolean;
  namespaces?: readonly string[];
  optional?: boolean;
  /** @default always 0 */
  random?: () => number;
  /** How to connect, where not as to an embedded cluster. */
  connect?: Partial<ConnectOptions>;
  /** The URL to give out for the server's own. */
  nameOf?: (url: string) => string;
  /** A kubeconfig to write, with this user. */
  kubeconfig?: { path: string; user?: Record<string, unknown>; cluster?: Record<string, unknown> };
  /** Of the API server. */
  api?: Omit<FakeApiOptions, 'clock'>;
  /** Called with the cache before the first event. */
  listen?: (cache: Cache<FakeObject>) => void;
}

/**
 * A scripted API server, and a cluster connection that watches its deployments with a clock moved by hand. What the cache
 * says is judged by an oracle all the time: `check` tells.
 */
export async function startWatching(options: WatchingOptions = {}) {
  const clock = createTestClock();
  const api = await startFakeApi({ clock, ...options.api });
  options.prepare?.(api);
  const url = options.nameOf?.(api.url) ?? api.url;
  if (options.kubeconfig) await writeKubeconfig(url, options.kubeconfig);
  const connection = await connect({
    mode: 'EMBEDDED',
    embedded: embeddedAt(url),
    namespaces: options.namespaces ?? null,
    clock,
    random: options.random ?? (() => 0),
    log: createLog('silent'),
    ...options.connect,
  });
  const { wants, optional = false } = options;
  const watch = { resource: deployments, optional, ...(wants && { wants }) } as unknown as Watch;
  const cluster = await connection.open(options.watches ?? [watch]);
  const cache = cluster.cache(fakeDeployments);
  options.listen?.(cache);
  const events: string[] = [];
  cache.subscribe((event) => events.push(describeEvent(event)));
  const oracle = watchWithOracle(cache, api, wants);
  const flow = createFlow(clock, options.connect?.mode === 'KUBECONFIG' ? 1000 : undefined);
  const watchState = () => {
    const [state] = cluster.freshness.watches();
    if (!state) throw new Error('no watch');
    return state;
  };
  const isConverged = () =>
    api.openWatches().length > 0 &&
    cluster.freshness.watches().every(({ downSince }) => downSince === null) &&
    sameObjects(cache.list(), api.held(), wants);
  const converged = (withinMs = 5_000) => flow(isConverged, withinMs);
  const pass = async (ms: number): Promise<void> => {
    const end = clock.now() + ms;
    await flow(() => clock.now() >= end, ms);
  };
  return {
    api,
    clock,
    cluster,
    cache,
    events,
    oracle,
    watchState,
    names: () => [...cache.list()].map((object) => object.metadata.name).sort(),
    flow,
    /** Lets so much time pass. */
    pass,
    /**
     * Lets time pass until the watch is up and the cache equals the server; rejects if that takes longer than `withinMs`.
     * Gives the ms it took.
     */
    converged,
    /** Converged, and for long enough that the watch counts as a good one. */
    async ready(): Promise<void> {
      await converged();
      await pass(6_000);
    },
    /** What the oracle found, and what the cache keeps too long. */
    check: () => [...oracle.problems, ...oracle.missedEnds().map((uid) => `the end of ${uid} was not told`)],
    async [Symbol.asyncDispose]() {
      await cluster.stop();
      await api.stop();
    },
  };
}

export type Watching = Awaited<ReturnType<typeof startWatching>>;

/** JSON is YAML. */
export async function writeKubeconfig(
  server: string,
  { path, user = {}, cluster = {} }: NonNullable<WatchingOptions['kubeconfig']>,
): Promise<void> {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [{ name: 'test', cluster: { server, ...cluster } }],
    users: [{ name: 'test', user }],
  };
  await writeFile(path, JSON.stringify(config));
}

/** An embedded cluster of which there is nothing but the API server. */
export function embeddedAt(url: string): NonNullable<Cluster['embedded']> & { url: string } {
  return {
    url,
    gatewayUrl: '',
    gatewayParent: { namespace: '', name: '' },
    kubeconfig: '',
    ownsAddress: () => false,
  };
}

export function describeEvent(event: CacheEvent<FakeObject>): string {
  return `${event.type} ${event.object.metadata.name} ${event.object.metadata.uid} ${JSON.stringify(event.object.spec.value)}`;
}

/** Whether a cache holds exactly what the server does. */
export function sameObjects<T extends KubeObject>(
  cached: Iterable<T>,
  held: ReadonlyMap<string, Held>,
  wants: (object: T) => boolean = () => true,
): boolean {
  let wanted = 0;
  for (const { object } of held.values()) if (wants(object as T)) wanted += 1;
  let present = 0;
  for (const object of cached) {
    if (held.get(object.metadata.uid ?? '')?.state !== rememberedState(object)) return false;
    present += 1;
  }
  return present === wanted;
}

const states = new WeakMap<KubeObject, string>();

/** What is cached is never changed in place. */
function rememberedState(object: KubeObject): string {
  const state = states.get(object) ?? stateOf(object);
  states.set(object, state);
  return state;
}

/** Lets I/O happen, and time pass only while nothing else does, until a condition holds. Files take more turns. */
export function createFlow(clock: TestClock, turns = 40) {
  return async (condition: () => boolean, withinMs: number): Promise<number> => {
    const began = clock.now();
    const stepMs = Math.min(500, Math.max(50, withinMs / 400));
    for (let passed = 0; ; passed += stepMs) {
      for (let turn = 0; turn < turns; turn += 1) {
        if (condition()) return clock.now() - began;
        await nextTurn();
      }
      if (passed >= withinMs) throw new Error(`not reached in ${withinMs} ms`);
      clock.advance(stepMs);
    }
  };
}

/** Waits for I/O turn by turn, while the clock stands; the limit only ends a test that would hang. */
export async function until(condition: () => boolean): Promise<void> {
  const limit = performance.now() + 100_000;
  while (!condition()) {
    if (performance.now() > limit) throw new Error('the condition was not reached');
    await nextTurn();
  }
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
