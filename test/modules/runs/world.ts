import { createLog } from '../../../src/log.ts';
import type { Clock } from '../../../src/clock.ts';
import { type CacheWriter, createCache } from '../../../src/k8s/cache.ts';
import type { Cache, Cluster, Freshness } from '../../../src/k8s/cluster.ts';
import {
  type KubeObject,
  type Resource,
  deployments,
  endpointSlices,
  events,
  pods,
  replicaSets,
  services,
} from '../../../src/k8s/resources.ts';
import { runsConfig } from '../../../src/modules/runs/config.ts';
import { createRuns } from '../../../src/modules/runs/runs.ts';
import type { RunChange, RunSource } from '../../../src/modules/runs/service.ts';
import { builtinSources } from '../../../src/modules/runs/sources/index.ts';
import { now, settings } from './objects.ts';

const log = createLog('silent');

/** A clock that stands until it is moved. */
export function createTestClock(): Clock & { advance(ms: number): void; readonly waiting: number } {
  let at = now;
  const tasks = new Set<{ at: number; task: () => void }>();
  return {
    now: () => at,
    after(ms, task) {
      const entry = { at: at + ms, task };
      tasks.add(entry);
      return () => void tasks.delete(entry);
    },
    get waiting() {
      return tasks.size;
    },
    advance(ms) {
      at += ms;
      for (const entry of [...tasks].filter((candidate) => candidate.at <= at)) {
        tasks.delete(entry);
        entry.task();
      }
    },
  };
}

/** The real caches and the real runs, with a hand that writes the caches in place of a cluster. */
export function createWorld(sources: readonly RunSource[] = builtinSources(runsConfig.parse({}))) {
  const clock = createTestClock();
  const writers = new Map<string, CacheWriter<KubeObject>>();
  const caches = new Map<string, Cache<KubeObject>>();
  for (const resource of [deployments, replicaSets, pods, services, endpointSlices, events] as Resource[]) {
    const made = createCache({ resource, wants: () => true, synced: () => true, clock, log });
    writers.set(resource.kind, made.writer);
    caches.set(resource.kind, made.cache);
  }
  const listeners = new Set<(state: Freshness) => void>();
  let synced = () => {};
  const listed = new Promise<void>((resolve) => (synced = resolve));
  const cluster = {
    mode: 'KUBECONFIG',
    namespace: 'lab',
    watchedNamespaces: null,
    cache: (resource: Resource) => caches.get(resource.kind),
    synced: () => listed,
    freshness: {
      state: 'FRESH',
      staleSince: null,
      watches: () => [],
      subscribe: (listener: (state: Freshness) => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
  } as unknown as Cluster;
  const runs = createRuns({
    ...{ cluster, clock, log, sources },
    settings: { ...settings, addressing: 'dns' },
    longestPassMs: Number.POSITIVE_INFINITY,
  });
  const changes: RunChange[] = [];
  runs.subscribe((change) => changes.push(change));
  let version = 1;
  return {
    runs,
    cluster,
    clock,
    changes,
    stale: () => listeners.forEach((listener) => listener('STALE')),
    /** As a watch would: every write has a new resourceVersion. */
    put: (...objects: KubeObject[]) => {
      for (const object of objects) {
        const metadata = { ...object.metadata, resourceVersion: String(++version) };
        writers.get(object.kind)?.put({ ...object, metadata });
      }
    },
    remove: (...objects: KubeObject[]) => {
      for (const object of objects) writers.get(object.kind)?.remove(object);
    },
    /** The first lists are in. */
    begin: async () => {
      synced();
      await runs.known();
    },
    /** All that was put has been looked at. */
    settled: () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve))),
  };
}
