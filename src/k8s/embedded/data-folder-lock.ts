import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pid } from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import { BootError } from '../../boot-error.ts';

/**
 * Takes the data folder for this server alone; rejects while another one has it. The lock is the operating system's, on
 * a SQLite file: it goes with the process however that ends, so there is no stale lock to judge. Resolves with the
 * release.
 */
export async function lockDataFolder(dataDir: string): Promise<() => Promise<void>> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const ownerFile = join(dataDir, 'server.pid');
  const database = new DatabaseSync(join(dataDir, 'server.lock'));
  try {
    database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    if (!isBusy(cause)) throw cause;
    const owner = (await readFile(ownerFile, 'utf8').catch(() => '')).trim();
    const who = owner === '' ? 'another Slipway server' : `another Slipway server (process ${owner})`;
    const message = `${who} is running on the data folder ${dataDir}.`;
    const remedy = 'Stop it, or set another folder.';
    throw new BootError([{ module: 'server', field: 'SLIPWAY_DATA_DIR', message, remedy }]);
  }
  await writeFile(ownerFile, `${pid}\n`);
  return async () => {
    await rm(ownerFile, { force: true });
    database.close();
  };
}

/** SQLITE_BUSY. */
function isBusy(error: unknown): boolean {
  return (error as { errcode?: number }).errcode === 5;
}
