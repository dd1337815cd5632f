// Connections that do not read beside healthy ones, while single runs change and while all of them change at once. What a
// paused one costs is the difference to the same server without it.
import { setTimeout as sleep } from 'node:timers/promises';
import { type FakeCluster, startFakeCluster } from './rig/fake-cluster.ts';
import { type Figure, ms, quantile, report, round, scaled } from './rig/figures.ts';
import {
  type HealthEvent,
  type Subscribe,
  type Subscriber,
  subscribe,
  subscribeAll,
  subscribeSse,
  subscription,
} from './rig/subscriber.ts';

const paused = scaled(100);
const healthy = scaled(100);
/** Enough that one change of all fills what the system keeps for a socket. */
const runs = 3_500;
const changesPerSecond = 100;
/** Before the first is closed. */
const measureAfterMs = 9_000;
/** Until then all must be closed. A client that comes to itself just before the server would cut it learns why. */
const resumeAfterMs = 15_000;
/** A document whose events are some 4 KiB. */
const large = subscription.replace('serviceRun { name', 'serviceRun { name spec { args }');
const bytes = 3_600;

/** What one client knows: of each run the last number in its message. */
class Client {
  readonly known = new Map<string, number>();
  cursor: string | null = null;
  told = 0;

  readonly #changed: (nonce: number) => void;

  constructor(changed: (nonce: number) => void = () => {}) {
    this.#changed = changed;
  }

  take = ({ type, cursor, id, coalesced, serviceRun }: HealthEvent): void => {
    this.cursor = cursor;
    if (type === 'RESET') this.known.clear();
    if (id === null || !serviceRun) return;
    const nonce = Number(/back (\d+)/.exec(serviceRun.status.message ?? '')?.[1] ?? 0);
    this.known.set(serviceRun.name, nonce);
    if (type !== 'CHANGED') return;
    this.told += coalesced + 1;
    this.#changed(nonce);
  };
}

interface Outcome {
  memory: { heap: number; external: number; rss: number };
  delays: number[];
  /** Healthy ones that were not told each change, and paused ones that do not know the last of each after resuming. */
  lost: number;
  notResumed: number;
  codes: Map<number | null, number>;
  closedMs: number;
}

/** The same changes with and without those that do not read. */
async function run(open: Subscribe, slow: number): Promise<Outcome> {
  await using cluster = await startFakeCluster(runs, bytes);
  const truth = new Map<string, number>();
  const sentAt = new Map<number, number>();
  const delays: number[] = [];
  const good = Array.from({ length: healthy }, () => new Client(note));
  const bad = Array.from({ length: slow }, () => new Client());
  const connections = await openAll(open, cluster, good);
  const stuck = await openAll(open, cluster, bad, large);
  const codes = new Map<number | null, number>();
  for (const { closed } of stuck) void closed.then((code) => codes.set(code, (codes.get(code) ?? 0) + 1));
  const pausedAt = performance.now();
  const all = Promise.all(stuck.map(({ closed }) => closed)).then(() => performance.now() - pausedAt);
  for (const { socket } of stuck) socket.pause();
  let made = await relist();
  const until = async (time: number): Promise<void> => {
    for (; performance.now() - pausedAt < time; made++) await touch(made);
  };
  await until(measureAfterMs);
  const { memory } = await cluster.report('collect');
  await until(resumeAfterMs);
  for (const { socket } of stuck) socket.resume();
  const closedMs = await Promise.race([all, sleep(60_000, Number.NaN)]);
  await reached(good, made);
  const lost = good.filter((client) => client.told !== made || !equal(client.known, truth)).length;
  const again = await openAll(open, cluster, bad);
  const notResumed = bad.filter(({ known }) => !equal(known, truth)).length;
  for (const { socket } of [...connections, ...stuck, ...again]) socket.terminate();
  return { memory, delays, lost, notResumed, codes, closedMs };

  function note(nonce: number): void {
    const sent = sentAt.get(nonce);
    if (sent !== undefined) delays.push(performance.now() - sent);
  }

  /** All change at once, to 1. */
  async function relist(): Promise<number> {
    for (let index = 0; index < runs; index++) truth.set(`run-${index}`, 1);
    await cluster.relist(1);
    await reached(good, runs);
    return runs;
  }

  async function touch(nonce: number): Promise<void> {
    const began = performance.now();
    sentAt.set(nonce, began);
    truth.set(`run-${nonce % runs}`, nonce);
    await cluster.touch(nonce % runs, nonce);
    await sleep(Math.max(0, 1000 / changesPerSecond - (performance.now() - began)));
  }
}

async function openAll(
  open: Subscribe,
  cluster: FakeCluster,
  clients: readonly Client[],
  query?: string,
): Promise<Subscriber[]> {
  return subscribeAll(clients.length, (index) => {
    const { take, cursor } = clients[index] ?? new Client();
    return open(cluster.graphql, take, cursor, query);
  });
}

/** Resolves when each was told so many changes, or nothing has come for half a minute. */
async function reached(clients: readonly Client[], count: number): Promise<void> {
  for (let [before, quiet] = [-1, 0]; quiet < 300; ) {
    const told = clients.reduce((sum, client) => sum + client.told, 0);
    if (told >= clients.length * count) return;
    quiet = told === before ? quiet + 1 : 0;
    before = told;
    await sleep(100);
  }
}

function equal(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean {
  return one.size === other.size && [...one].every(([name, nonce]) => other.get(name) === nonce);
}

async function figuresOf(name: string, open: Subscribe, code: number | null): Promise<Figure[]> {
  const without = await run(open, 0);
  const { memory, delays, lost, notResumed, codes, closedMs } = await run(open, paused);
  const kib = (part: keyof Outcome['memory']) => round((memory[part] - without.memory[part]) / paused / 1024);
  const figure = (what: string, ours: string, comparedWith = ''): Figure => ({
    what: `${name}: ${what}`,
    ours,
    comparedWith,
  });
  return [
    figure(
      `each of ${paused} that do not read, heap and external memory`,
      `${round(kib('heap') + kib('external'))} KiB`,
      'allowed: 1024 KiB',
    ),
    figure(`each of ${paused} that do not read, resident memory`, `${kib('rss')} KiB`, 'allowed: 1024 KiB'),
    figure(
      `all closed within ${ms(Math.max(resumeAfterMs, closedMs))} of being paused, with`,
      [...codes].map(([given, count]) => `${count} × ${given ?? 'no code'}`).join(', '),
      `${paused} × ${code ?? 'no code'}`,
    ),
    figure('of those, after resuming by cursor not up to date', `${notResumed}`, '0'),
    figure(`of ${healthy} healthy ones, those that lost something`, `${lost}`, '0'),
    figure(
      'delay of the healthy ones, p99',
      ms(quantile(delays, 0.99)),
      `allowed: 250 ms; without the paused ones: ${ms(quantile(without.delays, 0.99))}`,
    ),
  ];
}

export async function benchSlow(): Promise<Figure[]> {
  return [...(await figuresOf('WebSocket', subscribe, 4410)), ...(await figuresOf('SSE', subscribeSse, null))];
}

if (import.meta.main) report(await benchSlow());
