// What a call through the mediator costs, with its history, beside a bare reverse proxy to the same service; how long a
// list of 10,000 calls takes, and any list while 200 services are stuck. On Linux.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Agent, Pool } from 'undici';

const seconds = Number(process.env['SECONDS'] ?? 4);
const rounds = Number(process.env['ROUNDS'] ?? 5);
const connections = 32;
const listed = 10_000;
const stuck = 200;

/** 4 KiB of JSON. */
const answer = JSON.stringify({ values: Array.from({ length: 584 }, (_, i) => 100_000 + i) });

const service = `
  const body = ${JSON.stringify(answer)};
  require('node:http').createServer((request, response) => {
    request.resume();
    if (request.url === '/stuck') return;
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
    response.end(body);
  }).listen(Number(process.env.PORT), process.env.HOST);`;

const invokeService = `mutation ($input: InvokeServiceInput!) { invokeService(input: $input) {
  invocation { id outcome response { status headers { name value } body } timings { totalMs } }
} }`;
const invocations = `query ($after: String) { invocations(first: 50, after: $after) {
  totalCount pageInfo { hasNextPage endCursor } nodes { id outcome startedAt request { method url } response { status } }
} }`;
const serviceRuns = '{ serviceRuns { totalCount nodes { id name status { state health } } } }';

interface Target {
  pid: number;
  pool: Pool;
  path: string;
  /** null: GET. */
  body: string | null;
  isRight: (text: string) => boolean;
}

/** One request; how many ms it took. */
async function ask({ pool, path, body, isRight }: Target): Promise<number> {
  const started = performance.now();
  const response = await pool.request({
    method: body === null ? 'GET' : 'POST',
    path,
    headers: body === null ? {} : { 'content-type': 'application/json' },
    body,
  });
  const text = await response.body.text();
  if (response.statusCode === 200 && isRight(text)) return performance.now() - started;
  throw new Error(`${response.statusCode} ${text.slice(0, 300)}`);
}

/** What a process and its threads have used. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

interface Load {
  perSecond: number;
  cpuMicros: number;
  times: number[];
}

/** Keeps `workers` requests under way for `ms`. */
async function load(target: Target, workers: number, ms: number): Promise<Load> {
  const times: number[] = [];
  const [started, cpu] = [performance.now(), cpuMs(target.pid)];
  const end = started + ms;
  const worker = async () => {
    while (performance.now() < end) times.push(await ask(target));
  };
  await Promise.all(Array.from({ length: workers }, worker));
  const perSecond = times.length / ((performance.now() - started) / 1000);
  return { perSecond, cpuMicros: ((cpuMs(target.pid) - cpu) * 1000) / times.length, times };
}

