import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { SqlValue } from './database.ts';

/** Characters written between two checkpoints: with more, each would hold up the disk for longer. */
const between = 1_048_576;

/**
 * Has the log of a SQLite file checkpointed beside its writer, which would else stand still for it, and with it all who wait
 * for a write. Where this fails or can't keep up, the writer's own bound on the log still holds. The returned function is
 * told what was written.
 */
export function createCheckpoints(file: string): (params: readonly SqlValue[]) => void {
  // Most files never need the thread. It ends with the writer's.
  let thread: Worker | null = null;
  let characters = 0;
  let busy = false;

  const start = (): Worker => {
    const program = new URL(`./database-checkpointer${extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(program, { workerData: { file } });
    worker.on('message', () => (busy = false));
    // It stays busy, so nothing more is asked of it.
    worker.on('error', () => {});
    return worker;
  };

  return (params) => {
    for (const param of params) if (typeof param === 'string') characters += param.length;
    if (busy || characters < between) return;
    [busy, characters] = [true, 0];
    (thread ??= start()).postMessage('checkpoint');
  };
}
