import { mkdtemp } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deadDatabaseContract } from './dead-database-contract.ts';

/** Somebody else holds the write lock of the file. */
deadDatabaseContract(async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'slipway-history-')), 'history.db');
  let other: DatabaseSync | null = null;
  const heal = () => {
    other?.close();
    other = null;
    return Promise.resolve();
  };
  return {
    url: `sqlite:${file}`,
    hang() {
      other = new DatabaseSync(file);
      other.exec('BEGIN IMMEDIATE');
      return Promise.resolve();
    },
    heal,
    [Symbol.asyncDispose]: heal,
  };
});
