import { createLog } from '../../src/log.ts';
import type { CacheEvent } from '../../src/k8s/cluster.ts';
import { connect } from '../../src/k8s/connect.ts';
import { type Resource, deployments } from '../../src/k8s/resources.ts';
import { type FakeApi, type FakeObject, startFakeApi } from './fake-api-server.ts';
import { createTestClock } from './test-clock.ts';

const resource = deployments as unknown as Resource<FakeObject>;

/** A fake API server, and a cluster connection that watches its deployments with a clock moved by hand. */
export async function startWatching(
  options: { prepare?: (api: FakeApi) => void; optional?: boolean; random?: () => number } = {},
) {
  const api = await startFakeApi();
  options.prepare?.(api);
  const clock = createTestClock();
  const connection = await connect({
    mode: 'EMBEDDED',
    embedded: {
      url: api.url,
      gatewayUrl: '',
      gatewayParent: { namespace: '', name: '' },
      kubeconfig: '',
      ownsAddress: () => false,
    },
    clock,
    random: options.random ?? (() => 0),
    log: createLog('silent'),
  });
  const cluster = await connection.open([{ resource: deployments, optional: options.optional ?? false }]);
  const cache = cluster.cache(resource);
  const events: string[] = [];
  cache.subscribe((event) => events.push(describe(event)));
  const watchState = () => {
    const [state] = cluster.freshness.watches();
    if (!state) throw new Error('no watch');
    return state;
  };
  return {
    api,
    clock,
    cluster,
    cache,
    events,
    watchState,
    names: () => [...cache.list()].map((object) => object.metadata.name).sort(),
    /** Resolves when the watch is up and the cache equals the server. */
    converged: () =>
      until(() => watchState().downSince === null && api.openWatches().length > 0 && equal(cache.list(), api)),
    async [Symbol.asyncDispose]() {
      await cluster.stop();
      await api.stop();
    },
  };
}

export type Watching = Awaited<ReturnType<typeof startWatching>>;

function describe(event: CacheEvent<FakeObject>): string {
  return `${event.type} ${event.object.metadata.name} ${event.object.metadata.uid} ${JSON.stringify(event.object.spec.value)}`;
}

function equal(cached: Iterable<FakeObject>, api: FakeApi): boolean {
  const sort = (objects: FakeObject[]) => objects.map((object) => JSON.stringify(sortKeys(object))).sort();
  return sort([...cached]).join() === sort(api.objects()).join();
}

function sortKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sortKeys(inner)]),
  );
}

/** Waits for I/O turn by turn; the limit only ends a test that would hang. */
export async function until(condition: () => boolean): Promise<void> {
  const limit = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > limit) throw new Error('the condition was not reached');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
