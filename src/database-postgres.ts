import pg from 'pg';
import type { Database, Row, SqlValue, Statement } from './database.ts';

/** Two replicas that start at once must not create the same table at once: one of the two would fail. */
const schemaLock = 'SELECT pg_advisory_xact_lock(7593214);';

/** Opens a PostgreSQL database with a small pool. A lost connection is replaced by the next query. */
export function openPostgres(url: string): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: 8,
    connectionTimeoutMillis: 5000,
    idleTimeoutMillis: 30_000,
    statement_timeout: 10_000,
    // Of a server that no longer answers at all.
    query_timeout: 12_000,
    keepAlive: true,
    application_name: 'slipway',
    types: {
      // Counts and times in ms fit a number.
      getTypeParser: ((id: (typeof pg.types.builtins)[keyof typeof pg.types.builtins], format?: 'text') =>
        id === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(id, format)) as typeof pg.types.getTypeParser,
    },
  });
  // An idle connection that the server ends is reported here; the pool has already dropped it.
  pool.on('error', () => {});
  const query = (sql: string, params: SqlValue[]) => pool.query<Row>(numbered(sql), params);
  return {
    dialect: 'postgres',
    exec: async (sql) => {
      // Without parameters all statements go in one message, which PostgreSQL runs as one transaction.
      await pool.query(`${schemaLock}${sql}`);
    },
    all: async (sql, ...params) => (await query(sql, params)).rows,
    run: async (sql, ...params) => (await query(sql, params)).rowCount ?? 0,
    batch: (statements) => batch(pool, statements),
    close: () => pool.end(),
  };
}

async function batch(pool: pg.Pool, statements: readonly Statement[]): Promise<number[]> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const changes: number[] = [];
    for (const { sql, params } of statements) {
      changes.push((await client.query(numbered(sql), [...params])).rowCount ?? 0);
    }
    await client.query('COMMIT');
    client.release();
    return changes;
  } catch (error) {
    // The connection goes with the transaction: whatever state it is in.
    client.release(error as Error);
    throw error;
  }
}

/** `?` as PostgreSQL writes it: `$1`, `$2`, … Our SQL has no question marks in literals. */
function numbered(sql: string): string {
  let count = 0;
  return sql.replace(/\?/g, () => `$${++count}`);
}
