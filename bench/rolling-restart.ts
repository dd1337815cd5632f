// Two replicas, restarted one after the other under load: what is lost, what is done twice, how long each takes to end.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { startBalancer } from '../test/operations/balancer.ts';
import { startLoad } from '../test/operations/load.ts';
import { type Figure, report, round, scaled } from './rig/figures.ts';
import { type Restart, startCluster, startReplica } from '../test/operations/replicas.ts';

const rounds = scaled(10);
const requestsPerSecond = 200;
const sockets = scaled(500);
const drainMs = 5_000;
/** Every so many requests one creates a run: a request that was carried out twice would be a CONFLICT. */
const readsPerWrite = 200;

const read = '{ viewer { name } cluster { freshness } serviceRuns(first: 5) { nodes { name } } }';
const write = `mutation ($name: String!) {
  runService(input: { name: $name, image: "example/none:1", replicas: 0, ports: [{ port: 8080 }] }) { serviceRun { id } }
}`;

/** Requests at a steady pace, whoever sends them. */
function paced(): () => Promise<string> {
  const start = performance.now();
  let sent = 0;
  return async () => {
    const n = sent++;
    const wait = start + (n * 1000) / requestsPerSecond - performance.now();
    if (wait > 0) await sleep(wait);
    return n % readsPerWrite === 0
      ? JSON.stringify({ query: write, variables: { name: `run-${n}` } })
      : JSON.stringify({ query: read });
  };
}

/** From a socket's end until all was told again. */
interface Gap {
  ms: number;
  /** Of which its client waited by itself before it tried again. */
  waitedMs: number;
  /** How often it tried in vain, by what became of it. */
  refusals: string[];
}

interface Subscriptions {
  /** How often a socket was closed, by code. */
  codes: Map<number, number>;
  gaps: Gap[];
  failures: string[];
  stop(): Promise<void>;
}

function subscribe(url: string): Subscriptions {
  const [codes, gaps, failures] = [new Map<number, number>(), [] as Gap[], [] as string[]];
  const clients = Array.from({ length: sockets }, () => {
    let [endedAt, waitedMs, refusals]: [number | null, number, string[]] = [null, 0, []];
    const client = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 20,
      // By default it waits twice as long each time: after some refusals that would measure its own patience.
      async retryWait() {
        const began = performance.now();
        await sleep(1_000 + Math.random() * 2_000);
        waitedMs += performance.now() - began;
      },
      // A connection that is refused is tried again too: by default only one that was open.
      shouldRetry: () => true,
      on: {
        closed: (event) => {
          const { code, reason = '' } = event as { code: number; reason?: string };
          codes.set(code, (codes.get(code) ?? 0) + 1);
          if (endedAt !== null) refusals.push(`${code} ${reason}`.trim());
          endedAt ??= performance.now();
        },
      },
    });
    client.subscribe(
      { query: 'subscription { serviceHealthChanged { type } }' },
      {
        next: ({ data }) => {
          const { type } = (data?.['serviceHealthChanged'] ?? {}) as { type?: string };
          if (type !== 'SYNCED' || endedAt === null) return;
          gaps.push({ ms: performance.now() - endedAt, waitedMs, refusals });
          [endedAt, waitedMs, refusals] = [null, 0, []];
        },
        error: (error) => failures.push(String(error)),
        complete: () => {},
      },
    );
    return client;
  });
  return {
    codes,
    gaps,
    failures,
    async stop() {
      for (const client of clients) await client.dispose();
    },
  };
}

const say = (what: string, found: object): void => void process.stderr.write(`${what}: ${JSON.stringify(found)}\n`);

/** How many there are of each kind. */
function countsOf(failures: readonly string[]): Record<string, number> {
  const groups = Map.groupBy(failures, (failure) => failure.slice(0, 200));
  return Object.fromEntries([...groups].map(([kind, { length }]) => [kind, length]));
}

const named = (counts: ReadonlyMap<number, number>): string =>
  [...counts].map(([code, count]) => `${code}: ${count}`).join(', ');

async function measure(folder: string) {
  const balancer = await startBalancer();
  const cluster = await startCluster(folder);
  const settings = { drainMs, kubeconfig: cluster.kubeconfig };
  const replicas = await Promise.all(
    ['one', 'two'].map((name) => startReplica(join(folder, name), balancer, settings)),
  );
  const load = startLoad(balancer.url, { keeping: 24, opening: 8, next: paced() });
  const subscriptions = subscribe(balancer.url);
  const restarts: Restart[] = [];
  for (let done = 0; done < rounds; done++) {
    for (const replica of replicas) restarts.push(await replica.restart());
  }
  await load.stop();
  // Those of our own end are none.
  const codes = named(subscriptions.codes);
  await subscriptions.stop();
  await Promise.all(replicas.map((replica) => replica.stop()));
  await balancer.stop();
  await cluster.stop();
  return { load, subscriptions, codes, restarts };
}

export async function benchRollingRestart(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-rolling-'));
  const { load, subscriptions, codes, restarts } = await measure(folder);
  await rm(folder, { recursive: true, force: true });
  const { failures, answered } = load;
  say('lost requests', countsOf(failures));
  say('longest gaps', subscriptions.gaps.sort((a, b) => b.ms - a.ms).slice(0, 5));
  const longest = (seconds: readonly number[]) => `${round(Math.max(0, ...seconds))} s`;
  return [
    {
      what: `requests lost in ${rounds} rounds of 2 replicas, ${requestsPerSecond} requests/s, ${sockets} sockets`,
      ours: `${failures.length} of ${answered + failures.length}`,
      comparedWith: '0',
    },
    {
      what: `of ${Math.ceil((answered + failures.length) / readsPerWrite)} mutations, those carried out twice`,
      ours: `${failures.filter((failure) => failure.includes('CONFLICT')).length}`,
      comparedWith: '0',
    },
    { what: 'sockets closed, by code', ours: codes, comparedWith: '1001' },
    { what: 'subscriptions lost', ours: `${subscriptions.failures.length}`, comparedWith: '0' },
    {
      what: 'until all is told again on a closed socket, longest',
      ours: longest(subscriptions.gaps.map(({ ms }) => ms / 1000)),
      comparedWith: 'allowed: 10 s',
    },
    {
      what: 'of that without the time that its client waited before it tried again, longest',
      ours: longest(subscriptions.gaps.map(({ ms, waitedMs }) => (ms - waitedMs) / 1000)),
    },
    {
      what: 'from SIGTERM until no new connection comes, longest',
      ours: longest(restarts.map(({ secondsToLeave }) => secondsToLeave)),
    },
    {
      what: 'from SIGTERM to the end, longest',
      ours: longest(restarts.map(({ secondsToEnd }) => secondsToEnd)),
      comparedWith: 'allowed: 25 s',
    },
    {
      what: 'exit codes',
      ours: [...new Set(restarts.map(({ exitCode }) => exitCode))].join(', '),
      comparedWith: '0',
    },
  ];
}

if (import.meta.main) report(await benchRollingRestart());
