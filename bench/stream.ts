// What a snapshot-then-delta stream costs: time for each event and subscriber, memory for each subscriber.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { everything } from '../src/caller.ts';
import { systemClock } from '../src/clock.ts';
import { type Stream, createStream } from '../src/schema/stream.ts';
import { report, scaled } from './rig/figures.ts';

interface Item {
  id: string;
  value: number;
}

const items = scaled(500);
const subscribers = scaled(1_000);
const events = scaled(500);
const eventsPerSecond = 50;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function createWorld() {
  const present = new Map<string, Item>();
  let tell: (change: { before?: Item; after?: Item }) => void = () => {};
  for (let i = 0; i < items; i++) present.set(`run-${i}`, { id: `run-${i}`, value: 0 });
  const stream: Stream<Item> = createStream<Item>({
    source: {
      all: () => present.values(),
      subscribe(listener) {
        tell = listener;
        return () => {};
      },
    },
    id: (item) => item.id,
    uid: (item) => item.id,
    includes: () => true,
    freshness: { state: 'FRESH', subscribe: () => () => {} },
    clock: systemClock,
  });
  return {
    stream,
    change: (n: number): void => {
      const before = present.get(`run-${n % items}`);
      const after = { id: `run-${n % items}`, value: n };
      present.set(after.id, after);
      tell({ ...(before && { before }), after });
    },
    open: (filter: unknown) => stream.subscribe({ filter, matches: () => true, scope: everything }),
  };
}

function heap(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

interface Result {
  'µs for each event and subscriber': number;
  'CPU at 50 events/s': string;
  'p99 ms from change to reader': number;
  'KiB for each subscriber': number;
}

/** Readers that keep up; `groups` of them share a filter. */
async function keepingUp(groups: number): Promise<Result> {
  const { stream, change, open } = createWorld();
  let changedAt = 0;
  const delays: number[] = [];
  const before = heap();
  const ready = Promise.withResolvers<void>();
  let waiting = subscribers;
  const readers = Array.from({ length: subscribers }, async (_, n) => {
    for await (const event of open({ group: n % groups })) {
      if (event.type === 'SYNCED' && --waiting === 0) ready.resolve();
      if (event.type === 'CHANGED') delays.push(performance.now() - changedAt);
    }
  });
  await ready.promise;
  const size = (heap() - before) / subscribers / 1024;
  const start = process.cpuUsage();
  for (let n = 1; n <= events; n++) {
    changedAt = performance.now();
    change(n);
    await new Promise(setImmediate);
  }
  const { user, system } = process.cpuUsage(start);
  const each = (user + system) / events;
  stream.stop();
  await Promise.all(readers);
  if (delays.length !== events * subscribers) throw new Error(`${delays.length} events were read`);
  delays.sort((a, b) => a - b);
  return {
    'µs for each event and subscriber': round(each / subscribers),
    'CPU at 50 events/s': `${round((each * eventsPerSecond) / 10_000)} %`,
    'p99 ms from change to reader': round(delays[Math.floor(delays.length * 0.99)] ?? 0),
    'KiB for each subscriber': round(size),
  };
}

/** Readers that have stopped: what waits for them is bounded by the number of items, not of changes. */
async function stuck(): Promise<Result> {
  const { stream, change, open } = createWorld();
  const before = heap();
  const all = Array.from({ length: subscribers }, () => open(null));
  for (const one of all) for (let type = ''; type !== 'SYNCED'; ) type = (await one.next()).value?.type ?? '';
  const rounds = events * 10;
  const start = process.cpuUsage();
  for (let n = 1; n <= rounds; n++) change(n);
  const { user, system } = process.cpuUsage(start);
  const size = (heap() - before) / subscribers / 1024;
  const each = (user + system) / rounds;
  const result = {
    'µs for each event and subscriber': round(each / subscribers),
    'CPU at 50 events/s': `${round((each * eventsPerSecond) / 10_000)} %`,
    'p99 ms from change to reader': Number.NaN,
    'KiB for each subscriber': round(size),
  };
  stream.stop();
  return result;
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** The table: one row for each situation. */
export async function benchStream(): Promise<Record<string, Result>> {
  return {
    [`${subscribers} readers, one filter`]: await keepingUp(1),
    [`${subscribers} readers, ${subscribers} filters`]: await keepingUp(subscribers),
    [`${subscribers} readers that have stopped`]: await stuck(),
  };
}

if (import.meta.main) {
  report(
    Object.entries(await benchStream()).flatMap(([situation, result]) =>
      Object.entries(result)
        .filter(([, value]) => typeof value === 'string' || !Number.isNaN(value))
        .map(([what, value]) => ({ what: `${situation}: ${what}`, ours: String(value) })),
    ),
  );
}
