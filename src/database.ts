import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { openSqlite } from './database-sqlite.ts';

export { openSqlite } from './database-sqlite.ts';

export type SqlValue = string | number | null;
export type Row = Record<string, SqlValue>;

export interface Statement {
  sql: string;
  params: readonly SqlValue[];
}

/**
 * What the invocation history and the health transitions need of a database. SQL is written once, with `?` for
 * parameters, in the dialect that SQLite and PostgreSQL share.
 */
export interface Database {
  readonly dialect: 'sqlite' | 'postgres';
  /** Runs statements without parameters: the schema. */
  exec(sql: string): Promise<void>;
  all(sql: string, ...params: SqlValue[]): Promise<Row[]>;
  /** Resolves with the number of changed rows. */
  run(sql: string, ...params: SqlValue[]): Promise<number>;
  /** All or nothing, in this order; resolves with the number of rows that each changed. */
  batch(statements: readonly Statement[]): Promise<number[]>;
  /** Once everything asked for before is done. */
  close(): Promise<void>;
}

/** True for the addresses that `openDatabase` takes. */
export function isDatabaseUrl(url: string): boolean {
  return /^(sqlite:.|postgres(ql)?:\/\/.)/.test(url);
}

/** Opens `postgres://…`, or `sqlite:<file>` with the file relative to `folder` (`sqlite::memory:` for tests). */
export async function openDatabase(url: string, folder: string): Promise<Database> {
  if (/^postgres(ql)?:/.test(url)) {
    const { openPostgres } = await import('./database-postgres.ts');
    return openPostgres(url);
  }
  const name = url.replace(/^sqlite:/, '');
  if (name === ':memory:') return openSqlite(name);
  const file = resolve(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  return openSqlite(file);
}

/**
 * Brings the tables of one feature up to date: `versions` holds the statements of each version in turn. They must be
 * repeatable (`IF NOT EXISTS`), because two replicas may start at once. Rejects when a newer server made the tables.
 */
export async function migrate(database: Database, feature: string, versions: readonly string[]): Promise<void> {
  await database.exec(
    'CREATE TABLE IF NOT EXISTS schema_versions (feature TEXT PRIMARY KEY, version INTEGER NOT NULL)',
  );
  const [row] = await database.all('SELECT version FROM schema_versions WHERE feature = ?', feature);
  const present = Number(row?.version ?? 0);
  if (present > versions.length) {
    throw new Error(
      `The tables of "${feature}" have version ${present}; this server knows ${versions.length}. Start a newer server.`,
    );
  }
  for (const statements of versions.slice(present)) await database.exec(statements);
  await database.run(
    'INSERT INTO schema_versions (feature, version) VALUES (?, ?) ON CONFLICT (feature) DO UPDATE SET version = excluded.version',
    feature,
    versions.length,
  );
}
