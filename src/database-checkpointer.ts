// The thread that brings what was written to one SQLite file from its log into the file: see database-checkpoints.ts.
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

const database = new DatabaseSync((workerData as { file: string }).file);

parentPort?.on('message', () => {
  // Passive: it waits for nobody, and nobody for it.
  database.exec('PRAGMA wal_checkpoint(PASSIVE)');
  parentPort?.postMessage('done');
});
