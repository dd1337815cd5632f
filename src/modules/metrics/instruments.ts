import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { CountedStream, Instrument, Metrics, Sample } from './service.ts';

type Labels = Record<string, string>;

/** The instruments of one server, registered with `registry`. */
export function createInstruments(registry: Registry): Omit<Metrics, 'url'> {
  const streams = new Map<string, CountedStream>();

  const instruments: Omit<Metrics, 'url'> = {
    counter(instrument) {
      const counter = new Counter({ ...common(instrument), registers: [registry] });
      return (labels, by = 1) => counter.inc(closed(instrument, labels), by);
    },
    histogram(instrument) {
      const buckets = [...instrument.buckets];
      const histogram = new Histogram({ ...common(instrument), buckets, registers: [registry] });
      return (labels, value) => histogram.observe(closed(instrument, labels), value);
    },
    read(type, instrument, samples) {
      function collect(this: { reset(): void; inc(labels: Labels, value: number): void }): void {
        this.reset();
        for (const { labels, value } of samples()) this.inc(closed(instrument, labels), value);
      }
      const options = { ...common(instrument), registers: [], collect };
      registry.registerMetric(type === 'counter' ? new Counter(options) : new Gauge(options));
    },
    stream(field, stream) {
      if (streams.size === 0) readStreams(instruments, streams);
      streams.set(field, stream);
    },
  };
  return instruments;
}

function common({ name, help, labels = {} }: Instrument<string>) {
  return { name, help, labelNames: Object.keys(labels) };
}

function closed(instrument: Instrument<string>, labels: Labels): Labels {
  const shown: Labels = {};
  for (const name in instrument.labels) {
    const value = labels[name] ?? 'other';
    shown[name] = instrument.labels[name]?.includes(value) ? value : 'other';
  }
  return shown;
}

function readStreams(instruments: Pick<Metrics, 'read'>, streams: ReadonlyMap<string, CountedStream>): void {
  const labels = {
    get field() {
      return [...streams.keys()];
    },
  };
  const each = (value: (stream: CountedStream) => number) => (): Sample<'field'>[] =>
    Array.from(streams, ([field, stream]) => ({ labels: { field }, value: value(stream) }));
  instruments.read(
    'gauge',
    { name: 'slipway_stream_subscribers', help: 'Subscribers of a stream.', labels },
    each(({ subscribers }) => subscribers),
  );
  instruments.read(
    'counter',
    { name: 'slipway_stream_events_total', help: 'Events that subscribers have read.', labels },
    each(({ counts }) => counts.delivered),
  );
  instruments.read(
    'counter',
    { name: 'slipway_stream_coalesced_total', help: 'Changes merged into a later one before they were read.', labels },
    each(({ counts }) => counts.coalesced),
  );
  instruments.read(
    'counter',
    { name: 'slipway_stream_slow_total', help: 'Subscribers ended because they read too slowly.', labels },
    each(({ counts }) => counts.slow),
  );
  instruments.read(
    'counter',
    { name: 'slipway_stream_forbidden_total', help: 'Subscribers ended because their rights have changed.', labels },
    each(({ counts }) => counts.forbidden),
  );
}
