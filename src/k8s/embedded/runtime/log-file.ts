import {
  appendFileSync,
  closeSync,
  copyFileSync,
  type FSWatcher,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  watch,
  writeSync,
} from 'node:fs';

/** One chunk of output: what the file held up to `end` had arrived by `time`. */
interface Arrival {
  end: number;
  time: number;
}

/** The log of one run of a container. The program writes to the file itself, so that it outlives this server. */
export interface LogFile {
  readonly path: string;
  /** Appends a line from inside this process. */
  write(line: string): void;
  /** Notices what has been written so far. */
  look(): void;
  /** When the byte at `offset` arrived, in ms since the epoch. */
  readonly timeAt: (offset: number) => number;
  /** Told whenever there is more to read, and when the file is ended or rotated. */
  onChange(listener: () => void): () => void;
  /** The container has ended: no more will come. */
  end(): void;
  readonly ended: boolean;
  /** How often the file has been cut; offsets are of the present part. */
  readonly rotations: number;
}

/** As the kubelet's containerLogMaxSize; one older part is kept. */
const maxBytes = 10 * 1024 * 1024;
const minIndexMs = 10;

function sizeOf(path: string): { size: number; time: number } {
  try {
    const { size, mtimeMs } = statSync(path);
    return { size, time: mtimeMs };
  } catch {
    return { size: 0, time: 0 };
  }
}

export function readArrivals(path: string): Arrival[] {
  try {
    return readFileSync(`${path}.times`, 'utf8')
      .split('\n')
      .flatMap((line) => {
        const [end, time] = line.split(' ').map(Number);
        return end && time ? [{ end, time }] : [];
      });
  } catch {
    // Nothing has been written yet.
    return [];
  }
}

/** The arrival time of a byte by the index, else the last known one. */
export function timeAt(arrivals: readonly Arrival[], offset: number): number {
  let low = 0;
  let high = arrivals.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((arrivals[middle]?.end ?? 0) > offset) high = middle;
    else low = middle + 1;
  }
  return arrivals[low]?.time ?? arrivals.at(-1)?.time ?? 0;
}

function watchFile(path: string, changed: () => void): () => void {
  try {
    const watcher: FSWatcher = watch(path, { persistent: false }, changed);
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    // No more watches to be had: look now and then.
    const timer = setInterval(changed, 500);
    timer.unref();
    return () => clearInterval(timer);
  }
}

/** Opens or creates the file and follows its growth until `end`. */
export function openLogFile(path: string, limit = maxBytes): LogFile {
  const fd = openSync(path, 'a');
  const arrivals = readArrivals(path);
  const listeners = new Set<() => void>();
  let ended = false;
  let rotations = 0;

  function note(size: number, time: number): void {
    const last = arrivals.at(-1);
    if (last && last.end >= size) return;
    if (last && time - last.time < minIndexMs) last.end = size;
    else arrivals.push({ end: size, time });
    appendFileSync(`${path}.times`, `${size} ${Math.round(time)}\n`);
  }

  function rotate(): void {
    // The program keeps its descriptor, so the file is copied and cut; a line written in between is lost.
    copyFileSync(path, `${path}.1`);
    truncateSync(path, 0);
    renameSync(`${path}.times`, `${path}.1.times`);
    arrivals.length = 0;
    rotations += 1;
  }

  function look(): void {
    const { size, time } = sizeOf(path);
    if (size <= (arrivals.at(-1)?.end ?? 0)) return;
    note(size, time);
    if (size > limit) rotate();
    for (const listener of [...listeners]) listener();
  }

  const unwatch = watchFile(path, look);
  look();

  return {
    path,
    write(line) {
      if (ended) return;
      writeSync(fd, `${line}\n`);
      look();
    },
    look,
    timeAt: (offset) => timeAt(arrivals, offset),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    end() {
      if (ended) return;
      look();
      ended = true;
      unwatch();
      closeSync(fd);
      for (const listener of [...listeners]) listener();
    },
    get ended() {
      return ended;
    },
    get rotations() {
      return rotations;
    },
  };
}
