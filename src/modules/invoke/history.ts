import type { Database, SqlValue } from '../../database.ts';
import { migrate } from '../../database.ts';
import { type Page, type PageArgs, decodeCursor, encodeCursor, pageSize } from '../../schema/paging.ts';
import type { Bodies, Entry } from './entry.ts';
import type { Outcome } from './failure.ts';
import { bodyValues, columns, readBodies, readEntry, values } from './history-rows.ts';
import { historyTables } from './history-tables.ts';

export interface InvocationFilter {
  serviceRunId?: string | null | undefined;
  outcome?: readonly Outcome[] | null | undefined;
  search?: string | null | undefined;
}

/** A caller's idempotency key for one mutation. */
export interface IdempotencyKey {
  caller: string;
  mutation: string;
  key: string;
}

export interface Claim {
  /** Of the input: the same key with another input is a conflict. */
  inputHash: string;
  invocationId: string;
}

/** The calls of every caller; each sees only their own. */
export interface History {
  insert(entry: Entry): Promise<void>;
  /** Writes the end of a call. */
  finish(entry: Entry): Promise<void>;
  get(caller: string, id: string): Promise<Entry | null>;
  /** By id; absent where nothing is kept. */
  bodies(caller: string, ids: readonly string[]): Promise<Map<string, Bodies>>;
  /** Newest first. */
  page(caller: string, filter: InvocationFilter, args: PageArgs): Promise<Page<Entry>>;
  delete(
    caller: string,
    which: { ids: readonly string[] } | { serviceRunId: string } | { before: number },
  ): Promise<number>;
  /** Takes the key, or tells who has it. Keys older than a day are free again. */
  claim(key: IdempotencyKey, claim: Claim): Promise<Claim | null>;
  claimed(key: IdempotencyKey): Promise<Claim | null>;
  release(key: IdempotencyKey): Promise<void>;
  /** Ends what a killed server left in progress: calls that began before `before`. Resolves with their number. */
  abandon(before: number): Promise<number>;
  /** Drops what is older than the retention. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

export interface HistoryOptions {
  database: Database;
  now: () => number;
  days: number;
  perCaller: number;
}

const day = 86_400_000;
const where = 'caller = ?';

/** Opens the history: brings its tables up to date. */
export async function openHistory(options: HistoryOptions): Promise<History> {
  const { database, now } = options;
  await migrate(database, 'invoke', historyTables);
  const one = async (sql: string, ...params: SqlValue[]) => (await database.all(sql, ...params))[0];
  // Trimming walks all of a caller's entries, so it is not done for each new one.
  const trimEvery = Math.max(1, Math.floor(options.perCaller / 100));
  let inserts = 0;
  const trim = (caller: string) =>
    database.run(
      `DELETE FROM invocations WHERE id IN (SELECT id FROM invocations WHERE ${where} ORDER BY started_at DESC, id DESC LIMIT 1000000 OFFSET ?)`,
      caller,
      options.perCaller,
    );
  const findClaim = async ({ caller, mutation, key }: IdempotencyKey) => {
    const row = await one(
      'SELECT input_hash, invocation_id FROM invocation_keys WHERE caller = ? AND mutation = ? AND idempotency_key = ? AND created_at >= ?',
      caller,
      mutation,
      key,
      now() - day,
    );
    return row ? { inputHash: String(row.input_hash), invocationId: String(row.invocation_id) } : null;
  };
  return {
    async insert(entry) {
      const all = [...values(entry), ...bodyValues(entry)];
      await database.run(
        `INSERT INTO invocations (${columns.join(', ')}, request_body, response_body) VALUES (${all.map(() => '?').join(', ')})`,
        ...all,
      );
      if (++inserts % trimEvery === 0) await trim(entry.caller);
    },
    async finish(entry) {
      const set = [...columns, 'request_body', 'response_body'].map((column) => `${column} = ?`).join(', ');
      await database.run(
        `UPDATE invocations SET ${set} WHERE id = ?`,
        ...values(entry),
        ...bodyValues(entry),
        entry.id,
      );
    },
    async get(caller, id) {
      const row = await one(`SELECT ${columns.join(', ')} FROM invocations WHERE ${where} AND id = ?`, caller, id);
      return row ? readEntry(row) : null;
    },
    async bodies(caller, ids) {
      const rows = await database.all(
        `SELECT id, request_body, response_body FROM invocations WHERE ${where} AND id IN (${marks(ids)})`,
        caller,
        ...ids,
      );
      return new Map(rows.map((row) => [String(row.id), readBodies(row)]));
    },
    page: (caller, filter, args) => readPage(database, caller, filter, args),
    delete(caller, which) {
      const [condition, params]: [string, SqlValue[]] =
        'ids' in which
          ? [`id IN (${marks(which.ids)})`, [...which.ids]]
          : 'serviceRunId' in which
            ? ['service_run_id = ?', [which.serviceRunId]]
            : ['started_at < ?', [which.before]];
      return database.run(`DELETE FROM invocations WHERE ${where} AND ${condition}`, caller, ...params);
    },
    async claim(key, claim) {
      await database.run(
        'DELETE FROM invocation_keys WHERE caller = ? AND mutation = ? AND idempotency_key = ? AND created_at < ?',
        key.caller,
        key.mutation,
        key.key,
        now() - day,
      );
      const taken = await database.run(
        'INSERT INTO invocation_keys (caller, mutation, idempotency_key, input_hash, invocation_id, created_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
        key.caller,
        key.mutation,
        key.key,
        claim.inputHash,
        claim.invocationId,
        now(),
      );
      return taken > 0 ? null : findClaim(key);
    },
    claimed: findClaim,
    async release({ caller, mutation, key }) {
      await database.run(
        'DELETE FROM invocation_keys WHERE caller = ? AND mutation = ? AND idempotency_key = ?',
        caller,
        mutation,
        key,
      );
    },
    abandon: (before) =>
      database.run(
        "UPDATE invocations SET outcome = 'CANCELLED', message = ? WHERE outcome = 'IN_PROGRESS' AND started_at < ?",
        'The server was stopped during the call: what the service did is not known.',
        before,
      ),
    async sweep() {
      await database.run('DELETE FROM invocations WHERE started_at < ?', now() - options.days * day);
      await database.run('DELETE FROM invocation_keys WHERE created_at < ?', now() - day);
    },
    close: () => database.close(),
  };
}

function marks(list: readonly unknown[]): string {
  // An empty list is no SQL; no row has a null id.
  return list.length === 0 ? 'NULL' : list.map(() => '?').join(', ');
}

interface Condition {
  sql: string;
  params: SqlValue[];
}

function filterCondition(caller: string, filter: InvocationFilter): Condition {
  const parts = [where];
  const params: SqlValue[] = [caller];
  if (filter.serviceRunId != null) {
    parts.push('service_run_id = ?');
    params.push(filter.serviceRunId);
  }
  if (filter.outcome != null) {
    parts.push(`outcome IN (${marks(filter.outcome)})`);
    params.push(...filter.outcome);
  }
  if (filter.search != null) {
    // `!` escapes what LIKE would read as a pattern; PostgreSQL takes no NUL in text.
    const term = `%${filter.search.replaceAll('\0', '').toLowerCase().replace(/[!%_]/g, '!$&')}%`;
    const fields = ['url', 'run_id', "coalesce(message, '')", 'method'];
    parts.push(`(${fields.map((field) => `lower(${field}) LIKE ? ESCAPE '!'`).join(' OR ')})`);
    params.push(...fields.map(() => term));
  }
  return { sql: parts.join(' AND '), params };
}

async function readPage(
  database: Database,
  caller: string,
  filter: InvocationFilter,
  args: PageArgs,
): Promise<Page<Entry>> {
  const { first, last } = pageSize(args);
  const matching = filterCondition(caller, filter);
  const slice: Condition = { sql: matching.sql, params: [...matching.params] };
  for (const [field, comparison] of [
    ['after', '<'],
    ['before', '>'],
  ] as const) {
    const cursor = args[field];
    if (!cursor) continue;
    const [startedAt = null, id = null] = decodeCursor(cursor, 2, field);
    slice.sql += ` AND (started_at, id) ${comparison} (?, ?)`;
    slice.params.push(Number(startedAt), String(id));
  }
  const direction = first === null ? 'ASC' : 'DESC';
  const rows = await database.all(
    `SELECT ${columns.join(', ')} FROM invocations WHERE ${slice.sql} ORDER BY started_at ${direction}, id ${direction} LIMIT ?`,
    ...slice.params,
    first ?? last,
  );
  const entries = (first === null ? rows.toReversed() : rows).map(readEntry);
  const edges = entries.map((node) => ({ cursor: encodeCursor([node.startedAt, node.id]), node }));
  const [total] = await database.all(
    `SELECT COUNT(*) AS total FROM invocations WHERE ${matching.sql}`,
    ...matching.params,
  );
  return {
    edges,
    totalCount: Number(total?.total ?? 0),
    pageInfo: {
      hasPreviousPage: await exists(database, matching, '>', entries[0]),
      hasNextPage: await exists(database, matching, '<', entries.at(-1)),
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

/** Whether anything that matches comes before (`>`, newer) or after (`<`) an entry. */
async function exists(
  database: Database,
  { sql, params }: Condition,
  comparison: '<' | '>',
  entry: Entry | undefined,
): Promise<boolean> {
  if (!entry) return false;
  const rows = await database.all(
    `SELECT id FROM invocations WHERE ${sql} AND (started_at, id) ${comparison} (?, ?) LIMIT 1`,
    ...params,
    entry.startedAt,
    entry.id,
  );
  return rows.length > 0;
}
