import { connect } from '../../../src/k8s/connect.ts';
import type { Cache, CacheEvent, Cluster, KubeClient } from '../../../src/k8s/cluster.ts';
import { systemClock } from '../../../src/clock.ts';
import { listAll } from '../../../src/k8s/list-all.ts';
import { type KubeObject, resourcePath } from '../../../src/k8s/resources.ts';
import { createLog } from '../../../src/log.ts';
import { type Life, keyOf as objectKey, stateOf } from '../../faults/api-server/store.ts';
import { watchWithOracle } from '../../faults/oracle.ts';
import { createRandom } from '../../faults/soak/random.ts';
import { type ApiProxy, startApiProxy } from '../api-proxy.ts';
import { type Changes, type SoakKind, createChanges, soakKinds, wants } from './changes.ts';
import type { Store } from './ends.ts';
import { type Struck, faults } from './faults.ts';

const changes = 10_000;
/** Only ends what would hang. */
const convergeMs = 120_000;

/** A real API server of the soak's own, with an empty namespace. */
export interface SoakServer {
  readonly url: string;
  readonly ca?: string;
  readonly namespace: string;
  readonly kube: KubeClient;
  readonly store: Store;
  /** Kills the API server and starts it again. */
  restart(): Promise<void>;
  /** Whether versions expire when the history of etcd is forgotten. */
  readonly compacts: boolean;
  /** Writes a kubeconfig for what stands between and gives its path. */
  kubeconfig(url: string): Promise<string>;
}

export interface Findings {
  problems: string[];
  missedEnds: string[];
  /** Names that a cache and a fresh list disagree about. */
  differences: string[];
  mostWatches: number;
  /** How often the API server itself said that a version is too old. */
  expired: number;
  struck: Record<string, number>;
  told: { ADDED: number; MODIFIED: number; DELETED: number };
  freshness: string;
}

/**
 * 10,000 changes of 2,000 objects of a real API server, with faults in between; the seed decides their order. A scale below 1
 * makes less of it, for whoever changes the soak itself.
 */
export async function soak(seed: number, server: SoakServer, scale = 1): Promise<Findings> {
  const random = createRandom(seed);
  const made = createChanges(server.kube, server.namespace, random);
  await made.fill();
  const proxy = await startApiProxy(server);
  const connection = await connect({
    mode: 'KUBECONFIG',
    kubeconfig: await server.kubeconfig(proxy.url),
    ...{ clock: systemClock, random: random.next, log: createLog(process.env['SLIPWAY_TEST_LOG'] ?? 'silent') },
  });
  const cluster = await connection.open(soakKinds.map(({ resource }) => ({ resource, wants })));
  try {
    const told = soakKinds.map((kind) => recordOf(cluster, kind));
    await cluster.synced();
    const struck = await strikeAll({ proxy, random, server, made, scale });
    const differences = await converge(cluster, server);
    const oracles = await judge(told, { made, proxy, server });
    return {
      problems: oracles.flatMap(({ problems }) => problems),
      missedEnds: oracles.flatMap((oracle) => oracle.missedEnds()),
      differences,
      mostWatches: proxy.mostWatches,
      expired: proxy.expired,
      struck,
      told: sum(oracles.map(({ counts }) => counts)),
      freshness: cluster.freshness.state,
    };
  } finally {
    await cluster.stop();
    await proxy.stop();
  }
}

interface Told {
  kind: SoakKind;
  events: CacheEvent<KubeObject>[];
}

function recordOf(cluster: Cluster, kind: SoakKind): Told {
  const events: CacheEvent<KubeObject>[] = [];
  cluster.cache(kind.resource).subscribe((event) => events.push(event));
  return { kind, events };
}

interface Running {
  proxy: ApiProxy;
  random: ReturnType<typeof createRandom>;
  server: SoakServer;
  made: Changes;
  scale: number;
}

