// 100 connections that do not read beside 100 healthy ones, in two parts, each with a server of its own:
//
// Cost. The paused ones ask for events of 32 KiB, and runs change as fast as the server goes, so that all there is room for
// is full; then 5,000 runs change at once. What each of them costs is the difference to the same server at the same point of
// the same load without them; while so much changes at once, that is also what the others still have to be told. Memory is only exact after garbage was collected, which holds everybody up: so here no delay is
// measured, and how long others wait while everything changes at once is measured afterwards, beside others that do not read.
//
// Delay. What the healthy ones notice of it, at a rate that a large cluster has: 100 changes a second, told with all that a
// list of runs shows. One in eight is of a run whose events are 192 KiB for the paused ones, which fills their connections
// within some seconds. From the moment they stop reading until all of them are closed every change counts, for each of the
// healthy ones, from the order to the API server until it has been read, also one that was merged into a later one. Beside
// it the same for as long before there are any paused ones. Nothing collects garbage but the server itself.
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { type FakeCluster, startFakeCluster } from './rig/fake-cluster.ts';
import { type Figure, ms, quantile, report, round, scaled } from './rig/figures.ts';
import { type Subscribe, type Subscriber, subscribe, subscribeSse, subscription } from './rig/subscriber.ts';
import { Changes, Client, isBehind, losers, openAll, reached } from './rig/told.ts';

const paused = scaled(100);
const healthy = scaled(100);
/** Until then all must be closed. A client that comes to itself just before the server would cut it learns why. */
const resumeAfterMs = 15_000;
const large = subscription.replace('serviceRun { name', 'serviceRun { name spec { args }');

interface Transport {
  name: string;
  open: Subscribe;
  /** That a connection ends with which is too slow. */
  code: number | null;
}
const transports: readonly Transport[] = [
  { name: 'WebSocket', open: subscribe, code: 4410 },
  { name: 'SSE', open: subscribeSse, code: null },
];

/** Counts how connections end. */
function endsOf(subscribers: readonly Subscriber[]) {
  const codes = new Map<number | null, number>();
  const all = Promise.all(
    subscribers.map(({ closed }) => closed.then((code) => codes.set(code, (codes.get(code) ?? 0) + 1))),
  );
  return {
    all,
    told: () => [...codes].map(([code, count]) => `${count} × ${code ?? 'no code'}`).join(', ') || 'none',
  };
}

/** Whoever was not ended by then is still open. */
async function ended({ all }: ReturnType<typeof endsOf>): Promise<void> {
  await Promise.race([all, sleep(10_000)]);
}

/** How long others wait for a small answer meanwhile. */
async function whileAsking<T>({ graphql }: FakeCluster, work: Promise<T>): Promise<{ result: T; waits: number[] }> {
  const waits: number[] = [];
  let over = false;
  const ended = work.finally(() => (over = true));
  ended.catch(() => undefined);
  while (!over) {
    const began = performance.now();
    const headers = { 'content-type': 'application/json' };
    const { body } = await request(graphql, { method: 'POST', headers, body: '{"query":"{ viewer { name } }"}' });
    await body.text();
    waits.push(performance.now() - began);
    await sleep(10);
  }
  return { result: await ended, waits };
}

