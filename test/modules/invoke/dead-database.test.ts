import { mkdtemp } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deadDatabaseContract } from './dead-database-contract.ts';

/** Somebody else holds the write lock of the file, or has put its tables away. */
deadDatabaseContract(async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'slipway-history-')), 'history.db');
  let other: DatabaseSync | null = null;
  let back = '';
  const heal = () => {
    if (back !== '') other?.exec(back);
    back = '';
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
    cut() {
      other = new DatabaseSync(file);
      const tables = ['invocations', 'invocation_keys'];
      other.exec(tables.map((table) => `ALTER TABLE ${table} RENAME TO ${table}_away;`).join('\n'));
      back = tables.map((table) => `ALTER TABLE ${table}_away RENAME TO ${table};`).join('\n');
      return Promise.resolve();
    },
    heal,
    [Symbol.asyncDispose]: heal,
  };
});