async function strikeAll({ proxy, random, server, made, scale }: Running): Promise<Record<string, number>> {
  const order = random.shuffled(
    faults.flatMap((fault) => Array.from({ length: Math.ceil(fault.times * scale) }, () => fault)),
  );
  const struck: Record<string, number> = {};
  let changed = 0;
  for (const [index, fault] of order.entries()) {
    const due = Math.round(((index + 1) / order.length) * changes * scale);
    // Some before the fault, some while it lasts.
    const before = random.below(due - changed + 1);
    const rest = due - changed - before;
    changed = due;
    await made.make(before);
    const world: Struck = {
      ...{ proxy, random, change: () => made.make(rest), restart: () => server.restart() },
      compact: server.compacts ? () => server.store.compact() : null,
    };
    await fault.strike(world);
    struck[fault.name] = (struck[fault.name] ?? 0) + 1;
  }
  return struck;
}

/** Waits until all watches are up and the caches equal fresh lists; gives what they still disagree about in the end. */
async function converge(cluster: Cluster, server: SoakServer): Promise<string[]> {
  const deadline = performance.now() + convergeMs;
  for (;;) {
    const down = cluster.freshness.watches().filter(({ downSince }) => downSince !== null);
    const differing: string[] = down.map(({ resource, error }) => `${resource} is down: ${error}`);
    for (const kind of soakKinds) differing.push(...(await differencesOf(cluster.cache(kind.resource), kind, server)));
    if (differing.length === 0 || performance.now() > deadline) return differing;
    // Only the caches themselves could tell that they are well, and they are on trial.
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function differencesOf(cache: Cache<KubeObject>, { resource }: SoakKind, server: SoakServer): Promise<string[]> {
  const { items } = await listAll((page) => server.kube.list(resource, { ...page, namespace: server.namespace }), {
    clock: systemClock,
    signal: new AbortController().signal,
  });
  for (const { metadata } of items) delete metadata.managedFields;
  const states = (objects: Iterable<KubeObject>) =>
    new Map([...objects].map((object) => [objectKey(object), stateOf(object)]));
  const [fresh, cached] = [states(items.filter(wants)), states(cache.list(server.namespace))];
  return [...new Set([...fresh.keys(), ...cached.keys()])]
    .filter((key) => fresh.get(key) !== cached.get(key))
    .map((key) => `${resource.plural} ${key}`);
}

/** Tells the oracle of each kind what its cache told, now that all is known of what really was. */
async function judge(told: readonly Told[], { made, proxy, server }: Omit<Running, 'random' | 'scale'>) {
  await server.store.known(made.ends);
  const lives = livesOf(made, server.store);
  return told.map(({ kind, events }) => {
    const listed = proxy.listed.get(resourcePath(kind.resource)) ?? [];
    const cache: Pick<Cache<KubeObject>, 'subscribe'> = {
      subscribe(listener) {
        for (const event of events) if (event.object.metadata.namespace === server.namespace) listener(event);
        return () => {};
      },
    };
    return watchWithOracle(cache, { lives, listed, restored: [] }, wants);
  });
}

/** What the writes were answered, and when etcd says that it ended. */
function livesOf({ lives, owners }: Changes, store: Store): ReadonlyMap<string, Life[]> {
  const whole = new Map<string, Life[]>();
  for (const [key, uids] of owners) {
    const ends = store.ends.get(key) ?? [];
    for (const [index, uid] of uids.entries()) {
      const life = [...(lives.get(uid) ?? [])];
      const end = ends[index];
      if (end !== undefined) life.push({ moment: end, state: null, object: null });
      whole.set(uid, life);
    }
  }
  return whole;
}

function sum(counts: readonly Findings['told'][]): Findings['told'] {
  const total = { ADDED: 0, MODIFIED: 0, DELETED: 0 };
  for (const { ADDED, MODIFIED, DELETED } of counts) {
    total.ADDED += ADDED;
    total.MODIFIED += MODIFIED;
    total.DELETED += DELETED;
  }
  return total;
}
