import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findMarked } from '../../src/k8s/embedded/runtime/os-process.ts';
import { openProcessRecords } from '../../src/k8s/embedded/runtime/process-records.ts';
import { markVariable } from '../../src/k8s/embedded/runtime/processes.ts';
import { type ServerProcess, serverEnvironment, startProcess } from '../commands/process.ts';
import { type ApiClient, createApiClient, followHealth } from './client.ts';

/** A data folder with the server on it, and ways to look at what runs. */
export async function createMachine() {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-main-'));
  const dataDir = join(folder, 'data');
  const starts = join(folder, 'starts');
  let server: ServerProcess | undefined;

  const machine = {
    folder,
    dataDir,
    environment: (more: Record<string, string> = {}) =>
      serverEnvironment(dataDir, {
        // A busy machine may take long.
        SLIPWAY_INVOKE_CONNECT_TIMEOUT_MS: '60000',
        SLIPWAY_INVOKE_FIRST_BYTE_TIMEOUT_MS: '60000',
        SLIPWAY_INVOKE_TIMEOUT_MS: '120000',
        ...more,
      }),
    async start(demo = false): Promise<ApiClient> {
      server = await startProcess(machine.environment({ SLIPWAY_DEMO: String(demo) }));
      return createApiClient(server.ready.graphql);
    },
    /** Ends the server with a signal; resolves with its exit code once it is gone. */
    async end(signal: NodeJS.Signals): Promise<number | null> {
      const ended = server;
      server = undefined;
      await ended?.end(signal);
      return ended?.child.exitCode ?? null;
    },
    /** The programs of this data folder that run now: pids of first processes. */
    programs: (): number[] =>
      findMarked(markVariable, `${machine.records().owner}/`)
        .filter(({ leader }) => leader)
        .map(({ pid }) => pid),
    records: () => openProcessRecords(join(dataDir, 'processes')),
    /** The pids of the programs that were started since `forgetStarts`, by their own notes. */
    started: async (): Promise<number[]> => (await readFile(starts, 'utf8')).split('\n').filter(Boolean).map(Number),
    forgetStarts: () => writeFile(starts, ''),
    /** Starts a program as a run; resolves with the run's id once it is well. */
    async run(api: ApiClient, name: string): Promise<string> {
      const healthy = followHealth(api.healthOverWebSocket(), name).until('HEALTHY');
      const { runService } = await api.data<{ runService: { serviceRun: { id: string } } }>(runProgram, {
        input: { name, process: { command: program(starts) }, ports: [{ port: 8080 }], readinessPath: '/ready' },
      });
      await healthy;
      return runService.serviceRun.id;
    },
    call: async (api: ApiClient, id: string, more: Record<string, unknown> = {}): Promise<Invocation> =>
      (await api.data<{ invokeService: { invocation: Invocation } }>(invoke, { input: { id, ...more } })).invokeService
        .invocation,
    async [Symbol.asyncDispose]() {
      await machine.end('SIGKILL');
      for (const pid of machine.programs()) process.kill(-pid, 'SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
  return machine;
}
export type Machine = Awaited<ReturnType<typeof createMachine>>;

export interface Invocation {
  id: string;
  outcome: string;
  request: { method: string };
  response: { status: number; body: string } | null;
}

const runProgram = 'mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } } }';
const invoke = `mutation ($input: InvokeServiceInput!) { invokeService(input: $input) {
  invocation { id outcome request { method } response { status body } }
} }`;

/** Notes its start and answers with what it was asked and who it is. */
function program(starts: string): string[] {
  const source = `require('node:fs').appendFileSync(${JSON.stringify(starts)}, process.pid + '\\n');
    require('node:http').createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ pid: process.pid, method: request.method, url: request.url, body }));
    }).listen(Number(process.env.PORT), process.env.HOST);`;
  return [process.execPath, '-e', source];
}

/** What the program answered. */
export function answered({ response }: Invocation): { pid: number; method: string; url: string; body: string } {
  return JSON.parse(response?.body ?? '{}') as ReturnType<typeof answered>;
}
