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
  const text = (body: string | null | undefined) => (body == null ? null : JSON.stringify(body));
  return [text(bodies?.request), text(bodies?.response)];
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
  const text = (value: SqlValue | undefined) => (typeof value === 'string' ? (JSON.parse(value) as string) : null);
  return { request: text(row.request_body), response: text(row.response_body) };
}
