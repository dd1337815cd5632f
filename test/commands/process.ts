import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface Endpoints {
  graphql: string;
  kubernetes: string;
  gateway: string;
  metrics: string | null;
}

export interface ServerProcess extends AsyncDisposable {
  child: ChildProcess;
  /** The addresses of the ready line. */
  ready: Endpoints;
  /** Resolves with its exit code. */
  readonly ended: Promise<number | null>;
  /** Ends it with a signal and waits. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** The environment of a server under test: free ports, its own data folder, nothing inherited but PATH. */
export function serverEnvironment(dataDir: string, extra: Record<string, string> = {}): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    SLIPWAY_DATA_DIR: dataDir,
    SLIPWAY_PORT: '0',
    SLIPWAY_EMBEDDED_API_PORT: '0',
    SLIPWAY_GATEWAY_PORT: '0',
    ...extra,
  };
}

/** What one start has compiled, the next need not: as with the program in bin/. */
const compiled = { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') };

/** Runs `slipway …` to its end. */
export function runCommand(args: string[], env: Record<string, string>, cwd = process.cwd()): Promise<CommandResult> {
  return resultOf(
    spawn(process.execPath, [main, ...args], {
      env: { ...compiled, ...env },
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
}

/** What a program that has just been started says until it ends. */
export async function resultOf(child: Child): Promise<CommandResult> {
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

/** Starts the server as a process of its own and waits for its ready line. */
export function startProcess(env: Record<string, string>, cwd = process.cwd(), program = main): Promise<ServerProcess> {
  const child = spawn(process.execPath, [program], {
    env: { ...compiled, ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return readyServer(child);
}

/** Waits for the ready line of a server that has just been started, here or in a container. */
export async function readyServer(child: Child): Promise<ServerProcess> {
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const exited = once(child, 'close');
  const ready = new Promise<Endpoints>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const entry = JSON.parse(line) as Endpoints & { msg?: string };
      if (entry.msg === 'ready') resolve(entry);
    });
  });
  const failed = exited.then(([code]) =>
    Promise.reject(new Error(`ended with ${code} before it was ready: ${stderr}`)),
  );
  failed.catch(() => undefined); // only of interest until it is ready
  return {
    child,
    ready: await Promise.race([ready, failed]),
    ended: exited.then(([code]) => code as number | null),
    async end(signal = 'SIGTERM') {
      child.kill(signal);
      await exited;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill();
      await exited;
    },
  };
}
