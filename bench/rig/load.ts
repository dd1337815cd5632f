// Load on one process, and what that costs it. On Linux.
import { readFileSync } from 'node:fs';
import type { Pool } from 'undici';

/** What is asked of a process again and again. */
export interface Target {
  pid: number;
  pool: Pool;
  path: string;
  /** null: GET. */
  body: string | null;
  isRight: (text: string) => boolean;
}

/** One request; how many ms it took. */
export async function ask({ pool, path, body, isRight }: Target): Promise<number> {
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

export interface Load {
  perSecond: number;
  cpuMicros: number;
  times: number[];
}

/** Keeps `workers` requests under way for `ms`. */
export async function load(target: Target, workers: number, ms: number): Promise<Load> {
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

export function share(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
export const median = (values: readonly number[]): number => share(values, 0.5);
