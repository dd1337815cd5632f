import type { Writable } from 'node:stream';

/** So much may wait for a connection before its events do. */
const waitingBytes = 65_536;
/** From this size on a chunk is not copied: all who are sent it share it. */
const largeBytes = 16_384;

/** One connection's way out. */
export interface Outlet {
  /** Leaves with all else of this turn. */
  push(...chunks: readonly Buffer[]): void;
  /** What was pushed leaves now, before what others write next. */
  flush(): void;
  /** Set while too much waits: resolves when that has left, or never will. */
  readonly full: Promise<void> | null;
}

/**
 * Collects what is sent to a connection within one turn and writes it at once: a system call for each event would cost more
 * than the event. What is there once the connection is no longer `open` is dropped.
 */
export function createOutlet(stream: Writable, open: () => boolean): Outlet {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let full: Promise<void> | null = null;

  function write(parts: readonly Buffer[], written?: () => void): void {
    if (parts.length > 1) stream.cork();
    parts.forEach((part, index) => stream.write(part, index === parts.length - 1 ? written : undefined));
    if (parts.length > 1) stream.uncork();
  }

  const outlet: Outlet = {
    push(...more) {
      if (chunks.length === 0) flushLater(outlet);
      for (const chunk of more) {
        chunks.push(chunk);
        bytes += chunk.length;
      }
      if (stream.writableLength + bytes >= waitingBytes) outlet.flush();
    },
    flush() {
      const parts = joined(chunks, bytes);
      const fits = stream.writableLength + bytes < waitingBytes;
      [chunks, bytes] = [[], 0];
      if (parts.length === 0 || !open()) return;
      if (fits) return write(parts);
      const gone = Promise.withResolvers<void>();
      full = gone.promise;
      write(parts, () => {
        if (full === gone.promise) full = null;
        gone.resolve();
      });
    },
    get full() {
      return full;
    },
  };
  return outlet;
}

function joined(chunks: readonly Buffer[], bytes: number): readonly Buffer[] {
  return chunks.length < 2 || chunks.some(({ length }) => length >= largeBytes)
    ? chunks
    : [Buffer.concat(chunks, bytes)];
}

let waiting: Outlet[] = [];

/** After all that this turn still has to say. */
function flushLater(outlet: Outlet): void {
  if (waiting.length === 0) {
    process.nextTick(() => {
      const all = waiting;
      waiting = [];
      for (const one of all) one.flush();
    });
  }
  waiting.push(outlet);
}
