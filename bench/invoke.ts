// What a call through the mediator costs, with its history, beside a bare reverse proxy to the same service and the least
// that any server with a history does, and what any GraphQL request does; how long a list of 10,000 calls takes, and any list while 200 services are stuck. On Linux.
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
import { serveLeast } from './rig/least.ts';
import { type Figure, ms, report, round, scaled, times as ratio } from './rig/figures.ts';

const seconds = Number(process.env['SECONDS'] ?? 4);
const rounds = Number(process.env['ROUNDS'] ?? 5);
const connections = 32;
const listed = scaled(10_000);
const stuck = scaled(200);

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
      if (value === undefined) return;
      // A line for each call is to come: what reads them would take its time from what is measured.
      lines.close();
      from.stdout?.resume();
      resolve(value);
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
  bare: Target;
  least: Target;
  slipway: Target;
  /** Queries that ask for next to nothing, and for a list of one run. */
  trivial: Target;
  list: Target;
}

async function world<T>(use: (world: World) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const file = fileURLToPath(import.meta.url);
  // As `npm start` does.
  const server = child(['--max-semi-space-size=8', fileURLToPath(new URL('../bin/slipway.mjs', import.meta.url))], {
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
    const least = child([file, 'least', address, join(folder, 'least.db')]);
    children.push(least);
    const leastUrl = await line(least, (text) => text);
    const body = JSON.stringify({ query: invokeService, variables: { input: { id } } });
    const isRight = (text: string) => text.includes('"outcome":"COMPLETED"');
    const query = (text: string): Target => ({
      pid: server.pid ?? 0,
      pool: pool(url),
      path: '/graphql',
      body: JSON.stringify({ query: text }),
      isRight: (answered) => answered.startsWith('{"data":{"'),
    });
    return await use({
      url,
      id,
      trivial: query('{ viewer { name } }'),
      list: query(serviceRuns),
      bare: { pid: bare.pid ?? 0, pool: pool(bareUrl), path: '/', body: null, isRight: (text) => text === answer },
      least: { pid: least.pid ?? 0, pool: pool(leastUrl), path: '/', body, isRight },
      slipway: { pid: server.pid ?? 0, pool: pool(url), path: '/graphql', body, isRight },
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

const measured = ['bare', 'least', 'slipway', 'trivial', 'list'] as const;
/** One of them in each round. */
interface Rounds {
  many: Load[];
  aloneMs: number[];
}
type Measured = Record<(typeof measured)[number], Rounds>;

/** All of them by turns: what else the machine does is in each of them alike. */
async function measure(world: World): Promise<Measured> {
  const none = (): Rounds => ({ many: [], aloneMs: [] });
  const found: Measured = { bare: none(), least: none(), slipway: none(), trivial: none(), list: none() };
  for (const name of measured) await load(world[name], connections, 2000);
  for (let n = 0; n < rounds; n++) {
    for (const name of measured) {
      found[name].many.push(await load(world[name], connections, seconds * 1000));
      found[name].aloneMs.push(median((await load(world[name], 1, 1000)).times));
    }
  }
  return found;
}

/** What a target costs beside another: medians, and the median of the rounds' own ratios. */
function compare(what: string, ours: Rounds, other: string, theirs: Rounds): Figure[] {
  const figure = (how: string, of: (round: Load) => number, shown: (value: number) => string): Figure => {
    const [own, its] = [ours.many.map(of), theirs.many.map(of)];
    const ratios = own.map((value, index) => value / (its[index] ?? Number.NaN));
    return {
      what: `${what}, ${how}`,
      ours: shown(median(own)),
      comparedWith: `${other}: ${shown(median(its))}`,
      ratio: ratio(median(ratios), 1),
    };
  };
  const [own, its] = [median(ours.aloneMs), median(theirs.aloneMs)];
  return [
    figure(
      `${connections} at once`,
      ({ perSecond }) => perSecond,
      (value) => `${Math.round(value)}/s`,
    ),
    figure(
      'CPU of the process',
      ({ cpuMicros }) => cpuMicros,
      (value) => `${Math.round(value)} µs`,
    ),
    {
      what: `${what}, one at a time, median`,
      ours: `${round(own, 2)} ms`,
      comparedWith: `${other}: ${round(its, 2)} ms`,
      ratio: `${round(own - its, 2)} ms more`,
    },
  ];
}

/** A list of so many calls, page after page. */
async function listing({ url, slipway }: World): Promise<Figure[]> {
  await graphql(url, 'mutation ($until: DateTime!) { deleteInvocations(input: { olderThan: $until }) { deleted } }', {
    until: new Date().toISOString(),
  });
  let left = listed;
  const worker = async () => {
    while (left-- > 0) await ask(slipway);
  };
  await Promise.all(Array.from({ length: connections }, worker));
  const times: number[] = [];
  let after: string | null = null;
  for (let n = 0; n < 300; n++) {
    const started = performance.now();
    const page: { invocations: { pageInfo: { endCursor: string } } } = await graphql(url, invocations, { after });
    times.push(performance.now() - started);
    after = n % 100 === 99 ? null : page.invocations.pageInfo.endCursor;
  }
  const what = `a page of 50 of a history of ${listed} calls`;
  return [
    { what: `${what}, median`, ours: ms(median(times)) },
    { what: `${what}, p95`, ours: ms(share(times, 0.95)) },
  ];
}

/** A list of runs while services are stuck. */
async function whileStuck({ url, id }: World): Promise<Figure[]> {
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
  const what = `a list of runs beside ${stuck} stuck calls`;
  return [
    { what: `${what}, median`, ours: ms(median(times)) },
    { what: `${what}, p99`, ours: ms(share(times, 0.99)), comparedWith: 'allowed: 100 ms' },
  ];
}

export async function benchInvoke(): Promise<Figure[]> {
  return world(async (ready) => {
    const { bare, least, slipway, trivial, list } = await measure(ready);
    const what = 'invokeService with its history, 4 KiB answer';
    return [
      ...compare(what, slipway, 'bare proxy', bare),
      ...compare(what, slipway, 'least server with a history', least),
      ...compare('the least server with a history', least, 'bare proxy', bare),
      ...compare('a query of one field', trivial, 'bare proxy', bare),
      ...compare('a list of one run', list, 'bare proxy', bare),
      ...(await listing(ready)),
      ...(await whileStuck(ready)),
    ];
  });
}

if (import.meta.main) {
  const [, , role, origin = '', file = ''] = process.argv;
  if (role === 'proxy') await proxy(origin);
  else if (role === 'least') await serveLeast(origin, file);
  else report(await benchInvoke());
}
