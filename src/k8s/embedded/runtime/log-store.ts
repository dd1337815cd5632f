import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type LogFile, openLogFile } from './log-file.ts';
import { type ReadOptions, readLog } from './log-reader.ts';

/** The logs of all containers: `<folder>/<pod uid>/<container>.<run>.log`. */
export interface LogStore {
  /** The log that a container's run writes to; the run before it is kept, older ones go. */
  open(podUid: string, container: string, run: number): LogFile;
  /** The last run that has a log, or the one before it; undefined when there is none. */
  latest(podUid: string, container: string, previous: boolean): number | undefined;
  read(podUid: string, container: string, run: number, options: ReadOptions): AsyncGenerator<Uint8Array>;
  /** Removes all logs of Pods that are not among these. */
  keepOnly(podUids: ReadonlySet<string>): void;
  remove(podUid: string): void;
  /** Ends all open logs. */
  close(): void;
}

const filePattern = /^(.+)\.(\d+)\.log$/;

export function createLogStore(folder: string): LogStore {
  const open = new Map<string, LogFile>();
  const folderOf = (podUid: string) => join(folder, podUid);
  const pathOf = (podUid: string, container: string, run: number) => join(folderOf(podUid), `${container}.${run}.log`);

  function runs(podUid: string, container: string): number[] {
    return list(folderOf(podUid))
      .flatMap((name) => {
        const [, owner, run] = filePattern.exec(name) ?? [];
        return owner === container ? [Number(run)] : [];
      })
      .toSorted((a, b) => b - a);
  }

  function forget(path: string): void {
    open.get(path)?.end();
    open.delete(path);
  }

  function remove(podUid: string): void {
    for (const path of open.keys()) if (path.startsWith(`${folderOf(podUid)}/`)) forget(path);
    rmSync(folderOf(podUid), { recursive: true, force: true });
  }

  return {
    open(podUid, container, run) {
      const path = pathOf(podUid, container, run);
      forget(path);
      mkdirSync(folderOf(podUid), { recursive: true });
      for (const old of runs(podUid, container)) {
        if (old >= run - 1) continue;
        for (const end of ['', '.times', '.1', '.1.times'])
          rmSync(pathOf(podUid, container, old) + end, { force: true });
      }
      const log = openLogFile(path);
      open.set(path, log);
      return log;
    },
    latest: (podUid, container, previous) => runs(podUid, container)[previous ? 1 : 0],
    read(podUid, container, run, options) {
      const path = pathOf(podUid, container, run);
      return readLog(path, open.get(path), options);
    },
    keepOnly(podUids) {
      for (const podUid of list(folder)) if (!podUids.has(podUid)) remove(podUid);
    },
    remove,
    close() {
      for (const path of open.keys()) forget(path);
    },
  };
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Nothing has been logged yet.
    return [];
  }
}
