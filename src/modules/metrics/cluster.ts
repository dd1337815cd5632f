import type { Cluster, WatchState } from '../../k8s/cluster.ts';
import type { Metrics, Sample } from './service.ts';

/** How the watches are, and what they fill. By kind only: the namespaces of a cluster are its users' names. */
export function readCluster(metrics: Metrics, { freshness }: Pick<Cluster, 'freshness'>): void {
  const labels = { resource: [...new Set(freshness.watches().map(({ resource }) => resource))] };
  const each = (value: (states: WatchState[]) => number) => (): Sample<'resource'>[] =>
    Array.from(
      Map.groupBy(freshness.watches(), ({ resource }) => resource),
      ([resource, states]) => ({
        labels: { resource },
        value: value(states),
      }),
    );
  const sum = (of: (state: WatchState) => number) => (states: WatchState[]) =>
    states.reduce((total, state) => total + of(state), 0);

  metrics.read(
    'gauge',
    { name: 'slipway_stale', help: '1 while the cluster can not be read, so that answers may be out of date.' },
    () => [{ labels: {}, value: freshness.state === 'STALE' ? 1 : 0 }],
  );
  metrics.read(
    'gauge',
    { name: 'slipway_watches_down', help: 'Watches of a kind that are down.', labels },
    each(sum(({ downSince }) => (downSince === null ? 0 : 1))),
  );
  metrics.read(
    'counter',
    { name: 'slipway_watch_restarts_total', help: 'How often the watches of a kind failed.', labels },
    each(sum(({ restarts }) => restarts)),
  );
  metrics.read(
    'counter',
    { name: 'slipway_cache_checks_total', help: 'How often what is kept of a kind was compared with a list.', labels },
    each(sum(({ checks }) => checks)),
  );
  metrics.read(
    'counter',
    { name: 'slipway_cache_mismatches_total', help: 'How often that showed a difference, which was mended.', labels },
    each(sum(({ mismatches }) => mismatches)),
  );
  metrics.read(
    'gauge',
    {
      name: 'slipway_watch_last_contact_timestamp_seconds',
      help: 'When the API server was last heard by the watch of a kind that has waited longest.',
      labels,
    },
    each((states) => Math.min(...states.map(({ lastContactAt }) => lastContactAt ?? 0)) / 1000),
  );
  metrics.read(
    'gauge',
    { name: 'slipway_cache_objects', help: 'Objects of a kind that are kept.', labels },
    each(sum(({ objects }) => objects)),
  );
}
