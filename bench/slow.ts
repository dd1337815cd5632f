// Connections that do not read beside healthy ones, while single runs change and while all of them change at once. What a
// paused one costs is the difference to the same server, warm, before they were paused.
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
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
/** All of them change in one tick. */
const runs = 5_000;
/** Those that change one by one. Their events fill what the system keeps for a connection within a second or two. */
const fat = 100;
const bytes = 32_768;
const changesPerSecond = 100;
/** From when on those that do not read see everything change at once. */
const relistAfterMs = 2_500;
/** Before the first of them is closed. */
const measureUntilMs = 10_500;
/** Until then all must be closed. A client that comes to itself just before the server would cut it learns why. */
const resumeAfterMs = 15_000;
const large = subscription.replace('serviceRun { name', 'serviceRun { name spec { args }');

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

/** Changes the cluster, and knows what everybody should have been told. */
class Changes {
  readonly truth = new Map<string, number>();
  /** From a change to each who was told. */
  readonly delays: number[] = [];
  #nonce = 0;
  readonly #cluster: FakeCluster;
  readonly #sentAt = new Map<number, number>();

  constructor(cluster: FakeCluster) {
    this.#cluster = cluster;
  }

  told = (nonce: number): void => {
    const sent = this.#sentAt.get(nonce);
    if (sent !== undefined) this.delays.push(performance.now() - sent);
  };

  async oneByOne(until: number): Promise<void> {
    while (performance.now() < until) {
      const began = performance.now();
      const nonce = ++this.#nonce;
      this.#sentAt.set(nonce, began);
      this.truth.set(`run-${nonce % fat}`, nonce);
      await this.#cluster.touch(nonce % fat, nonce);
      await sleep(Math.max(0, 1000 / changesPerSecond - (performance.now() - began)));
    }
  }

  async allAtOnce(): Promise<void> {
    const nonce = ++this.#nonce;
    for (let index = 0; index < runs; index++) this.truth.set(`run-${index}`, nonce);
    await this.#cluster.relist(nonce);
  }
}

/** Opens clients behind the first one's cursor: nobody needs the whole snapshot again. */
async function openAll(
  open: Subscribe,
  { graphql }: FakeCluster,
  clients: readonly Client[],
  { query, after }: { query?: string; after?: string | null } = {},
): Promise<Subscriber[]> {
  return subscribeAll(clients.length, (index) => {
    const client = clients[index] ?? new Client();
    return open(graphql, client.take, client.cursor ?? after, query);
  });
}

/** Resolves when each knows the truth, or nothing has come for half a minute. */
async function reached(clients: readonly Client[], { truth }: Changes): Promise<void> {
  const waiting = new Set(clients);
  for (let [before, quiet] = [-1, 0]; quiet < 600; ) {
    for (const client of waiting) {
      if (!equal(client.known, truth)) break;
      waiting.delete(client);
    }
    if (waiting.size === 0) return;
    const told = clients.reduce((sum, client) => sum + client.told, 0);
    quiet = told === before ? quiet + 1 : 0;
    before = told;
    await sleep(50);
  }
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

const equal = (one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean =>
  one.size === other.size && [...other].every(([name, nonce]) => one.get(name) === nonce);

async function figuresOf(name: string, open: Subscribe, code: number | null): Promise<Figure[]> {
  await using cluster = await startFakeCluster(runs, { fat, bytes });
  const changes = new Changes(cluster);
  const good = Array.from({ length: healthy }, () => new Client(changes.told));
  const bad = Array.from({ length: paused }, () => new Client());
  const [first = new Client(), ...others] = good;
  const one = await openAll(open, cluster, [first]);
  const healthyOnes = [...one, ...(await openAll(open, cluster, others, { after: first.cursor }))];

  // Warm: everything has changed once, and what is kept for those who come back is full.
  await changes.allAtOnce();
  await reached(good, changes);
  await changes.oneByOne(performance.now() + 4_000);
  await reached(good, changes);
  const without = changes.delays.splice(0);

  const stuck = await openAll(open, cluster, bad, { query: large, after: first.cursor });
  const codes = new Map<number | null, number>();
  for (const { closed } of stuck) void closed.then((given) => codes.set(given, (codes.get(given) ?? 0) + 1));
  const { memory: before } = await cluster.report('collect');
  const pausedAt = performance.now();
  for (const { socket } of stuck) socket.pause();
  const resumed = sleep(resumeAfterMs).then(() => {
    for (const { socket } of stuck) socket.resume();
  });
  await changes.oneByOne(pausedAt + relistAfterMs);
  await reached(good, changes);
  const relistedAt = performance.now();
  const told = changes.allAtOnce().then(async () => {
    await reached(good, changes);
    return performance.now() - relistedAt;
  });
  const asked = whileAsking(cluster, told);
  await Promise.race([asked, sleep(Math.max(0, pausedAt + measureUntilMs - performance.now()))]);
  const { memory: during } = await cluster.report('collect');
  const { result: relistMs, waits } = await asked;
  await changes.oneByOne(pausedAt + resumeAfterMs);
  await resumed;
  const closed = Promise.all(stuck.map((each) => each.closed)).then(() => true);
  const allClosed = await Promise.race([closed, sleep(30_000, false)]);
  await reached(good, changes);
  const all = Math.max(...good.map(({ told }) => told));
  const lost = good.filter((client) => client.told !== all || !equal(client.known, changes.truth)).length;
  const again = await openAll(open, cluster, bad);
  const behind = bad.filter(({ known }) => !equal(known, changes.truth)).length;
  for (const { socket } of [...healthyOnes, ...stuck, ...again]) socket.terminate();

  const kib = (difference: number): string => `${round(difference / paused / 1024)} KiB`;
  const figure = (what: string, ours: string, comparedWith = ''): Figure => ({
    what: `${name}: ${what}`,
    ours,
    comparedWith,
  });
  const limit = 'allowed: 1024 KiB';
  return [
    figure(`each of ${paused} that do not read, resident memory`, kib(during.rss - before.rss), limit),
    figure(
      `not reading for ${resumeAfterMs / 1000} s: closed, with`,
      [...codes].map(([given, count]) => `${count} × ${given ?? 'no code'}`).join(', ') +
        (allClosed ? '' : '; not all'),
      `${paused} × ${code ?? 'no code'}`,
    ),
    figure('of those, not up to date after resuming by cursor', `${behind}`, '0'),
    figure(`of ${healthy} healthy ones, those that lost something`, `${lost}`, '0'),
    figure(
      'delay of the healthy ones, p99',
      ms(quantile(changes.delays, 0.99)),
      `allowed: 250 ms; without the others: ${ms(quantile(without, 0.99))}`,
    ),
    figure(`${runs} runs listed anew, all changed: until all healthy ones were told`, ms(relistMs)),
    figure('a query meanwhile', `p99 ${ms(quantile(waits, 0.99))}, most ${ms(quantile(waits, 1))}`),
  ];
}

export async function benchSlow(): Promise<Figure[]> {
  return [...(await figuresOf('WebSocket', subscribe, 4410)), ...(await figuresOf('SSE', subscribeSse, null))];
}

if (import.meta.main) report(await benchSlow());
