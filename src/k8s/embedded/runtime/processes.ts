import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../../clock.ts';
import { type Exit, type Instance, StartError } from './instance.ts';
import { findMarked, isAlive, type ProcessIdentity, signalProcess, startTimeOf } from './os-process.ts';
import type { ProcessRecord, ProcessRecords } from './process-records.ts';

/** In the environment of every program: whose it is. */
export const markVariable = 'SLIPWAY_CONTAINER_ID';
export const podVariable = 'SLIPWAY_POD_UID';

export interface ProgramSpec {
  podUid: string;
  container: string;
  run: number;
  command: readonly string[];
  env: Readonly<Record<string, string>>;
  cwd: string | undefined;
  logPath: string;
}

/** A program of an earlier server, by its record. */
export interface Recovered {
  record: ProcessRecord;
  /** Absent when it ended while no server looked. */
  instance?: Instance;
}

/** Starts local programs so that none is ever lost: not by a crash of this server, not between start and record. */
export interface Processes {
  /** Rejects with a StartError when there is no such program. */
  start(spec: ProgramSpec): Promise<Instance>;
  /** Once, before any start: what earlier servers left. Programs that no record knows are ended here. */
  recover(): Recovered[];
  /** The environment that marks a program as part of the instance. */
  marks(podUid: string, id: string): Record<string, string>;
}

/** How often a program that is not our child is looked at. */
const pollMs = 500;

function exitOf(code: number | null, signal: NodeJS.Signals | null): Exit {
  if (signal === null) return { code: code ?? 255 };
  return { code: 128 + (constants.signals[signal] ?? 0), message: `ended by ${signal}` };
}

function startFailure(program: string, error: NodeJS.ErrnoException): StartError {
  if (error.code === 'ENOENT') {
    const where = program.includes('/') ? 'no such file' : 'not found in PATH';
    return new StartError(`cannot start "${program}": ${where}`);
  }
  if (error.code === 'EACCES') return new StartError(`cannot start "${program}": it is not an executable file`);
  return new StartError(`cannot start "${program}": ${error.message}`);
}

export function createProcesses({ records, clock }: { records: ProcessRecords; clock: Clock }): Processes {
  const markOf = (id: string) => `${records.owner}/${id}`;

  function marks(podUid: string, id: string): Record<string, string> {
    return { [podVariable]: podUid, [markVariable]: markOf(id) };
  }

  function members(id: string): ProcessIdentity[] {
    return findMarked(markVariable, markOf(id));
  }

  function instanceOf(record: ProcessRecord, identity: ProcessIdentity, exit: Promise<Exit>): Instance {
    const ended = exit.then(async (result) => {
      // What the program left running ends with it, as in a container; its ports are free only when it is gone.
      const left = members(record.id);
      for (const member of left) signalProcess(member, 'SIGKILL');
      await gone(left);
      records.remove(record.id);
      return result;
    });
    return {
      id: record.id,
      startedAt: record.startedAt,
      ended,
      terminate: () => void signalProcess(identity, 'SIGTERM', true),
      kill: () => void signalProcess(identity, 'SIGKILL', true),
      pids: () => [...new Set([identity.pid, ...members(record.id).map(({ pid }) => pid)])],
    };
  }

  /** Not our child, so its exit code is lost: it is looked at until it is gone. */
  function watchUntilGone(identity: ProcessIdentity): Promise<Exit> {
    return new Promise((resolve) => {
      const look = () => {
        if (isAlive(identity)) clock.after(pollMs, look);
        else resolve(unknownExit());
      };
      look();
    });
  }

  async function start(spec: ProgramSpec): Promise<Instance> {
    const { podUid, container, run } = spec;
    const record: ProcessRecord = { id: randomUUID(), podUid, container, run, startedAt: clock.now() };
    records.write(record);
    try {
      const child = await spawnProgram(spec, marks(podUid, record.id));
      const exit = new Promise<Exit>((resolve) => {
        child.once('exit', (code, signal) => resolve(exitOf(code, signal)));
      });
      const pid = child.pid ?? 0;
      const identity = { pid, startTime: startTimeOf(pid) ?? '' };
      records.write({ ...record, process: identity });
      return instanceOf(record, identity, exit);
    } catch (error) {
      records.remove(record.id);
      throw error;
    }
  }

  function recover(): Recovered[] {
    const marked = findMarked(markVariable, `${records.owner}/`);
    const recovered = records.all().map((record): Recovered => {
      const leader = marked.find((candidate) => candidate.leader && candidate.value === markOf(record.id));
      const identity = record.process ?? (leader && { pid: leader.pid, startTime: leader.startTime });
      if (!identity || !isAlive(identity)) return { record };
      records.write({ ...record, process: identity });
      return { record, instance: instanceOf(record, identity, watchUntilGone(identity)) };
    });
    const kept = new Set(recovered.flatMap(({ record, instance }) => (instance ? [markOf(record.id)] : [])));
    for (const left of marked) if (!kept.has(left.value)) signalProcess(left, 'SIGKILL');
    for (const { record, instance } of recovered) if (!instance) records.remove(record.id);
    return recovered;
  }

  return { start, recover, marks };
}

/** Killed processes need a moment; one that hangs in the kernel is not waited for. */
async function gone(processes: readonly ProcessIdentity[]): Promise<void> {
  for (let looks = 0; looks < 200 && processes.some(isAlive); looks += 1) await sleep(5);
}

/** What is shown for a run whose end nobody saw, in the words of the container runtimes. */
export function unknownExit(): Exit {
  return { code: 255, reason: 'Unknown', message: 'ended while the server that started it was not running' };
}

async function spawnProgram(spec: ProgramSpec, marks: Record<string, string>): Promise<ChildProcess> {
  const [program = '', ...args] = spec.command;
  // The program writes to the file itself: a pipe would break with this server.
  const output = openSync(spec.logPath, 'a');
  try {
    const child = spawn(program, args, {
      env: { ...spec.env, ...marks },
      ...(spec.cwd !== undefined && { cwd: spec.cwd }),
      detached: true,
      stdio: ['ignore', output, output],
    });
    const failed = new Promise<never>((_resolve, reject) => {
      child.once('error', (error) => reject(startFailure(program, error)));
    });
    if (child.pid === undefined) return await failed;
    failed.catch(() => {});
    // Its end is waited for where that matters; it never keeps this process alive by itself.
    child.unref();
    return child;
  } catch (error) {
    throw error instanceof StartError ? error : startFailure(program, error as NodeJS.ErrnoException);
  } finally {
    closeSync(output);
  }
}
