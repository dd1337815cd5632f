import type { Row, SqlValue } from '../../database.ts';
import type { Bodies, Entry, RequestRecord, ResponseRecord } from './entry.ts';

/** The columns of an entry but for its bodies, which lists do not read. */
export const columns = [
  'id',
  'caller',
  'service_run_id',
  'run_id',
  'started_at',
  'outcome',
  'error_code',
  'message',
  'recorded',
  'method',
  'url',
  'request',
  'response',
  'timings',
] as const;

/** The values of `columns`, in their order. */
export function values(entry: Entry): SqlValue[] {
  const { method, url, ...request } = entry.request;
  return [
    entry.id,
    entry.caller,
    entry.serviceRunId,
    entry.runId,
    entry.startedAt,
    entry.outcome,
    entry.errorCode,
    entry.message,
    entry.recorded ? 1 : 0,
    method,
    url,
    JSON.stringify(request),
    entry.response && JSON.stringify(entry.response),
    JSON.stringify(entry.timings),
  ];
}

export function bodyValues({ bodies }: Entry): SqlValue[] {
  return [storedText(bodies?.request), storedText(bodies?.response)];
}

/**
 * A text as it is; as JSON where it holds what a database does not (half a surrogate pair, NUL), or where it could be taken
 * for JSON of ours, which begins with a quotation mark.
 */
function storedText(body: string | null | undefined): string | null {
  if (body == null) return null;
  return body.startsWith('"') || body.includes('\0') || !body.isWellFormed() ? JSON.stringify(body) : body;
}

function givenText(stored: SqlValue | undefined): string | null {
  if (typeof stored !== 'string') return null;
  return stored.startsWith('"') ? (JSON.parse(stored) as string) : stored;
}

export function readEntry(row: Row): Entry {
  const text = (column: string) => String(row[column] ?? '');
  const request = JSON.parse(text('request')) as Omit<RequestRecord, 'method' | 'url'>;
  return {
    id: text('id'),
    caller: text('caller'),
    serviceRunId: text('service_run_id'),
    runId: text('run_id'),
    startedAt: Number(row.started_at),
    outcome: text('outcome') as Entry['outcome'],
    errorCode: (row.error_code ?? null) as Entry['errorCode'],
    message: row.message === null || row.message === undefined ? null : String(row.message),
    recorded: Number(row.recorded) === 1,
    request: { ...request, method: text('method') as RequestRecord['method'], url: text('url') },
    response: row.response === null ? null : (JSON.parse(text('response')) as ResponseRecord),
    timings: JSON.parse(text('timings')) as Entry['timings'],
  };
}

export function readBodies(row: Row): Bodies {
  return { request: givenText(row.request_body), response: givenText(row.response_body) };
}
