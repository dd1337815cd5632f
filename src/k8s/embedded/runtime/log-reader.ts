import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { type LogFile, readArrivals, timeAt } from './log-file.ts';

export interface ReadOptions {
  tailLines?: number | undefined;
  /** Only lines that arrived at or after this time, in ms since the epoch. */
  since?: number | undefined;
  timestamps?: boolean | undefined;
  follow?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

const chunkBytes = 64 * 1024;
const newline = 10;

interface Part {
  path: string;
  size: number;
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

function readRange(path: string, from: number, to: number): Buffer {
  const buffer = Buffer.alloc(Math.max(0, to - from));
  if (buffer.length === 0) return buffer;
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    // Removed with its Pod.
    return Buffer.alloc(0);
  }
  try {
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, from));
  } finally {
    closeSync(fd);
  }
}

/** Where the last `count` lines of a file begin, and how many it really has. */
function tailStart({ path, size }: Part, count: number): { start: number; lines: number } {
  if (count === 0) return { start: size, lines: 0 };
  let lines = size > 0 ? 1 : 0;
  for (let end = size; end > 0; end -= chunkBytes) {
    const from = Math.max(0, end - chunkBytes);
    const chunk = readRange(path, from, end);
    for (let index = chunk.length - 1; index >= 0; index -= 1) {
      if (chunk[index] !== newline || from + index === size - 1) continue;
      if (lines === count) return { start: from + index + 1, lines };
      lines += 1;
    }
  }
  return { start: 0, lines };
}

/** Puts the time before each line where wanted and drops lines from before `since`. */
function createLineFilter(
  options: ReadOptions,
): (chunk: Buffer, offset: number, time: (at: number) => number) => Buffer {
  let lineStart = true;
  let shown = true;
  if (!options.timestamps && options.since === undefined) return (chunk) => chunk;
  return (chunk, offset, time) => {
    const out: Buffer[] = [];
    let index = 0;
    while (index < chunk.length) {
      if (lineStart) {
        const at = time(offset + index);
        shown = options.since === undefined || at >= options.since;
        if (shown && options.timestamps) out.push(Buffer.from(`${new Date(at).toISOString()} `));
      }
      const found = chunk.indexOf(newline, index);
      const end = found < 0 ? chunk.length : found + 1;
      if (shown) out.push(chunk.subarray(index, end));
      lineStart = found >= 0;
      index = end;
    }
    return Buffer.concat(out);
  };
}

async function changed(live: LogFile, signal: AbortSignal | undefined, seen: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => resolve();
  const off = live.onChange(wake);
  signal?.addEventListener('abort', wake, { once: true });
  if (seen() || signal?.aborted) wake();
  await promise;
  off();
  signal?.removeEventListener('abort', wake);
}

/** Reads a log: its rotated part, what is there, and with `follow` what `live` still gets. */
export async function* readLog(
  path: string,
  live: LogFile | undefined,
  options: ReadOptions,
): AsyncGenerator<Uint8Array> {
  live?.look();
  const rotated = live?.rotations ?? 0;
  const parts: Part[] = [`${path}.1`, path].map((file) => ({ path: file, size: sizeOf(file) }));
  const filter = createLineFilter(options);
  const starts = parts.map(() => 0);
  let wanted = options.tailLines;
  for (let index = parts.length - 1; index >= 0 && wanted !== undefined; index -= 1) {
    const part = parts[index];
    if (!part) continue;
    const { start, lines } = tailStart(part, wanted);
    starts[index] = start;
    wanted -= lines;
  }

  for (const [index, part] of parts.entries()) {
    const arrivals = readArrivals(part.path);
    yield* emit(part.path, starts[index] ?? 0, part.size, (at) => timeAt(arrivals, at), filter, options.signal);
  }
  if (options.follow && live) yield* follow(live, parts[1]?.size ?? 0, rotated, filter, options.signal);
}

async function* emit(
  path: string,
  from: number,
  to: number,
  time: (at: number) => number,
  filter: ReturnType<typeof createLineFilter>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (let at = from; at < to && !signal?.aborted; at += chunkBytes) {
    const text = filter(readRange(path, at, Math.min(to, at + chunkBytes)), at, time);
    if (text.length > 0) yield text;
  }
}

async function* follow(
  live: LogFile,
  from: number,
  rotations: number,
  filter: ReturnType<typeof createLineFilter>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  let position = from;
  let part = rotations;
  while (!signal?.aborted) {
    const { ended } = live;
    if (live.rotations !== part) {
      const old = `${live.path}.1`;
      const arrivals = readArrivals(old);
      yield* emit(old, position, sizeOf(old), (at) => timeAt(arrivals, at), filter, signal);
      part = live.rotations;
      position = 0;
    }
    const size = sizeOf(live.path);
    yield* emit(live.path, position, size, live.timeAt, filter, signal);
    position = Math.max(position, size);
    if (ended) return;
    await changed(live, signal, () => live.ended || live.rotations !== part || sizeOf(live.path) > position);
  }
}

/** The end of a file as text, at most so many bytes. */
export function lastText(path: string, bytes: number): string {
  const size = sizeOf(path);
  return readRange(path, Math.max(0, size - bytes), size)
    .toString('utf8')
    .trimEnd();
}