function share(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
const median = (values: readonly number[]): number => share(values, 0.5);
const round = (value: number): number => Math.round(value * 100) / 100;

/** Serves what it gets from the service and does nothing else. */
async function proxy(origin: string): Promise<void> {
  const agent = new Agent({ connections: 128 });
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    agent.request({ origin, path, method: 'GET' }).then(
      ({ statusCode, headers, body }) => {
        response.writeHead(statusCode, headers as Record<string, string>);
        body.pipe(response);
      },
      () => response.destroy(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
}

function child(args: string[], environment: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** The first line of which `found` makes something. */
async function line<T>(from: ChildProcess, found: (text: string) => T | undefined): Promise<T> {
  if (!from.stdout) throw new Error('no output');
  const lines = createInterface({ input: from.stdout });
  return new Promise((resolve, reject) => {
    from.once('exit', () => reject(new Error('The program ended.')));
    lines.on('line', (text) => {
      const value = found(text);
      if (value !== undefined) resolve(value);
    });
  });
}

async function graphql<T>(url: string, query: string, variables: object = {}): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: T; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

/** Starts the service on a Slipway server and waits until it is well. */
async function startService(url: string): Promise<{ id: string; address: string }> {
  const input = {
    name: 'bench',
    ports: [{ port: 8000 }],
    process: { command: [process.execPath, '-e', service] },
    readinessPath: '/',
  };
  const { runService } = await graphql<{ runService: { serviceRun: { id: string } } }>(
    url,
    'mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } } }',
    { input },
  );
  const { id } = runService.serviceRun;
  for (;;) {
    const { serviceRun } = await graphql<{ serviceRun: { status: { health: string }; pods: { ip: string }[] } }>(
      url,
      'query ($id: ID!) { serviceRun(by: { id: $id }) { status { health } pods { ip } } }',
      { id },
    );
    if (serviceRun.status.health === 'HEALTHY') return { id, address: `http://${serviceRun.pods[0]?.ip}:8000` };
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

interface World {
  url: string;
  id: string;
  slipway: Target;
  bare: Target;
}

async function world<T>(use: (world: World) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const file = fileURLToPath(import.meta.url);
  const server = child([fileURLToPath(new URL('../src/main.ts', import.meta.url))], {
    SLIPWAY_PORT: '0',
    SLIPWAY_EMBEDDED_API_PORT: '0',
    SLIPWAY_GATEWAY_PORT: '0',
    SLIPWAY_DATA_DIR: folder,
    SLIPWAY_DEMO: 'false',
    SLIPWAY_INVOKE_MAX_CALLS: '256',
    SLIPWAY_INVOKE_HISTORY_URL: process.env['HISTORY_URL'] ?? 'sqlite:history.db',
    SLIPWAY_INVOKE_HISTORY_PER_CALLER: '1000000',
  });
  const children = [server];
  const pools: Pool[] = [];
  const pool = (url: string) => {
    const made = new Pool(new URL(url).origin, { connections });
    pools.push(made);
    return made;
  };
  try {
    const url = await line(server, (text) => (JSON.parse(text) as { graphql?: string }).graphql);
    const { id, address } = await startService(url);
    const bare = child([file, 'proxy', address]);
    children.push(bare);
    const bareUrl = await line(bare, (text) => text);
    return await use({
      url,
      id,
      bare: { pid: bare.pid ?? 0, pool: pool(bareUrl), path: '/', body: null, isRight: (text) => text === answer },
      slipway: {
        pid: server.pid ?? 0,
        pool: pool(url),
        path: '/graphql',
        body: JSON.stringify({ query: invokeService, variables: { input: { id } } }),
        isRight: (text) => text.includes('"outcome":"COMPLETED"'),
      },
    });
  } finally {
    await Promise.all(pools.map((each) => each.destroy()));
    for (const each of children) {
      const ended = once(each, 'exit');
      each.kill('SIGTERM');
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  }
}

/** Slipway beside the bare proxy, by turns. */
async function compare({ bare, slipway }: World) {
  const targets = { bare, slipway };
  const many = { bare: [] as Load[], slipway: [] as Load[] };
  const alone = { bare: [] as number[], slipway: [] as number[] };
  for (const target of Object.values(targets)) await load(target, connections, 2000);
  for (let n = 0; n < rounds; n++) {
    for (const name of ['bare', 'slipway'] as const) {
      many[name].push(await load(targets[name], connections, seconds * 1000));
      alone[name].push(median((await load(targets[name], 1, 1000)).times));
    }
  }
  const row = (name: 'bare' | 'slipway') => ({
    'requests/s': Math.round(median(many[name].map(({ perSecond }) => perSecond))),
    'p50 ms alone': round(median(alone[name])),
    'CPU µs': Math.round(median(many[name].map(({ cpuMicros }) => cpuMicros))),
  });
  const [bareRow, slipwayRow] = [row('bare'), row('slipway')];
  return {
    'bare undici proxy': bareRow,
    'invokeService, history on': slipwayRow,
    'ratio, difference': {
      'requests/s': round(slipwayRow['requests/s'] / bareRow['requests/s']),
      'p50 ms alone': round(slipwayRow['p50 ms alone'] - bareRow['p50 ms alone']),
      'CPU µs': slipwayRow['CPU µs'] - bareRow['CPU µs'],
    },
  };
}

/** A list of at least 10,000 calls, page after page. */
async function listing({ url, slipway }: World) {
  const count = async () =>
    (await graphql<{ invocations: { totalCount: number } }>(url, invocations)).invocations.totalCount;
  while ((await count()) < listed) await load(slipway, connections, 1000);
  const times: number[] = [];
  let after: string | null = null;
  for (let n = 0; n < 300; n++) {
    const started = performance.now();
    const page: { invocations: { pageInfo: { endCursor: string } } } = await graphql(url, invocations, { after });
    times.push(performance.now() - started);
    after = n % 100 === 99 ? null : page.invocations.pageInfo.endCursor;
  }
  return { entries: await count(), 'p50 ms': round(median(times)), 'p95 ms': round(share(times, 0.95)) };
}

/** A list of runs while services are stuck. */
async function whileStuck({ url, id }: World) {
  const aborter = new AbortController();
  const body = JSON.stringify({ query: invokeService, variables: { input: { id, path: '/stuck' } } });
  const headers = { 'content-type': 'application/json' };
  const calls = Array.from({ length: stuck }, () =>
    fetch(url, { method: 'POST', headers, body, signal: aborter.signal }).catch(() => null),
  );
  const times: number[] = [];
  for (let n = 0; n < 300; n++) {
    const started = performance.now();
    await graphql(url, serviceRuns);
    times.push(performance.now() - started);
  }
  aborter.abort();
  await Promise.all(calls);
  return { 'stuck calls': stuck, 'p50 ms': round(median(times)), 'p99 ms': round(share(times, 0.99)) };
}

export async function benchInvoke() {
  return world(async (ready) => ({
    cost: await compare(ready),
    lists: { 'history of 10,000 calls': await listing(ready), 'runs beside stuck calls': await whileStuck(ready) },
  }));
}

if (import.meta.main) {
  if (process.argv[2] === 'proxy') await proxy(process.argv[3] ?? '');
  else for (const table of Object.values(await benchInvoke())) console.table(table); // oxlint-disable-line no-console -- tables are what it is for
}
