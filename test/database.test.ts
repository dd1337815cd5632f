import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openSqlite } from '../src/database.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-database-'));
});
afterAll(() => rm(folder, { recursive: true }));

const kib = 1024;
const text = 'x'.repeat(100 * kib);

test('what was written moves from the log into the file while more is written, and a closed file has no log', async () => {
  const file = join(folder, 'moves.db');
  const database = openSqlite(file);
  await database.exec('CREATE TABLE texts (id INTEGER PRIMARY KEY, content TEXT NOT NULL)');
  let rows = 0;
  const write = async (count: number) => {
    for (let n = 0; n < count; n++, rows++) await database.run('INSERT INTO texts (content) VALUES (?)', text);
  };
  await write(15);
  await vi.waitFor(async () => expect((await stat(file)).size).toBeGreaterThan(1_000 * kib), 30_000);
  await write(30);
  expect(await database.all('SELECT COUNT(*) AS count FROM texts')).toEqual([{ count: rows }]);
  await database.close();
  expect([existsSync(`${file}-wal`), (await stat(file)).size > rows * text.length]).toEqual([false, true]);
  const again = openSqlite(file);
  const [found] = await again.all('SELECT COUNT(*) AS count, SUM(LENGTH(content)) AS length FROM texts');
  expect(found).toEqual({ count: rows, length: rows * text.length });
  await again.close();
});

test('a log whose checkpoints are held up by a reader is checkpointed once the reader is gone', async () => {
  const file = join(folder, 'held.db');
  const [database, other] = [openSqlite(file), openSqlite(file)];
  await database.exec('CREATE TABLE texts (id INTEGER PRIMARY KEY, content TEXT NOT NULL)');
  await other.exec('BEGIN');
  await other.all('SELECT COUNT(*) FROM texts');
  const write = () => database.run('INSERT INTO texts (content) VALUES (?)', text);
  for (let n = 0; n < 30; n++) await write();
  expect(await other.all('SELECT COUNT(*) AS count FROM texts')).toEqual([{ count: 0 }]);
  await other.exec('COMMIT');
  expect(await other.all('SELECT COUNT(*) AS count FROM texts')).toEqual([{ count: 30 }]);
  for (let n = 0; n < 15; n++) await write();
  await vi.waitFor(async () => expect((await stat(file)).size).toBeGreaterThan(3_000 * kib), 30_000);
  await Promise.all([database.close(), other.close()]);
});
