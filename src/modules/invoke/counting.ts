import type { Metrics } from '../metrics/service.ts';
import type { Entry } from './entry.ts';
import type { Outcome } from './failure.ts';
import type { Recorder } from './recorder.ts';

const outcomes: Record<Exclude<Outcome, 'IN_PROGRESS'>, true> = {
  REFUSED: true,
  COMPLETED: true,
  TIMEOUT: true,
  UNREACHABLE: true,
  RESPONSE_TOO_LARGE: true,
  UNSUPPORTED_CONTENT: true,
  PROTOCOL_ERROR: true,
  CANCELLED: true,
};
const mutations = ['invokeService', 'replayInvocation', 'invokeServiceStream'];
/** Seconds. */
const buckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600];

/** Counts calls by how they ended, made or refused. */
export function countCalls(metrics: Metrics | undefined): (mutation: string, entry: Entry) => void {
  const count = metrics?.counter({
    name: 'slipway_invocations_total',
    help: 'Calls of services by how they ended.',
    labels: { mutation: mutations, outcome: Object.keys(outcomes) },
  });
  const time = metrics?.histogram({
    name: 'slipway_invocation_duration_seconds',
    help: 'How long calls of services take, the whole of a stream included.',
    buckets,
  });
  return (mutation, { outcome, timings }) => {
    count?.({ mutation, outcome });
    if (timings.totalMs !== null) time?.({}, timings.totalMs / 1000);
  };
}

/** How the record of calls keeps up with them. */
export function countRecords(metrics: Metrics | undefined, recorder: Recorder): void {
  const read = (type: 'counter' | 'gauge', name: string, help: string, value: () => number) =>
    metrics?.read(type, { name, help }, () => [{ labels: {}, value: value() }]);
  read('gauge', 'slipway_invocation_records_waiting', 'Calls that wait to be recorded.', () => recorder.waiting);
  read('counter', 'slipway_invocation_records_lost_total', 'Calls that will never be recorded.', () => recorder.lost);
  read(
    'counter',
    'slipway_invocation_record_failures_total',
    'Writes to the history that failed.',
    () => recorder.failures,
  );
}
