import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** A process so named that a reused pid is told from it. */
export interface ProcessIdentity {
  pid: number;
  /** When it began, in the system's own terms; equal only for the same process of the same boot. */
  startTime: string;
}

/** A process that carries an environment variable. */
export interface MarkedProcess extends ProcessIdentity {
  value: string;
  /** The first process of its session. */
  leader: boolean;
}

const hasProc = existsSync('/proc/self/stat');

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Gone, or another user's.
    return undefined;
  }
}

let boot: string | undefined;
function bootId(): string {
  boot ??= readText('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
  return boot;
}

interface Stat {
  state: string;
  session: number;
  startTime: string;
}

function stat(pid: number): Stat | undefined {
  const text = readText(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The second field is the program's name in parentheses, and may itself hold blanks and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', session: Number(fields[3]), startTime: `${bootId()}/${fields[19]}` };
}

function ps(...args: string[]): string {
  try {
    return execFileSync('ps', args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
    });
  } catch {
    // ps fails when no process matches.
    return '';
  }
}

/** When a process began; undefined when there is none, or only what is left of it until its parent looks. */
export function startTimeOf(pid: number): string | undefined {
  if (!hasProc) {
    const [state, ...began] = ps('-o', 'state=,lstart=', '-p', String(pid)).trim().split(/\s+/);
    return !state || state.startsWith('Z') ? undefined : began.join(' ');
  }
  const found = stat(pid);
  return !found || found.state === 'Z' || found.state === 'X' ? undefined : found.startTime;
}

/** True if this very process still runs. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  return startTimeOf(pid) === startTime;
}

function environmentValue(pid: number, name: string): string | undefined {
  const prefix = `${name}=`;
  const found = readText(`/proc/${pid}/environ`)
    ?.split('\0')
    .find((entry) => entry.startsWith(prefix));
  return found?.slice(prefix.length);
}

/** All pids of the system, where /proc tells. */
export function allPids(): number[] {
  if (!hasProc) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The living processes whose environment has `name` with a value that begins with `prefix`. */
export function findMarked(name: string, prefix: string): MarkedProcess[] {
  if (!hasProc) return findMarkedByPs(name, prefix);
  return allPids().flatMap((pid) => {
    const value = environmentValue(pid, name);
    if (!value?.startsWith(prefix)) return [];
    const found = stat(pid);
    if (!found || found.state === 'Z' || found.state === 'X') return [];
    return [{ pid, startTime: found.startTime, value, leader: found.session === pid }];
  });
}

function findMarkedByPs(name: string, prefix: string): MarkedProcess[] {
  return ps('-axwwE', '-o', 'pid=,pgid=,command=')
    .split('\n')
    .flatMap((line) => {
      const [, pid, group] = /^\s*(\d+)\s+(\d+)\s/.exec(line) ?? [];
      const value = line
        .split(' ')
        .find((word) => word.startsWith(`${name}=${prefix}`))
        ?.slice(name.length + 1);
      const startTime = pid === undefined || value === undefined ? undefined : startTimeOf(Number(pid));
      if (value === undefined || startTime === undefined) return [];
      return [{ pid: Number(pid), startTime, value, leader: pid === group }];
    });
}

/** Sends a signal to exactly this process, or to its group; false when it is gone. Never reaches a reused pid. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals, group = false): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(group ? -identity.pid : identity.pid, signal);
  } catch {
    // It ended in this very moment.
    return false;
  }
}

/** Resident memory of a process in bytes; 0 when it is gone or the system doesn't tell. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readText(`/proc/${pid}/status`) ?? '')?.[1];
  return Number(kilobytes ?? 0) * 1024;
}
