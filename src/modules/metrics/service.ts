import { serviceRef } from '../../module.ts';
import type { StreamCounts } from '../../schema/stream.ts';

/**
 * The values each label may take: a closed list, so that no name a user chose can make series without end. What is not
 * listed counts as `other`.
 */
export type LabelValues<L extends string> = Readonly<Record<L, readonly string[]>>;

export interface Instrument<L extends string> {
  /** By the conventions of Prometheus: unit and, for what only rises, `_total` at the end. */
  name: string;
  help: string;
  labels?: LabelValues<L>;
}

export interface Sample<L extends string> {
  labels: Readonly<Record<L, string>>;
  value: number;
}

/**
 * Where modules register what they count. Name it in `uses`: without the metrics module there is none, and nothing is
 * counted.
 *
 * @example
 * uses: { metrics: Metrics },
 * start({ deps }) {
 *   const count = deps.metrics?.counter({ name: 'acme_quotes_total', help: 'Quotes given.' });
 *   count?.({});
 * }
 */
export interface Metrics {
  /** Where they are read; null: nowhere. */
  readonly url: string | null;
  /** What only rises; by 1 unless said otherwise. */
  counter<L extends string = never>(
    instrument: Instrument<L>,
  ): (labels: Readonly<Record<L, string>>, by?: number) => void;
  /** How values are distributed. */
  histogram<L extends string = never>(
    instrument: Instrument<L> & { buckets: readonly number[] },
  ): (labels: Readonly<Record<L, string>>, value: number) => void;
  /** What somebody else counts, read when it is asked for. */
  read<L extends string = never>(
    type: 'counter' | 'gauge',
    instrument: Instrument<L>,
    samples: () => Iterable<Sample<L>>,
  ): void;
  /** A stream's subscribers and what became of them, by the subscription field that serves it. */
  stream(field: string, stream: CountedStream): void;
}

export interface CountedStream {
  readonly subscribers: number;
  readonly counts: Readonly<StreamCounts>;
}
export const Metrics = serviceRef<Metrics>('slipway.metrics');
