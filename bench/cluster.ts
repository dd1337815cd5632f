// Slipway on a real control plane with 10,000 runs: how soon it is synced, how much memory it takes, what queries ask of the cluster.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { type ControlPlane, startControlPlane } from '../test/cluster/control-plane/index.ts';
import { fill } from './cluster/fill.ts';
import type { Report } from './cluster/server.ts';
import { type Figure, ms, report, scaled } from './rig/figures.ts';

const runs = scaled(10_000);
const queries = 1_000;

const say = (line: string) => void process.stderr.write(`${line}\n`);

const list = `{ serviceRuns(first: 50, filter: { project: ["project-7"], health: [HEALTHY] }) {
  totalCount nodes { id name namespace project function status { health message reasons { code } service { url } } } } }`;
const first = '{ serviceRuns(first: 1) { totalCount nodes { id status { health } } } }';
const detail = `query ($id: ID!) { serviceRun(by: { id: $id }) { name labels { key value } spec { image args env { name value } }
  status { state health message reasons { code message hint } replicas { ready } service { url urls { url } aliases } }
  pods { name phase ready containers { name image state } } gateways { name } manifests } }`;

interface Answer {
  data?: { serviceRuns?: { totalCount: number; nodes: { id: string; status: { health: string } }[] } };
  errors?: unknown;
}

/** Between the phases more time passes than connections are kept for. */
const dispatcher = new Agent({ pipelining: 0 });

async function query(url: string, document: string, variables: object = {}): Promise<Answer> {
  const { body } = await request(`${url}/graphql`, {
    dispatcher,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: document, variables }),
  });
  const answer = (await body.json()) as Answer;
  if (answer.errors) throw new Error(JSON.stringify(answer.errors));
  return answer;
}

async function isReady(url: string): Promise<boolean> {
  const { statusCode, body } = await request(`${url}/readyz`, { dispatcher });
  await body.dump();
  return statusCode === 200;
}

async function reportOf(child: ChildProcess): Promise<Report> {
  const answered = once(child, 'message') as Promise<[Report]>;
  child.send('report');
  return (await answered)[0];
}

/** When the server is ready and knows all runs, all of them well. */
async function untilSynced(url: string): Promise<void> {
  for (;;) {
    if (await isReady(url)) {
      const { data } = await query(
        url,
        '{ serviceRuns(first: 1, filter: { health: [HEALTHY] }) { totalCount nodes { id status { health } } } }',
      );
      if (data?.serviceRuns?.totalCount === runs) return;
    }
    await sleep(20);
  }
}

async function ask(url: string): Promise<number> {
  const ids: string[] = [];
  for (let page = 0; page < 10; page++) {
    const { data } = await query(url, list.replace('project-7', `project-${page}`));
    ids.push(...(data?.serviceRuns?.nodes ?? []).map(({ id }) => id));
  }
  const began = performance.now();
  for (let n = 0; n < queries; n++) {
    if (n % 2 === 0) await query(url, list.replace('project-7', `project-${n % 50}`));
    else await query(url, detail, { id: ids[n % ids.length] });
  }
  return (performance.now() - began) / queries;
}

async function startServer(plane: ControlPlane, dataDir: string): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'cluster/server.ts'), [plane.kubeconfig, dataDir], {
    // As the image starts it; `npm start` has the same, without what is said to malloc.
    execArgv: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=8'],
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: join(dataDir, 'compiled'),
      MALLOC_ARENA_MAX: '1',
      MALLOC_MMAP_THRESHOLD_: '32768',
      MALLOC_TRIM_THRESHOLD_: '65536',
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(child, 'message');
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.disconnect();
  await ended;
}

async function measure(plane: ControlPlane, dataDir: string): Promise<Figure[]> {
  const began = performance.now();
  const child = await startServer(plane, dataDir);
  const started = performance.now();
  const { url } = await reportOf(child);
  await untilSynced(url);
  const synced = performance.now();
  const before = await reportOf(child);
  say(JSON.stringify(before));
  await query(url, first);
  const upstreamBefore = (await reportOf(child)).upstream;
  const each = await ask(url);
  const after = await reportOf(child);
  await sleep(30_000);
  const later = await reportOf(child);
  await end(child);
  const figure = (what: string, ours: string, comparedWith?: string): Figure => ({
    ...{ what: `${runs} runs: ${what}`, ours },
    ...(comparedWith && { comparedWith }),
  });
  return [
    figure('from the start of the process to synced', ms(synced - began), 'allowed: 10000 ms'),
    figure('of that for the caches', ms(synced - started)),
    figure('CPU until then', ms(before.cpuSeconds * 1000)),
    figure('resident memory when synced', `${before.rssMiB} MiB`, 'allowed: 450 MiB'),
    figure('resident memory after 1,000 queries', `${after.rssMiB} MiB`, 'allowed: 450 MiB'),
    figure('the most resident memory until then', `${later.peakMiB} MiB`),
    figure('resident memory half a minute later', `${later.rssMiB} MiB`, 'allowed: 450 MiB'),
    figure('heap then', `${later.heapMiB} MiB`),
    figure('time for each query', ms(each)),
    figure('requests to the cluster by 1,000 queries', `${after.upstream - upstreamBefore}`, '0'),
  ];
}

export async function benchCluster(): Promise<Figure[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const plane = await startControlPlane({ nodes: [], controllers: false, say });
  try {
    // What one start has compiled, the next need not: as with the program in bin/.
    await end(await startServer(plane, dataDir));
    const began = performance.now();
    await fill(plane, runs);
    say(`made in ${ms(performance.now() - began)}`);
    return await measure(plane, dataDir);
  } finally {
    await plane.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

if (import.meta.main) report(await benchCluster());
