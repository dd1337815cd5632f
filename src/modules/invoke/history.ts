import { type Database, type SqlValue, type Statement, migrate } from '../../database.ts';
import type { Page, PageArgs } from '../../schema/paging.ts';
import type { Bodies, Entry } from './entry.ts';
import { type InvocationFilter, marks, readPage } from './history-page.ts';
import { bodyValues, columns, readBodies, readEntry, values } from './history-rows.ts';
import { historyTables } from './history-tables.ts';

export type { InvocationFilter } from './history-page.ts';

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
  /** Writes entries, or what became of them. At most `mostAtOnce`, each id once. */
  save: (entries: readonly Entry[]) => Promise<void>;
  get: (caller: string, id: string) => Promise<Entry | null>;
  /** By id; absent where nothing is kept. */
  bodies: (caller: string, ids: readonly string[]) => Promise<Map<string, Bodies>>;
  /** Newest first. */
  page: (caller: string, filter: InvocationFilter, args: PageArgs) => Promise<Page<Entry>>;
  delete: (
    caller: string,
    which: { ids: readonly string[] } | { serviceRunId: string } | { before: number },
  ) => Promise<number>;
  /** Takes the key and writes the entry, both or neither; or tells who has the key. Keys older than a day are free. */
  claim: (key: IdempotencyKey, claim: Claim, entry: Entry) => Promise<Claim | null>;
  claimed: (key: IdempotencyKey) => Promise<Claim | null>;
  /** Ends what a killed server left in progress: calls that began before `before`. Resolves with their number. */
  abandon: (before: number) => Promise<number>;
  /** Drops what is older or more than the retention. */
  sweep: () => Promise<void>;
  close: () => Promise<void>;
}

export interface HistoryOptions {
  database: Database;
  now: () => number;
  days: number;
  perCaller: number;
}

/** Entries that one `save` takes. */
export const mostAtOnce = 32;

const day = 86_400_000;
const allColumns = [...columns, 'request_body', 'response_body'];
const row = `(${marks(allColumns)})`;
const onConflict = allColumns
  .filter((column) => column !== 'id')
  .map((column) => `${column} = excluded.${column}`)
  .join(', ');
const ofKey = 'caller = ? AND mutation = ? AND idempotency_key = ?';

const allValues = (entry: Entry): SqlValue[] => [...values(entry), ...bodyValues(entry)];

/** By the number of entries: the same text each time, so that it is neither made nor read again. */
const saves: string[] = [];

function saveOf(entries: number): string {
  const rows = () => Array<string>(entries).fill(row).join(', ');
  return (saves[entries] ??=
    `INSERT INTO invocations (${allColumns.join(', ')}) VALUES ${rows()} ON CONFLICT (id) DO UPDATE SET ${onConflict}`);
}

