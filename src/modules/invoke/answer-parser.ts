import { framingOf } from './answer-framing.ts';
import { type AnswerHead, checkBeginning, headerLine, maxHeadBytes, readHead } from './answer-head.ts';
import { CallFailure, brokeOff, improper } from './failure.ts';

/** Takes an answer as it comes. */
export interface Receiver {
  head(head: AnswerHead): void;
  /** The bytes are the receiver's own. False: the next ones have to wait. */
  data(bytes: Buffer): boolean;
  end(): void;
}

type State = 'idle' | 'head' | 'length' | 'untilClose' | 'chunkSize' | 'chunk' | 'chunkEnd' | 'trailers' | 'surplus';

const maxInterimAnswers = 10;
const maxChunkLine = 4_096;
const lineEnd = '\r\n';
const chunkLine = /^([0-9a-fA-F]{1,13})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

/**
 * Reads the answers on one connection by the letter of RFC 9112: what two parsers could understand in two ways is no answer
 * but an error. Interim answers are left out.
 */
export class AnswerParser {
  #state: State = 'idle';
  #receiver: Receiver | null = null;
  #method = '';
  /** Of a head or line whose end is still to come. */
  #kept: Buffer | null = null;
  #left = 0;
  #interim = 0;
  #trailerBytes = 0;
  #persistent = false;
  /** The receiver has had enough for now. */
  #paused = false;

  /** An answer to a request of this method is to come. */
  expect(method: string, receiver: Receiver): void {
    this.#state = 'head';
    this.#receiver = receiver;
    this.#method = method;
    this.#interim = 0;
    this.#trailerBytes = 0;
    this.#persistent = false;
  }

  /** True when the answer is over beyond doubt, and the connection is fit for another. */
  get atRest(): boolean {
    return this.#state === 'idle' && this.#persistent;
  }

  /** Tells the receiver of nothing more. */
  abandon(): void {
    this.#receiver = null;
    this.#state = 'surplus';
  }

  /** False: read no more for now. Throws a CallFailure at what is no proper answer, or not asked for. */
  take(bytes: Buffer): boolean {
    let input = bytes;
    if (this.#kept) {
      input = Buffer.concat([this.#kept, bytes]);
      this.#kept = null;
    }
    this.#paused = false;
    for (let at = 0; at < input.length && this.#state !== 'surplus'; ) {
      const next = this.#step(input, at);
      if (next < 0) {
        this.#kept = Buffer.from(input.subarray(at));
        break;
      }
      at = next;
    }
    return !this.#paused;
  }

  /** Nothing more comes. Throws when something should have. */
  close(): void {
    if (this.#state === 'untilClose') this.#end();
    else if (this.#state === 'head' && this.#kept) {
      checkBeginning(this.#kept, 0);
      throw new CallFailure('PROTOCOL_ERROR', brokeOff);
    } else if (this.#state !== 'idle' && this.#state !== 'surplus') throw new CallFailure('PROTOCOL_ERROR', brokeOff);
  }

  /** Where to go on; -1 to wait for more. */
  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'head':
        return this.#head(bytes, at);
      case 'length':
        if (bytes.length - at > this.#left) throw tooLong();
        return this.#counted(bytes, at);
      case 'untilClose':
        return this.#pass(bytes, at, bytes.length);
      case 'chunkSize':
        return this.#chunkSize(bytes, at);
      case 'chunk':
        return this.#counted(bytes, at);
      case 'chunkEnd':
        return this.#chunkEnd(bytes, at);
      case 'trailers':
        return this.#trailer(bytes, at);
      default:
        // Nobody asked for it.
        throw improper();
    }
  }

  #head(bytes: Buffer, at: number): number {
    const found = readHead(bytes, at);
    if (!found) return -1;
    const { head, next } = found;
    if (head.status >= 100 && head.status < 200) {
      // A switch of protocols was not asked for.
      if (head.status === 101) throw improper();
      if (++this.#interim > maxInterimAnswers)
        throw new CallFailure('PROTOCOL_ERROR', 'The service sent too many interim answers.');
      return next;
    }
    const { kind, length, persistent } = framingOf(head, this.#method);
    if (kind === 'length' && bytes.length - next > length) throw tooLong();
    this.#persistent = persistent;
    this.#left = length;
    this.#state = kind === 'chunked' ? 'chunkSize' : kind === 'untilClose' ? kind : 'length';
    this.#receiver?.head(head);
    if (this.#left === 0 && this.#state === 'length') this.#end();
    return next;
  }

  #counted(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    const isLast = this.#left === 0;
    const isLength = this.#state === 'length';
    if (isLast && !isLength) this.#state = 'chunkEnd';
    this.#pass(bytes, at, end);
    if (isLast && isLength) this.#end();
    return end;
  }

  #pass(bytes: Buffer, at: number, end: number): number {
    // The buffer is used again for what comes next.
    if (this.#receiver?.data(Buffer.from(bytes.subarray(at, end))) === false) this.#paused = true;
    return end;
  }

  #chunkSize(bytes: Buffer, at: number): number {
    const end = lineFrom(bytes, at);
    if (end < 0) return -1;
    const [, size] = chunkLine.exec(bytes.toString('latin1', at, end)) ?? [];
    if (size === undefined) throw improper();
    this.#left = Number.parseInt(size, 16);
    this.#state = this.#left === 0 ? 'trailers' : 'chunk';
    return end + lineEnd.length;
  }

  #chunkEnd(bytes: Buffer, at: number): number {
    if (bytes.length - at < lineEnd.length) return -1;
    if (bytes[at] !== 0x0d || bytes[at + 1] !== 0x0a) throw improper();
    this.#state = 'chunkSize';
    return at + lineEnd.length;
  }

  /** What stands in trailers is of no interest. */
  #trailer(bytes: Buffer, at: number): number {
    const end = lineFrom(bytes, at);
    if (end < 0) return -1;
    const next = end + lineEnd.length;
    if (end > at) {
      this.#trailerBytes += next - at;
      if (this.#trailerBytes > maxHeadBytes || !headerLine.test(bytes.toString('latin1', at, end))) throw improper();
      return next;
    }
    if (next < bytes.length) throw tooLong();
    this.#end();
    return next;
  }

  #end(): void {
    const receiver = this.#receiver;
    this.#receiver = null;
    this.#state = this.#persistent ? 'idle' : 'surplus';
    receiver?.end();
  }
}

/** Where the line ends; -1 when that is still to come. */
function lineFrom(bytes: Buffer, at: number): number {
  const end = bytes.indexOf(lineEnd, at, 'latin1');
  if ((end < 0 ? bytes.length : end) - at > maxChunkLine) throw improper();
  return end;
}

function tooLong(): CallFailure {
  return new CallFailure('PROTOCOL_ERROR', 'The answer is longer than it said.');
}
