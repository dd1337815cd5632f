// On a real control plane: how soon clients know that the watches are dead or half-open, and how soon that they are back.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { type ApiProxy, startApiProxy } from '../test/cluster/api-proxy.ts';
import { kubeconfig } from '../test/cluster/control-plane/credentials.ts';
import { type ControlPlane, startControlPlane } from '../test/cluster/control-plane/index.ts';
import { serverEnvironment, startProcess } from '../test/commands/process.ts';
import { type Figure, report, round, scaled } from './rig/figures.ts';
import { subscribe } from './rig/subscriber.ts';

const rounds = scaled(3);
const pollMs = 20;
const askMs = 200;
/** What is not told by then is not told at all. */
const longestMs = 60_000;
const settleMs = 12_000;
const query = '{ cluster { freshness } serviceRuns(first: 1) { freshness } }';

type Freshness = 'FRESH' | 'STALE';

/** When each way of asking told of a turn, in ms. */
interface Told {
  stream: number;
  cluster: number;
  connection: number;
}

interface Answer {
  data: { cluster: { freshness: Freshness }; serviceRuns: { freshness: Freshness } };
}

/** Tells when clients see a turn: one that subscribes, and one that asks again and again. */
async function startClients(graphql: string) {
  const waiting = new Set<{ type: string; resolve: (at: number) => void }>();
  const { synced, socket } = subscribe(graphql, ({ type }) => {
    for (const one of waiting) {
      if (one.type !== type) continue;
      waiting.delete(one);
      one.resolve(performance.now());
    }
  });
  await synced;
  const asked = async (wanted: Freshness, signal: AbortSignal): Promise<Omit<Told, 'stream'>> => {
    const seen: Partial<Told> = {};
    while (seen.cluster === undefined || seen.connection === undefined) {
      signal.throwIfAborted();
      const response = await fetch(graphql, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
      const { data } = (await response.json()) as Answer;
      if (data.cluster.freshness === wanted) seen.cluster ??= performance.now();
      if (data.serviceRuns.freshness === wanted) seen.connection ??= performance.now();
      await sleep(pollMs);
    }
    return { cluster: seen.cluster, connection: seen.connection };
  };
  return {
    async turn(type: Freshness): Promise<Told> {
      const signal = AbortSignal.timeout(longestMs);
      const stream = new Promise<number>((resolve, reject) => {
        waiting.add({ type, resolve });
        signal.addEventListener('abort', () => reject(new Error(`no ${type} in ${longestMs / 1000} s`)));
      });
      const [at, others] = await Promise.all([stream, asked(type, signal)]);
      return { stream: at, ...others };
    },
    stop: () => socket.terminate(),
  };
}

/** When the last of these kinds is one that anybody may watch: each is asked for again and again, directly. */
async function watchable({ url, ca, adminToken }: ControlPlane, kinds: readonly string[]): Promise<number> {
  const dispatcher = new Agent({ connect: { ca } });
  const headers = { authorization: `Bearer ${adminToken}` };
  const isAccepted = async (kind: string): Promise<boolean> => {
    const watch = `${url}${kind}?watch=true&resourceVersion=0&timeoutSeconds=1`;
    const { statusCode, body } = await request(watch, { dispatcher, headers });
    body.on('error', () => {}).destroy();
    return statusCode === 200;
  };
  await Promise.all(
    kinds.map(async (kind) => {
      while (!(await isAccepted(kind).catch(() => false))) await sleep(askMs);
    }),
  );
  const at = performance.now();
  await dispatcher.destroy();
  return at;
}

type Clients = Awaited<ReturnType<typeof startClients>>;

interface Parts {
  plane: ControlPlane;
  proxy: ApiProxy;
  clients: Clients;
  say: (line: string) => void;
}

/** Seconds of all rounds, by what was waited for. */
interface Seconds {
  dead: number[];
  halfOpen: number[];
  back: number[];
  well: number[];
  /** Plain watches of the same kinds, since the server was ready. */
  plain: number[];
  afterPlain: number[];
}

async function measure({ plane, proxy, clients, say }: Parts): Promise<Seconds> {
  const seconds: Seconds = { dead: [], halfOpen: [], back: [], well: [], plain: [], afterPlain: [] };
  let lastWatch = 0;
  proxy.onWatch(() => (lastWatch = performance.now()));
  const last = ({ stream, cluster, connection }: Told) => Math.max(stream, cluster, connection);
  const since = (from: number, told: Told) => (last(told) - from) / 1000;
  for (let done = 0; done < rounds; done++) {
    const kinds = proxy.openKinds();
    const stale = clients.turn('STALE');
    const killed = performance.now();
    await plane.stopApiServer('SIGKILL');
    seconds.dead.push(since(killed, await stale));
    const fresh = clients.turn('FRESH');
    const anybody = watchable(plane, kinds);
    await plane.startApiServer();
    const well = performance.now();
    const [told, plain] = await Promise.all([fresh, anybody]);
    seconds.back.push(since(lastWatch, told));
    seconds.well.push(since(well, told));
    seconds.plain.push((plain - well) / 1000);
    seconds.afterPlain.push(since(plain, told));

    // Every watch has been opened anew by then, so that none is down already when all fall silent.
    await sleep(settleMs);
    const silent = clients.turn('STALE');
    const swallowed = performance.now();
    proxy.swallow(true);
    seconds.halfOpen.push(since(swallowed, await silent));
    const again = clients.turn('FRESH');
    proxy.swallow(false);
    const heard = await again;
    seconds.back.push(since(lastWatch, heard));
    // What was swallowed has been given up by then.
    await sleep(settleMs);
    say(`round ${done + 1} of ${rounds}: ${JSON.stringify(seconds)}`);
  }
  return seconds;
}

export async function benchFreshness(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const plane = await startControlPlane({ nodes: [], controllers: false, say });
  const proxy = await startApiProxy(plane);
  const config = join(folder, 'kubeconfig');
  await writeFile(config, kubeconfig(proxy.url, plane.ca, plane.adminToken), { mode: 0o600 });
  const environment = serverEnvironment(join(folder, 'data'), { SLIPWAY_CLUSTER: 'kubeconfig', KUBECONFIG: config });
  const server = await startProcess({ ...environment, SLIPWAY_METRICS_PORT: '0' });
  try {
    const clients = await startClients(server.ready.graphql);
    const { dead, halfOpen, back, well, plain, afterPlain } = await measure({ plane, proxy, clients, say });
    clients.stop();
    const longest = (of: number[]) => `${round(Math.max(...of), 2)} s`;
    const figure = (what: string, of: number[], allowed: string): Figure => ({
      what: `${what}, longest of ${of.length}`,
      ours: longest(of),
      comparedWith: `allowed: ${allowed}`,
    });
    return [
      figure('the API server is killed → STALE in query, connection and stream', dead, '5 s'),
      figure('all watches are half-open → STALE in query, connection and stream', halfOpen, '15 s'),
      figure('the last watch is accepted again → FRESH in query, connection and stream', back, '2 s'),
      figure(
        'the API server is ready again → FRESH',
        well,
        `5 s; a plain watch of each kind by undici: ${longest(plain)}`,
      ),
      figure('plain watches of all kinds are accepted → FRESH', afterPlain, '2 s'),
    ];
  } finally {
    await server.end();
    await proxy.stop();
    await plane.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) report(await benchFreshness());
