// From a patch at the API server to the last of many screens, compared with a raw watch of the same objects.
import { type Figure, ms, quantile, report, round, scaled } from './rig/figures.ts';
import { type BenchServer, makeRuns, rawWatch, startBenchServer, touchRun } from './rig/server.ts';
import { subscribe, subscribeAll } from './rig/subscriber.ts';

const runs = scaled(1_000);
const subscribers = scaled(500);
const patches = scaled(300);
const pauseMs = 20;

export async function benchGap(): Promise<Figure[]> {
  await using server = await startBenchServer();
  await makeRuns(server, runs);
  const alone = await cpuOfPatches(server);
  let nonce = 0;
  let rawAt = 0;
  let waiting = 0;
  const [rawDelays, delays, gaps, lastGaps]: [number[], number[], number[], number[]] = [[], [], [], []];
  let done = Promise.withResolvers<void>();
  let arrivals: number[] = [];
  const arrived = () => {
    waiting -= 1;
    if (waiting === 0) done.resolve();
  };
  const all = await subscribeAll(subscribers, () =>
    subscribe(server.graphql, ({ type, serviceRun }) => {
      if (type !== 'CHANGED' || !serviceRun?.status.message?.includes(`back ${nonce}.`)) return;
      arrivals.push(performance.now());
      arrived();
    }),
  );
  const stopWatch = await rawWatch(server, ({ metadata }, at) => {
    if (rawAt > 0 || metadata.annotations?.['slipway.dev/replicas'] !== String(nonce)) return;
    rawAt = at;
    arrived();
  });
  const cpu = await server.cpu();
  for (nonce = 1000; nonce < 1000 + patches; nonce++) {
    done = Promise.withResolvers<void>();
    [rawAt, arrivals, waiting] = [0, [], subscribers + 1];
    const start = performance.now();
    await touchRun(server, `run-${(nonce * 7919) % runs}`, nonce);
    await done.promise;
    rawDelays.push(rawAt - start);
    delays.push(...arrivals.map((at) => at - start));
    gaps.push(...arrivals.map((at) => at - rawAt));
    lastGaps.push(Math.max(...arrivals) - rawAt);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  const used = ((await server.cpu()) - cpu) / patches;
  stopWatch();
  for (const { socket } of all) socket.terminate();
  const of = (share: number, what: string): Figure => ({
    what: `patch → subscriber, ${what}, ${subscribers} subscribers, ${runs} runs`,
    ours: ms(quantile(delays, share)),
    comparedWith: `raw watch: ${ms(quantile(rawDelays, share))}`,
    ratio: `+${ms(quantile(gaps, share))}`,
  });
  return [
    of(0.5, 'median'),
    of(0.99, 'p99'),
    {
      what: 'the last of all subscribers, p99',
      ours: `+${ms(quantile(lastGaps, 0.99))} over a raw watch`,
      comparedWith: 'allowed: +50 ms',
    },
    {
      what: `CPU of the server for each patch, with ${subscribers} subscribers`,
      ours: ms(used),
      comparedWith: `without: ${ms(alone)}`,
      ratio: `${round(((used - alone) * 1000) / subscribers)} µs for each subscriber`,
    },
  ];
}

/** What a patch costs by itself: the API server and the controllers of the embedded cluster, and our caches. */
async function cpuOfPatches(server: BenchServer): Promise<number> {
  const cpu = await server.cpu();
  for (let n = 0; n < patches; n++) await touchRun(server, `run-${n % runs}`, n);
  return ((await server.cpu()) - cpu) / patches;
}

if (import.meta.main) report(await benchGap());
