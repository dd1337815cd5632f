import { globalId } from '../../schema/ids.ts';
import type { Bodies, Entry } from './entry.ts';
import type { Header } from './headers.ts';

/** An entry of an HTTP Archive 1.2 (http://www.softwareishard.com/blog/har-12-spec/), with ours in `_` fields. */
export function harEntry(entry: Entry, bodies: Bodies | undefined): object {
  const { timings } = entry;
  const connect = timings.connectMs ?? -1;
  const wait = timings.firstByteMs === null ? 0 : timings.firstByteMs - Math.max(connect, 0);
  const receive = timings.firstByteMs === null ? 0 : (timings.totalMs ?? timings.firstByteMs) - timings.firstByteMs;
  return {
    startedDateTime: new Date(entry.startedAt).toISOString(),
    time: timings.totalMs ?? 0,
    request: harRequest(entry, bodies?.request ?? null),
    response: harResponse(entry, bodies?.response ?? null),
    cache: {},
    timings: { blocked: -1, dns: -1, connect, ssl: -1, send: 0, wait, receive },
    ...(entry.message !== null && { comment: entry.message }),
    _invocation: globalId('Invocation', entry.id),
    _serviceRun: entry.serviceRunId,
    _outcome: entry.outcome,
    ...(entry.errorCode !== null && { _errorCode: entry.errorCode }),
  };
}

function harRequest({ request }: Entry, body: string | null): object {
  const query = request.url.split('#', 1)[0]?.split('?').slice(1).join('?') ?? '';
  return {
    method: request.method,
    url: request.url,
    httpVersion: 'HTTP/1.1',
    cookies: [],
    headers: pairs(request.headers),
    queryString: [...new URLSearchParams(query)].map(([name, value]) => ({ name, value })),
    headersSize: -1,
    bodySize: request.bodyBytes,
    ...(body !== null && {
      postData: {
        mimeType: headerValue(request.headers, 'content-type') ?? '',
        text: body,
        ...(request.bodyCut && { comment: 'only the beginning was kept' }),
      },
    }),
  };
}

/** Status 0 is what browsers write where no answer came. */
function harResponse({ response }: Entry, body: string | null): object {
  return {
    status: response?.status ?? 0,
    statusText: response?.statusText ?? '',
    httpVersion: 'HTTP/1.1',
    cookies: [],
    headers: pairs(response?.headers ?? []),
    redirectURL: headerValue(response?.headers ?? [], 'location') ?? '',
    headersSize: -1,
    bodySize: -1,
    content: {
      size: response?.bodyBytes ?? 0,
      mimeType: response?.contentType ?? '',
      ...(body !== null && { text: body }),
      ...(response?.truncated && { comment: 'only the beginning was kept' }),
    },
  };
}

function pairs(headers: readonly Header[]): Header[] {
  return headers.map(({ name, value }) => ({ name, value }));
}

function headerValue(headers: readonly Header[], wanted: string): string | undefined {
  return headers.find(({ name }) => name.toLowerCase() === wanted)?.value;
}
