import type { FreshnessSource } from '../../k8s/cluster.ts';
import { referTo } from './diagnosis/finding.ts';
import type { RunView } from './service.ts';

/**
 * A run as it may be shown now. While the cluster is stale the last known health stays, with STALE as the first
 * reason: what is shown is true for `observedAt`, and nobody knows of now. Added on reading, so that losing touch with the
 * cluster is one event of the server, not a change of every run.
 */
export function withStaleness(run: RunView, freshness: Pick<FreshnessSource, 'state' | 'staleSince'>): RunView {
  if (freshness.state === 'FRESH') return run;
  const main = run.objects.workload ?? run.objects.service;
  const message =
    freshness.staleSince === null
      ? 'The server has lost touch with the cluster: this is the last known status.'
      : `The server has lost touch with the cluster at ${new Date(freshness.staleSince).toISOString()}: this is the status of then.`;
  const stale = {
    code: 'STALE' as const,
    rawReason: null,
    message,
    hint: 'Wait: the server connects again by itself. If this lasts, look at cluster.watches.',
    object: main && referTo(main),
    count: 1,
    since: freshness.staleSince,
  };
  return { ...run, status: { ...run.status, message, reasons: [stale, ...run.status.reasons] } };
}
