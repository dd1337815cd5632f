import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { serverEnvironment, startProcess } from '../../test/commands/process.ts';

/** The whole server as a process of its own, on the embedded cluster, driven over its public interfaces. */
export interface BenchServer extends AsyncDisposable {
  readonly graphql: string;
  readonly kubernetes: string;
  readonly pid: number;
  /** A request to the Kubernetes API. */
  readonly kube: <T = unknown>(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown) => Promise<T>;
  query<T>(query: string, variables?: object): Promise<T>;
  /** Resident memory in bytes. */
  memory(): Promise<number>;
  /** CPU used so far, in ms. */
  cpu(): Promise<number>;
}

/** The tick of the process times in /proc: 100 a second on every Linux. */
const tickMs = 10;

export async function startBenchServer(settings: Record<string, string> = {}): Promise<BenchServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const env = serverEnvironment(dataDir, { SLIPWAY_DEMO: 'false', ...settings });
  const server = await startProcess({ ...env, SLIPWAY_LOG_LEVEL: 'info' });
  const { child, ready } = server;
  const dispatcher = new Agent({ connections: 16 });
  const { pid } = child;
  if (pid === undefined) throw new Error('the server has no pid');
  async function call<T>(url: string, method: 'GET' | 'POST' | 'PATCH' | 'DELETE', body?: unknown): Promise<T> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const response = await request(url, {
      method,
      dispatcher,
      headers: { 'content-type': type, accept: 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const answer = await response.body.json();
    if (response.statusCode >= 300) throw new Error(`${method} ${url}: ${JSON.stringify(answer)}`);
    return answer as T;
  }
  return {
    graphql: ready.graphql,
    kubernetes: ready.kubernetes,
    pid,
    kube: (method, path, body) => call(`${ready.kubernetes}${path}`, method, body),
    async query<T>(query: string, variables?: object) {
      const answer = await call<{ data: T; errors?: unknown }>(ready.graphql, 'POST', { query, variables });
      if (answer.errors) throw new Error(JSON.stringify(answer.errors));
      return answer.data;
    },
    async memory() {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
    },
    async cpu() {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) * tickMs;
    },
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await server.end();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

const deploymentsPath = '/apis/apps/v1/namespaces/default/deployments';

/** Makes runs `run-0`, `run-1`, … that are stopped: nothing has to start. */
export async function makeRuns(server: BenchServer, count: number, from = 0): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `run-${from + index}`);
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) await makeRun(server, name);
    }),
  );
}

async function makeRun(server: BenchServer, name: string): Promise<void> {
  const labels = { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': name };
  await server.kube('POST', deploymentsPath, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'shop:1' }] } },
    },
  });
  await server.kube('POST', '/api/v1/namespaces/default/services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels },
    spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
  });
}

/** Changes what a stopped run says: `resume brings back <nonce>`. */
export function touchRun(server: BenchServer, name: string, nonce: number): Promise<unknown> {
  return server.kube('PATCH', `${deploymentsPath}/${name}`, {
    metadata: { annotations: { 'slipway.dev/replicas': String(nonce) } },
  });
}

export const scaleRun = (server: BenchServer, name: string, replicas: number): Promise<unknown> =>
  server.kube('PATCH', `${deploymentsPath}/${name}`, { spec: { replicas } });

/** Tells each object that a watch of the Deployments gives, as plainly as can be. */
export async function rawWatch(
  server: BenchServer,
  tell: (object: { metadata: { name: string; annotations?: Record<string, string> } }, at: number) => void,
): Promise<() => void> {
  const { metadata } = await server.kube<{ metadata: { resourceVersion: string } }>('GET', deploymentsPath);
  const aborter = new AbortController();
  const url = `${server.kubernetes}${deploymentsPath}?watch=true&resourceVersion=${metadata.resourceVersion}`;
  const response = await request(url, { signal: aborter.signal });
  let rest = '';
  response.body.setEncoding('utf8');
  response.body.on('data', (chunk: string) => {
    const at = performance.now();
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line) tell((JSON.parse(line) as { object: never }).object, at);
  });
  response.body.on('error', () => undefined);
  return () => aborter.abort();
}
