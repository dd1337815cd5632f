import type { Database, SqlValue } from '../../database.ts';
import { type Page, type PageArgs, decodeCursor, encodeCursor, pageSize } from '../../schema/paging.ts';
import type { Entry } from './entry.ts';
import type { Outcome } from './failure.ts';
import { columns, readEntry } from './history-rows.ts';

export interface InvocationFilter {
  serviceRunId?: string | null | undefined;
  outcome?: readonly Outcome[] | null | undefined;
  search?: string | null | undefined;
}

/** `?` for each. */
export function marks(list: readonly unknown[]): string {
  // An empty list is no SQL; no row has a null id.
  return list.length === 0 ? 'NULL' : list.map(() => '?').join(', ');
}

interface Condition {
  sql: string;
  params: SqlValue[];
}

function filterCondition(caller: string, filter: InvocationFilter): Condition {
  const parts = ['caller = ?'];
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

/** A page of a caller's entries, newest first. */
export async function readPage(
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
