import type { Readable } from 'node:stream';
import { Client } from 'undici';
import type { Clock } from '../../clock.ts';
import { pinnedConnector } from './connector.ts';
import { CallFailure, callFailure } from './failure.ts';
import type { Header } from './headers.ts';

/** A checked request and the one address it goes to. */
export interface CallRequest {
  address: string;
  port: number;
  /** The Host header. */
  authority: string;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
  /** Sent byte for byte. */
  path: string;
  headers: readonly Header[];
  body: Buffer | null;
}

export interface CallLimits {
  connectTimeoutMs: number;
  firstByteTimeoutMs: number;
  totalTimeoutMs: number;
}

export interface CallOptions {
  limits: CallLimits;
  clock: Clock;
  /** Aborted when the caller goes away. */
  signal: AbortSignal;
  confirm?: () => boolean;
}

export interface Timings {
  totalMs: number | null;
  connectMs: number | null;
  firstByteMs: number | null;
}

/** An answer whose status and headers are in; the body is read by the caller, who closes it. */
export interface OpenCall {
  status: number;
  statusText: string;
  headers: Header[];
  /** As it came over the wire. */
  body: Readable;
  timings: Timings;
  /** Ends the call with this failure. */
  fail(failure: CallFailure): void;
  /** The failure behind an error that reading the body threw. */
  failure(error: unknown): CallFailure;
  /** Closes the connection at once; idempotent. */
  close(): void;
}

const maxHeaderBytes = 16_384;
const maxHeaderCount = 256;

/** Sends one request over one connection and waits for the head of its answer. Rejects with a CallFailure. */
export async function openCall(request: CallRequest, options: CallOptions): Promise<OpenCall> {
  const { limits, clock, signal } = options;
  const started = performance.now();
  const timings: Timings = { totalMs: null, connectMs: null, firstByteMs: null };
  const aborter = new AbortController();
  const fail = (failure: CallFailure) => aborter.abort(failure);
  const timers = [
    clock.after(limits.totalTimeoutMs, () => fail(timeout(`did not finish within ${limits.totalTimeoutMs} ms`))),
  ];
  const onAbort = () => fail(new CallFailure('CANCELLED', 'The caller went away before the answer was complete.'));
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });

  const client = new Client(`http://${request.authority}`, {
    connect: pinnedConnector({
      address: request.address,
      port: request.port,
      method: request.method,
      connectTimeoutMs: limits.connectTimeoutMs,
      clock,
      signal: aborter.signal,
      confirm: options.confirm,
      connected: () => {
        timings.connectMs = performance.now() - started;
        timers.push(
          clock.after(limits.firstByteTimeoutMs, () => {
            if (timings.firstByteMs === null)
              fail(timeout(`did not begin to answer within ${limits.firstByteTimeoutMs} ms`));
          }),
        );
      },
    }),
    // Our own timers follow the injected clock.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: maxHeaderBytes,
  });
  const close = () => {
    if (timings.totalMs !== null) return;
    timings.totalMs = performance.now() - started;
    for (const cancel of timers) cancel();
    signal.removeEventListener('abort', onAbort);
    // The socket is destroyed at once; what the promise reports is the end of a request we no longer want.
    client.destroy().catch(() => {});
  };
  const failure = (error: unknown) => callFailure(error, aborter.signal.aborted ? aborter.signal.reason : undefined);

  try {
    const answer = await send(client, request, aborter);
    timings.firstByteMs = performance.now() - started;
    // A destroyed body reports its error through whoever reads it; without a reader it must not be unhandled.
    answer.body.on('error', () => {});
    return { ...answer, timings, fail, failure, close };
  } catch (error) {
    close();
    throw Object.assign(failure(error), { timings });
  }
}

async function send(client: Client, request: CallRequest, aborter: AbortController) {
  const { statusCode, statusText, headers, body } = await client.request({
    method: request.method,
    path: request.path,
    headers: request.headers.flatMap(({ name, value }) => [name, value]),
    body: request.body,
    signal: aborter.signal,
    reset: true,
    responseHeaders: 'raw',
  });
  const pairs = headerPairs(headers as unknown as string[]);
  if (statusCode < 200 || statusCode > 599) throw new CallFailure('PROTOCOL_ERROR', 'The answer has no valid status.');
  if (pairs.length > maxHeaderCount) throw new CallFailure('PROTOCOL_ERROR', 'The answer has too many headers.');
  return { status: statusCode, statusText: statusText ?? '', headers: pairs, body: body as Readable };
}

function headerPairs(raw: readonly string[]): Header[] {
  const pairs: Header[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2)
    pairs.push({ name: raw[index] ?? '', value: raw[index + 1] ?? '' });
  return pairs;
}

function timeout(what: string): CallFailure {
  return new CallFailure('TIMEOUT', `The service ${what}.`);
}