/** Opens the history: brings its tables up to date. */
export async function openHistory(options: HistoryOptions): Promise<History> {
  const { database, now, perCaller } = options;
  await migrate(database, 'invoke', historyTables);
  const one = async (sql: string, ...params: SqlValue[]) => (await database.all(sql, ...params))[0];
  const trim = createTrim(database, perCaller);
  const claimed: History['claimed'] = async ({ caller, mutation, key }) => {
    const found = await one(
      `SELECT input_hash, invocation_id FROM invocation_keys WHERE ${ofKey} AND created_at >= ?`,
      ...[caller, mutation, key, now() - day],
    );
    return found ? { inputHash: String(found.input_hash), invocationId: String(found.invocation_id) } : null;
  };
  return {
    save: async (entries) => {
      const params: SqlValue[] = [];
      for (const entry of entries) params.push(...allValues(entry));
      await database.run(saveOf(entries.length), ...params);
      await trim.after(entries);
    },
    get: async (caller, id) => {
      const found = await one(`SELECT ${columns.join(', ')} FROM invocations WHERE caller = ? AND id = ?`, caller, id);
      return found ? readEntry(found) : null;
    },
    bodies: async (caller, ids) => {
      const rows = await database.all(
        `SELECT id, request_body, response_body FROM invocations WHERE caller = ? AND id IN (${marks(ids)})`,
        caller,
        ...ids,
      );
      return new Map(rows.map((found) => [String(found.id), readBodies(found)]));
    },
    page: (caller, filter, args) => readPage(database, caller, filter, args),
    delete: (caller, which) => {
      const [condition, params]: [string, SqlValue[]] =
        'ids' in which
          ? [`id IN (${marks(which.ids)})`, [...which.ids]]
          : 'serviceRunId' in which
            ? ['service_run_id = ?', [which.serviceRunId]]
            : ['started_at < ?', [which.before]];
      return database.run(`DELETE FROM invocations WHERE caller = ? AND ${condition}`, caller, ...params);
    },
    claim: async (key, claim, entry) => {
      const [, taken] = await database.batch(claimStatements(key, claim, entry, now()));
      if (taken === 1) return null;
      // Whoever has it may have given it up in between, by age: then it is free for the next.
      return (await claimed(key)) ?? claim;
    },
    claimed,
    abandon: (before) =>
      database.run(
        "UPDATE invocations SET outcome = 'CANCELLED', message = ? WHERE outcome = 'IN_PROGRESS' AND started_at < ?",
        'The server was stopped during the call: what the service did is not known.',
        before,
      ),
    sweep: async () => {
      await database.run('DELETE FROM invocations WHERE started_at < ?', now() - options.days * day);
      await database.run('DELETE FROM invocation_keys WHERE created_at < ?', now() - day);
      await trim.all();
    },
    close: () => database.close(),
  };
}

/** The key is taken and the entry written, or neither: a key without an entry could never be answered. */
function claimStatements(
  { caller, mutation, key }: IdempotencyKey,
  claim: Claim,
  entry: Entry,
  at: number,
): Statement[] {
  const { inputHash, invocationId } = claim;
  return [
    {
      sql: `DELETE FROM invocation_keys WHERE ${ofKey} AND created_at < ?`,
      params: [caller, mutation, key, at - day],
    },
    {
      sql: 'INSERT INTO invocation_keys (caller, mutation, idempotency_key, input_hash, invocation_id, created_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
      params: [caller, mutation, key, inputHash, invocationId, at],
    },
    {
      sql: `INSERT INTO invocations (${allColumns.join(', ')}) VALUES ${row}`,
      params: allValues(entry),
    },
    {
      sql: `DELETE FROM invocations WHERE id = ? AND NOT EXISTS (SELECT 1 FROM invocation_keys WHERE ${ofKey} AND invocation_id = ?)`,
      params: [invocationId, caller, mutation, key, invocationId],
    },
  ];
}

/** Keeps each caller's entries within bounds. It walks all of them, so it is not done for each new one. */
function createTrim(database: Database, perCaller: number) {
  const every = Math.max(1, Math.floor(perCaller / 100));
  const added = new Map<string, number>();
  const trim = (caller: string) =>
    database.run(
      'DELETE FROM invocations WHERE id IN (SELECT id FROM invocations WHERE caller = ? ORDER BY started_at DESC, id DESC LIMIT 1000000 OFFSET ?)',
      caller,
      perCaller,
    );
  return {
    async after(entries: readonly Entry[]): Promise<void> {
      for (const { caller } of entries) {
        const count = (added.get(caller) ?? 0) + 1;
        if (count < every) added.set(caller, count);
        else {
          added.delete(caller);
          await trim(caller);
        }
      }
    },
    async all(): Promise<void> {
      added.clear();
      const over = 'SELECT caller FROM invocations GROUP BY caller HAVING COUNT(*) > ?';
      for (const { caller } of await database.all(over, perCaller)) await trim(String(caller));
    },
  };
}
