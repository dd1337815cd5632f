import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import type { Target } from './load.ts';

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

export const invokeService = `mutation ($input: InvokeServiceInput!) { invokeService(input: $input) {
  invocation { id outcome response { status headers { name value } body } timings { totalMs } }
} }`;
export const serviceRuns = '{ serviceRuns { totalCount nodes { id name status { state health } } } }';

const other = fileURLToPath(new URL('./serve.ts', import.meta.url));

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

export async function graphql<T>(url: string, query: string, variables: object = {}): Promise<T> {
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

/** A Slipway server, a service that it runs, and the others that call it. */
export interface World {
  url: string;
  id: string;
  bare: Target;
  least: Target;
  slipway: Target;
  /** Queries that ask for next to nothing, and for a list of one run. */
  trivial: Target;
  list: Target;
}

/** Starts all of them. `connections`: as many as each is asked over. */
export async function world<T>(connections: number, use: (world: World) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  // As `npm start` does.
  const server = child(['--max-semi-space-size=8', fileURLToPath(new URL('../../bin/slipway.mjs', import.meta.url))], {
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
    const bare = child([other, 'bare', address]);
    children.push(bare);
    const bareUrl = await line(bare, (text) => text);
    const least = child([other, 'least', address, join(folder, 'least.db')]);
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
