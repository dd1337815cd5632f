import { DatabaseSync, type SQLInputValue } from 'node:sqlite';

export type SqlValue = string | number | null;
export type Row = Record<string, SqlValue>;

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
  close(): Promise<void>;
}

/** Opens a SQLite file (`:memory:` for tests). Commits survive a kill -9 of the process. */
export function openSqlite(file: string): Database {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;');
  const statements = new Map<string, ReturnType<DatabaseSync['prepare']>>();
  const prepare = (sql: string) => {
    const present = statements.get(sql);
    if (present) return present;
    const statement = database.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
  return {
    dialect: 'sqlite',
    exec: async (sql) => database.exec(sql),
    all: async (sql, ...params) => prepare(sql).all(...(params as SQLInputValue[])) as Row[],
    run: async (sql, ...params) => Number(prepare(sql).run(...(params as SQLInputValue[])).changes),
    close: async () => {
      statements.clear();
      database.close();
    },
  };
}
