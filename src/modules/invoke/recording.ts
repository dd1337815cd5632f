import { randomFillSync } from 'node:crypto';
import type { RunView } from '../runs/service.ts';
import type { InvokeConfig } from './config.ts';
import { type Bodies, type Entry, type RequestRecord, type ResponseRecord, noTimings } from './entry.ts';
import { CallFailure } from './failure.ts';
import type { CallInput, PreparedCall } from './prepare.ts';
import type { Redactor } from './redaction.ts';
import type { Response } from './response.ts';

const maxRefusedUrl = 2048;

let sequence = 0;
/** Of the millisecond of the last one. */
let begin = { at: Number.NaN, text: '' };

/** Rises with time, and within one millisecond with the order of calls. */
export function newEntryId(now: number): string {
  sequence = (sequence + 1) % 0x10000;
  if (now !== begin.at) begin = { at: now, text: now.toString(16).padStart(12, '0') };
  return `${begin.text}${sequence.toString(16).padStart(4, '0')}${randomHex()}`;
}

const random = Buffer.alloc(4096);
let used = random.length;

/** 8 random bytes; they are made many at once, which costs hardly more than a few. */
function randomHex(): string {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  used += 8;
  return random.toString('hex', used - 8, used);
}

/** The entry of a call that was refused: little of what was asked for is safe to keep. */
export function refusedEntry(run: RunView, input: CallInput, caller: string, now: number, redactor: Redactor): Entry {
  const request: RequestRecord = {
    method: input.method,
    url: askedUrl(run, input, redactor),
    headers: [],
    bodyBytes: Buffer.byteLength(input.body ?? ''),
    bodyCut: false,
    bodyRedacted: false,
    port: null,
    timeoutMs: null,
    repeatable: false,
  };
  return newEntry(run, input, caller, now, request);
}

/** The entry of a call that passed every check: all of the request but what is redacted. */
export function checkedEntry(
  run: RunView,
  input: CallInput,
  call: PreparedCall,
  caller: string,
  now: number,
  redactor: Redactor,
): Entry {
  const { origin, path, service } = call.target;
  const request: RequestRecord = {
    method: input.method,
    url: redactor.url(`${origin}${path}`),
    headers: redactor.headers(input.headers),
    bodyBytes: call.body?.length ?? 0,
    bodyCut: false,
    bodyRedacted: false,
    port: input.url == null ? service.port : null,
    timeoutMs: input.timeoutMs,
    repeatable: input.record,
  };
  return { ...newEntry(run, input, caller, now, request), bodies: { request: input.body, response: null } };
}

function newEntry(run: RunView, input: CallInput, caller: string, now: number, request: RequestRecord): Entry {
  return {
    id: newEntryId(now),
    serviceRunId: run.id,
    runId: run.runId,
    caller,
    startedAt: now,
    outcome: 'IN_PROGRESS',
    errorCode: null,
    message: null,
    recorded: input.record,
    request,
    response: null,
    timings: noTimings,
  };
}

/** How a call ended, where that is known. */
type End = Pick<Entry, 'outcome' | 'message' | 'timings'>;

/** With the answer as the caller sees it: whole and in the clear. */
export function answeredEntry(
  entry: Entry,
  response: Response | null,
  { outcome, message, timings }: End = entry,
): Entry {
  if (!response) return { ...entry, outcome, message, timings };
  const { status, statusText, headers, contentType, body, bodyBytes, truncated, lossy } = response;
  const shown = headers.map(({ name, value }) => ({ name, value, redacted: false }));
  return {
    ...entry,
    outcome,
    message,
    timings,
    response: { status, statusText, headers: shown, contentType, bodyBytes, truncated, lossy },
    bodies: { request: entry.bodies?.request ?? null, response: body },
  };
}

/** The entry of a call that had no answer; an error that is not the service's is ours. */
export function failedEntry(entry: Entry, error: unknown): Entry {
  if (error instanceof CallFailure) {
    const { outcome, message, timings } = error;
    return { ...entry, outcome, message, timings: timings ?? entry.timings };
  }
  return { ...entry, outcome: 'CANCELLED', errorCode: 'INTERNAL', message: 'Something went wrong on our side.' };
}

/** What may be kept of an entry: redacted, cut, and without bodies and headers where they are not to be recorded. */
export function keptEntry(entry: Entry, config: InvokeConfig, redactor: Redactor): Entry {
  const { request, response, bodies } = entry;
  if (!entry.recorded) {
    return {
      ...entry,
      request: { ...request, headers: [] },
      response: response && { ...response, headers: [] },
      bodies: { request: null, response: null },
    };
  }
  const text = redacted(bodies?.request ?? null, redactor);
  const sent = cut(text, config.historyRequestBytes);
  const came = cut(redacted(bodies?.response ?? null, redactor), config.historyResponseBytes);
  const kept: Bodies = { request: sent.text, response: came.text };
  const record: ResponseRecord | null = response && {
    ...response,
    headers: redactor.headers(response.headers),
    truncated: response.truncated || came.cut,
  };
  return {
    ...entry,
    request: { ...request, bodyCut: sent.cut, bodyRedacted: text !== (bodies?.request ?? null) },
    response: record,
    bodies: kept,
  };
}

function redacted(text: string | null, redactor: Redactor): string | null {
  return text === null ? null : redactor.text(text);
}

function cut(text: string | null, maxBytes: number): { text: string | null; cut: boolean } {
  // A character has three bytes at most: most texts need not be measured.
  if (text === null || text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return { text, cut: false };
  const bytes = Buffer.from(text.slice(0, maxBytes)).subarray(0, maxBytes);
  return { text: new TextDecoder().decode(bytes, { stream: true }), cut: true };
}

/** What was asked for, in a form that is safe to keep: printable, without a user name, and short. */
function askedUrl(run: RunView, { url, port, path }: CallInput, redactor: Redactor): string {
  const own = run.status.service?.url ?? `${run.name}.${run.namespace}`;
  const authority = port == null ? own : `${own.replace(/:\d+$/, '')}:${port}`;
  const text = url ?? `http://${authority}${path ?? '/'}`;
  const printable = text
    .slice(0, maxRefusedUrl)
    .replace(/[^\x21-\x7e]/g, (character) => encodeURI(character.toWellFormed()))
    .replace(/^([a-z]+:)?(\/\/)?[^/?#]*@/i, '$1$2');
  return redactor.url(printable);
}
