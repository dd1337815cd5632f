import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Answer, Job, Task } from './database-worker.ts';
import type { Database, Row } from './database.ts';

interface Pending {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/**
 * Opens a SQLite file (`:memory:` for tests) in a thread of its own, since its calls block. What was acknowledged
 * survives a kill -9 of the process.
 */
export function openSqlite(file: string): Database {
  // In a build it is JavaScript, as this file is.
  const program = new URL(`./database-worker${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(program, { workerData: { file } });
  const pending = new Map<number, Pending>();
  let jobs: Job[] = [];
  let last = 0;
  let ended: Error | null = null;

  const end = (error: Error) => {
    ended ??= error;
    for (const { reject } of pending.values()) reject(ended);
    pending.clear();
  };
  worker.on('message', (answers: readonly Answer[]) => {
    for (const { id, value, error } of answers) {
      const waiting = pending.get(id);
      pending.delete(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(`SQLite: ${error}`));
    }
    // An idle database is no reason for the process to live on; an answer that is due is.
    if (pending.size === 0) worker.unref();
  });
  worker.on('error', end);
  worker.on('exit', () => end(new Error('The database is closed.')));
  worker.unref();

  const flush = () => {
    const all = jobs;
    jobs = [];
    worker.postMessage(all);
  };
  const ask = <T>(task: Task): Promise<T> => {
    if (ended) return Promise.reject(ended);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    last += 1;
    pending.set(last, { resolve, reject });
    worker.ref();
    // One message for all that is asked in the same turn.
    if (jobs.push({ id: last, ...task }) === 1) queueMicrotask(flush);
    return promise as Promise<T>;
  };

  return {
    dialect: 'sqlite',
    exec: (sql) => ask({ kind: 'exec', sql }),
    all: (sql, ...params) => ask<Row[]>({ kind: 'all', sql, params }),
    async run(sql, ...params) {
      const [changes = 0] = await ask<number[]>({ kind: 'batch', statements: [{ sql, params }] });
      return changes;
    },
    batch: (statements) => ask<number[]>({ kind: 'batch', statements }),
    async close() {
      if (ended) return;
      await ask({ kind: 'close' });
      ended = new Error('The database is closed.');
      await worker.terminate();
    },
  };
}
