// Two replicas, restarted one after the other under load: what is lost, what is done twice, how long each takes to end.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { startBalancer } from '../test/operations/balancer.ts';
import { startLoad } from '../test/operations/load.ts';
import { type Restart, startCluster, startReplica } from '../test/operations/replicas.ts';

const rounds = 10;
const requestsPerSecond = 200;
const sockets = 500;
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

interface Subscriptions {
  /** How often a socket was closed, by code. */
  codes: Map<number, number>;
  /** ms from a socket's end until all was told again. */
  gaps: number[];
  failures: string[];
  stop(): Promise<void>;
}

function subscribe(url: string): Subscriptions {
  const [codes, gaps, failures] = [new Map<number, number>(), [] as number[], [] as string[]];
  const clients = Array.from({ length: sockets }, () => {
    let endedAt: number | null = null;
    const client = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 20,
      // A connection that is refused is tried again too: by default only one that was open.
      shouldRetry: () => true,
      on: {
        closed: (event) => {
          const { code } = event as { code: number };
          codes.set(code, (codes.get(code) ?? 0) + 1);
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
          gaps.push(performance.now() - endedAt);
          endedAt = null;
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

/** One row of figures. */
export async function benchRollingRestart(): Promise<Record<string, Record<string, number | string>>> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-rolling-'));
  const balancer = await startBalancer();
  const cluster = await startCluster(folder);
  const settings = { drainMs, kubeconfig: cluster.kubeconfig };
  const replicas = await Promise.all(
    ['one', 'two'].map((name) => startReplica(join(folder, name), balancer, settings)),
  );
  const load = startLoad(balancer.url, { keeping: 24, opening: 8, next: paced() });
  const subscriptions = subscribe(balancer.url);
  const restarts: Restart[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const replica of replicas) {
      restarts.push(await replica.restart());
    }
  }
  await load.stop();
  const codes = [...subscriptions.codes].map(([code, count]) => `${code}: ${count}`).join(', ');
  await subscriptions.stop();
  await Promise.all(replicas.map((replica) => replica.stop()));
  await balancer.stop();
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
  const { failures } = load;
  if (failures.length > 0) process.stderr.write(`${[...new Set(failures)].slice(0, 10).join('\n')}\n`);
  return {
    [`${rounds} rounds, ${requestsPerSecond} requests/s, ${sockets} sockets`]: {
      'requests answered': load.answered,
      'requests lost': failures.length,
      'sockets closed': codes,
      'subscriptions lost': subscriptions.failures.length,
      'longest s until a socket was SYNCED again': Math.max(0, ...subscriptions.gaps) / 1000,
      'longest s until it left the balancer': Math.max(...restarts.map((restart) => restart.secondsToLeave)),
      'longest s to end': Math.max(...restarts.map((restart) => restart.secondsToEnd)),
      'exit codes': [...new Set(restarts.map(({ exitCode }) => exitCode))].join(', '),
    },
  };
}

if (import.meta.main) {
  // oxlint-disable-next-line no-console -- a table is what it is for
  console.table(await benchRollingRestart());
}
