import type { Clock } from '../../clock.ts';
import { type When, aborted } from '../../endings.ts';
import type { OpenCall } from './call.ts';
import type { StartedCall } from './calls.ts';
import type { InvokeConfig } from './config.ts';
import {
  type ContentType,
  type PieceDecoder,
  type Text,
  charsetOf,
  couldBecomeMark,
  looksBinary,
  pieceDecoder,
} from './content.ts';
import type { Entry } from './entry.ts';
import { CallFailure, type Outcome } from './failure.ts';
import type { Reach } from './reach.ts';
import { answeredEntry, failedEntry } from './recording.ts';
import { type Response, readable, responseHead } from './response.ts';

/** A part of a streamed answer. The invocation is on the first and the last one. */
export interface InvocationChunk {
  invocation: Entry | null;
  text: string;
  final: boolean;
}

export interface StreamParts {
  config: InvokeConfig;
  clock: Clock;
  reach: Reach;
  whenStopped: When;
}

/** Makes a call and hands on its answer as it comes; leaving the loop, or the signal, ends the call upstream. */
export function streamCall(
  parts: StreamParts,
  started: StartedCall,
  signal: AbortSignal,
): AsyncIterableIterator<InvocationChunk> {
  const left = new AbortController();
  const chunks = run(parts, started, [aborted(signal), parts.whenStopped, aborted(left.signal)]);
  let begun = false;
  return {
    next() {
      begun = true;
      return chunks.next();
    },
    async return() {
      left.abort();
      // A generator that never began skips its `finally`, and with it the record of the call.
      if (!begun)
        await started.finish(failedEntry(started.entry, new CallFailure('CANCELLED', 'The caller went away.')));
      return chunks.return(undefined);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

const nothing: Text = { text: '', lossy: false };

interface Received {
  outcome: Outcome;
  message: string | null;
  /** What was handed on, up to what the history keeps. */
  text: string;
  /** Not all that was handed on is in `text`. */
  cut: boolean;
  bytes: number;
  lossy: boolean;
}

async function* run(
  { config, clock, reach }: StreamParts,
  { entry, call, caller, confirm, finish }: StartedCall,
  endings: readonly When[],
): AsyncGenerator<InvocationChunk, undefined> {
  let open: OpenCall | null = null;
  let head: Response | null = null;
  const received: Received = {
    outcome: 'CANCELLED',
    message: 'The caller went away.',
    text: '',
    cut: false,
    bytes: 0,
    lossy: false,
  };
  const ended = () => {
    open?.close();
    const { outcome, message, text, bytes, lossy } = received;
    const body = outcome === 'UNSUPPORTED_CONTENT' ? null : text;
    const cut = received.cut || outcome !== 'COMPLETED';
    const response = head && { ...head, body, bodyBytes: bytes, truncated: cut && body !== null, lossy };
    return answeredEntry(entry, response, { outcome, message, timings: open?.timings ?? entry.timings });
  };
  let result: Entry | null = null;
  try {
    const limits = { ...call.limits, totalTimeoutMs: config.streamTimeoutMs };
    open = await reach.open({ ...call, limits }, caller, { clock, endings, confirm });
    head = responseHead(open);
    yield { invocation: answeredEntry(entry, head), text: '', final: false };
    for await (const text of textOf(open, call.method, received, { config, clock })) {
      yield { invocation: null, text, final: false };
    }
    result = ended();
  } catch (error) {
    result = open && error instanceof CallFailure ? ended() : failedEntry(entry, error);
    if (result.errorCode === 'INTERNAL') throw error;
  } finally {
    await finish(result ?? ended());
  }
  yield { invocation: result, text: '', final: true };
}

/** The decoded text piece by piece; `received` says how it ended. */
async function* textOf(
  open: OpenCall,
  method: string,
  received: Received,
  { config, clock }: Pick<StreamParts, 'config' | 'clock'>,
): AsyncGenerator<string> {
  const end = (outcome: Outcome, message: string | null) => Object.assign(received, { outcome, message });
  const source = readable(open, method, config.streamMaxBytes);
  if (source instanceof CallFailure) end(source.outcome, source.message);
  if (source === null) end('COMPLETED', null);
  if (source === null || source instanceof CallFailure) return;
  const bytes = decidable(source.body);
  const noText = () => end('UNSUPPORTED_CONTENT', 'The answer is not text, whatever its label says.');
  let decoder: PieceDecoder | null = null;
  try {
    for (;;) {
      const { value: chunk, done } = await withinIdleLimit(bytes.next(), open, config.streamIdleTimeoutMs, clock);
      if (done) break;
      decoder ??= decoderFor(chunk, source.content);
      const room = config.streamMaxBytes - received.bytes;
      const piece = decoder?.decode(chunk.subarray(0, room)) ?? null;
      if (piece === null || piece.text.includes('\0')) return void noText();
      keep(received, piece, Math.min(chunk.length, room), config.historyResponseBytes);
      if (piece.text !== '') yield piece.text;
      if (chunk.length > room) {
        end('RESPONSE_TOO_LARGE', `The answer is larger than ${config.streamMaxBytes} bytes: this is its beginning.`);
        return;
      }
    }
  } catch (error) {
    const failure = open.failure(error);
    end(failure.outcome, failure.message);
    return;
  }
  const rest = decoder ? decoder.decode() : nothing;
  if (rest === null) return void noText();
  keep(received, rest, 0, config.historyResponseBytes);
  end('COMPLETED', null);
  if (rest.text !== '') yield rest.text;
}

/** Waits for the next piece; only the time the service is silent counts, not the time the caller takes. */
async function withinIdleLimit<T>(next: Promise<T>, open: OpenCall, idleMs: number, clock: Clock): Promise<T> {
  const cancel = clock.after(idleMs, () =>
    open.fail(new CallFailure('TIMEOUT', `The service sent nothing for ${idleMs} ms.`)),
  );
  try {
    return await next;
  } finally {
    cancel();
  }
}

/** The first piece is as long as it takes to tell what the answer is. */
async function* decidable(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer, undefined> {
  let held: Buffer | null = null;
  let decided = false;
  for await (const chunk of body) {
    if (decided) {
      yield chunk;
      continue;
    }
    held = held ? Buffer.concat([held, chunk]) : chunk;
    decided = !couldBecomeMark(held);
    if (decided) yield held;
  }
  if (held && !decided) yield held;
}

function decoderFor(first: Buffer, content: ContentType | null): PieceDecoder | null {
  const charset = looksBinary(first) ? null : charsetOf(first, content);
  // What does not say that it is text has to be it without a flaw.
  return charset ? pieceDecoder(charset, content === null) : null;
}

function keep(received: Received, { text, lossy }: Text, bytes: number, maxKept: number): void {
  received.bytes += bytes;
  received.lossy ||= lossy;
  const room = maxKept - received.text.length;
  received.text += text.slice(0, room);
  received.cut ||= text.length > room;
}
