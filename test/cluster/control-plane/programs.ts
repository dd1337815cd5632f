import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** A program of the control plane while it runs. */
export interface Program {
  readonly name: string;
  readonly pid: number;
  /** Asks `ready` until it says yes; rejects with the end of the log when the program ends or the time is over. */
  until(ready: () => Promise<boolean>, seconds: number): Promise<void>;
  /** @default SIGTERM, and SIGKILL when that takes too long */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Longer than kube-apiserver waits for its open watches. */
const stopMs = 15_000;

export async function startProgram(name: string, path: string, args: string[], logFile: string): Promise<Program> {
  const log = await open(logFile, 'a');
  const child = spawn(path, args, { stdio: ['ignore', log.fd, log.fd], env: { PATH: process.env.PATH ?? '' } });
  await once(child, 'spawn');
  await log.close();
  const tail = async () => (await readFile(logFile, 'utf8')).split('\n').slice(-15).join('\n');
  return {
    name,
    pid: child.pid ?? 0,
    async until(ready, seconds) {
      const deadline = Date.now() + seconds * 1000;
      while (!(await ready().catch(() => false))) {
        if (hasEnded(child)) throw new Error(`${name} ended: ${await tail()}`);
        if (Date.now() > deadline) throw new Error(`${name} is not ready after ${seconds} s: ${await tail()}`);
        // Nothing tells when a program of somebody else's is ready: it must be asked.
        await delay(100);
      }
    },
    async stop(signal = 'SIGTERM') {
      if (hasEnded(child)) return;
      const ended = once(child, 'exit');
      child.kill(signal);
      const killer = setTimeout(() => child.kill('SIGKILL'), stopMs);
      await ended;
      clearTimeout(killer);
    },
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