/** A server, its healthy readers, and who changes what they read. */
async function world({ open }: Transport, runs: number, fat: { fat: number; bytes: number }, query?: string) {
  const cluster = await startFakeCluster(runs, fat);
  const changes = new Changes(cluster);
  const good = Array.from({ length: healthy }, () => new Client(changes.told));
  const bad = Array.from({ length: paused }, () => new Client());
  const [first = new Client(), ...others] = good;
  const options = query === undefined ? {} : { query };
  const reading = await openAll(open, cluster, [first], options);
  reading.push(...(await openAll(open, cluster, others, { ...options, after: first.cursor })));
  // Warm: everything has changed once, and what is kept for those who come back is full.
  await changes.allAtOnce(runs);
  await reached(good, changes);
  return {
    ...{ cluster, changes, good, bad },
    /** Those that will not read. */
    stuck: () => openAll(open, cluster, bad, { query: large, after: first.cursor }),
    async [Symbol.asyncDispose]() {
      for (const { socket } of reading) socket.terminate();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

/** So long runs change one by one, until all of them change at once. */
const fillMs = 2_500;
/** Before the first of the paused ones is closed. */
const measureUntilMs = 10_500;

async function cost(transport: Transport): Promise<Figure[]> {
  const [runs, fat] = [5_000, 100];
  await using all = await world(transport, runs, { fat, bytes: 32_768 });
  const { cluster, changes, good, bad } = all;
  const memory = async () => (await cluster.report('collect')).memory.rss;
  /** What there is when all room is taken; and later, with a change of every run on its way to everybody. */
  const filled = async (from: number): Promise<[full: number, all: number]> => {
    await changes.fast(from + fillMs, (index) => index % fat);
    await reached(good, changes);
    const full = await memory();
    await changes.allAtOnce(runs);
    await sleep(from + measureUntilMs - performance.now());
    return [full, await memory()];
  };
  const before = await filled(performance.now());
  await reached(good, changes);

  const stuck = await all.stuck();
  const ends = endsOf(stuck);
  const pausedAt = performance.now();
  for (const { socket } of stuck) socket.pause();
  const during = await filled(pausedAt);
  await sleep(pausedAt + resumeAfterMs - performance.now());
  for (const { socket } of stuck) socket.resume();
  await ended(ends);
  await reached(good, changes);
  const lost = losers(good, changes);
  const again = await openAll(transport.open, cluster, bad);
  const behind = bad.filter((client) => isBehind(client, changes)).length;
  for (const { socket } of again) socket.pause();
  const relistedAt = performance.now();
  const told = changes.allAtOnce(runs).then(async () => {
    await reached(good, changes);
    return performance.now() - relistedAt;
  });
  const { result: relistMs, waits } = await whileAsking(cluster, told);
  for (const { socket } of again) socket.terminate();
  const [full, everything] = during.map((rss, at) => `${round((rss - (before[at] ?? 0)) / paused / 1024)} KiB`);
  return [
    figure(transport, `each of ${paused} that do not read, resident memory`, full ?? '', 'allowed: 1024 KiB'),
    figure(transport, `the same with ${runs} more changes on their way to all, readers included`, everything ?? ''),
    figure(
      transport,
      `not reading for ${resumeAfterMs / 1000} s: closed, with`,
      ends.told(),
      `${paused} × ${transport.code ?? 'no code'}`,
    ),
    figure(transport, 'of those, not up to date after resuming by cursor', `${behind}`, '0'),
    figure(transport, `of ${healthy} healthy ones, those that lost something`, `${lost}`, '0'),
    figure(transport, `${runs} runs listed anew, all changed: until all healthy ones were told`, ms(relistMs)),
    figure(transport, 'a query meanwhile', `p99 ${ms(quantile(waits, 0.99))}, most ${ms(quantile(waits, 1))}`),
  ];
}

const perSecond = 100;
/** Of so many, the first `fat` with large events; a run changes every four seconds. */
const active = 800;
const which = (index: number): number => (index * 101) % active;
const typical = `subscription ($after: String) { serviceHealthChanged(after: $after) { type cursor id previous coalesced at
  serviceRun { id name namespace project function kind user labels { key value } createdAt spec { image replicas } status {
    state health message reasons { code message hint count since object { kind name } } restarts since observedAt
    replicas { desired ready updated available } service { name url urls { name url } } } } } }`;

async function delay(transport: Transport): Promise<Figure[]> {
  await using all = await world(transport, 1_000, { fat: active / 8, bytes: 196_608 }, typical);
  const { cluster, changes, good } = all;
  changes.delays = [];
  const idle = await cpuOf(cluster);
  await changes.steadily(perSecond, performance.now() + resumeAfterMs, which);
  await reached(good, changes);
  const alone = await cpuOf(cluster, idle);
  const without = changes.delays;

  const stuck = await all.stuck();
  const ends = endsOf(stuck);
  changes.delays = [];
  const busy = await cpuOf(cluster);
  const pausedAt = performance.now();
  for (const { socket } of stuck) socket.pause();
  // A paused WebSocket learns of its end when it reads again; the server has left it before.
  const rate = await changes.steadily(perSecond, pausedAt + resumeAfterMs, which);
  for (const { socket } of stuck) socket.resume();
  await reached(good, changes);
  const together = await cpuOf(cluster, busy);
  const beside = changes.delays;
  await ended(ends);

  const late = (delays: number[]) =>
    `median ${ms(quantile(delays, 0.5))}, p99 ${ms(quantile(delays, 0.99))}, most ${ms(quantile(delays, 1))}`;
  return [
    figure(
      transport,
      `delay of ${healthy} healthy ones beside ${paused} that do not read, ${round(rate)} changes/s`,
      late(beside),
      `allowed: p99 250 ms; alone: ${late(without)}`,
    ),
    figure(transport, 'CPU of the server and of this client meanwhile', together, `alone: ${alone}`),
    figure(transport, 'those that do not read beside them: closed, with', ends.told()),
    figure(transport, `of ${healthy} healthy ones, those that lost something there`, `${losers(good, changes)}`, '0'),
  ];
}

interface Cpu {
  at: number;
  server: number;
  client: number;
}

/** What server and client have used, or since then, in cores. */
async function cpuOf(cluster: FakeCluster): Promise<Cpu>;
async function cpuOf(cluster: FakeCluster, since: Cpu): Promise<string>;
async function cpuOf(cluster: FakeCluster, since?: Cpu): Promise<Cpu | string> {
  const { user, system } = process.cpuUsage();
  const { cpuSeconds } = await cluster.report();
  const now = { at: performance.now() / 1000, server: cpuSeconds, client: (user + system) / 1e6 };
  if (!since) return now;
  const cores = (what: 'server' | 'client') => round((now[what] - since[what]) / (now.at - since.at), 2);
  return `${cores('server')} and ${cores('client')} cores`;
}

function figure({ name }: Transport, what: string, ours: string, comparedWith = ''): Figure {
  return { what: `${name}: ${what}`, ours, comparedWith };
}

export async function benchSlow(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const transport of transports) figures.push(...(await cost(transport)), ...(await delay(transport)));
  return figures;
}

if (import.meta.main) report(await benchSlow());
