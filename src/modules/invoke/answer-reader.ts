import type { Socket } from 'node:net';
import type { Wire } from './connections.ts';
import { CallFailure, brokeOff } from './failure.ts';

const maxInterimAnswers = 10;
const maxHeadBytes = 16_384;
const headEnd = '\r\n\r\n';

/**
 * Stands between a socket and undici: leaves out what undici can't take, and catches what it lets pass: interim answers
 * (it ends the connection at a 100 nobody asked for), bytes after the declared length of a body, and bytes nobody asked for.
 */
export class AnswerReader implements Wire {
  readonly #socket: Socket;
  readonly #push: Socket['push'];
  /** What came of an answer whose head is not complete; null once it is. */
  #head: Buffer | null = null;
  #interim = 0;
  /** Bytes still to come; null when they are not counted. */
  #left: number | null = 0;
  #bodyless = false;
  #framed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#push = socket.push.bind(socket);
    socket.push = (chunk: Buffer | null, encoding) => this.#take(chunk, encoding);
    const destroy = socket.destroy.bind(socket);
    socket.destroy = (error) => destroy(endOf(error));
  }

  /** An answer to a request of this method is to come. */
  expect(method: string): void {
    this.#head = Buffer.alloc(0);
    this.#interim = 0;
    this.#left = null;
    this.#bodyless = method === 'HEAD';
    this.#framed = false;
  }

  /** Nothing more may come until the next `expect`. True when the answer had such a form that its end is beyond doubt. */
  rest(): boolean {
    const clean = this.#framed && (this.#left === null || this.#left === 0);
    this.#left = 0;
    return clean && !this.#socket.destroyed;
  }

  isDestroyed(): boolean {
    return this.#socket.destroyed;
  }

  #take(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    if (chunk === null) {
      // The rest of a head that never ended is for the parser to refuse.
      if (this.#head?.length) this.#push(this.#head);
      this.#head = null;
      return this.#push(null);
    }
    const passed = this.#head
      ? this.#begin(this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]))
      : chunk;
    if (!passed) return true;
    if (this.#left !== null) this.#left -= passed.length;
    if (this.#left === null || this.#left >= 0) return this.#push(passed, encoding);
    this.#socket.destroy(new CallFailure('PROTOCOL_ERROR', 'The answer is longer than it said.'));
    return false;
  }

  /** What to pass on of an answer whose head is not complete; null to wait for more. */
  #begin(bytes: Buffer): Buffer | null {
    let rest = bytes;
    for (;;) {
      const end = rest.indexOf(headEnd);
      const isHttp = rest.subarray(0, 5).toString('latin1') === 'HTTP/'.slice(0, Math.min(5, rest.length));
      if (end < 0 && isHttp && rest.length <= maxHeadBytes) {
        this.#head = rest;
        return null;
      }
      const head = end < 0 ? '' : rest.toString('latin1', 0, end);
      if (!/^HTTP\/1\.[01] 1(?!01)\d\d(?:[ \r]|$)/.test(head)) {
        this.#head = null;
        this.#frame(head);
        if (this.#left !== null) this.#left += end + headEnd.length;
        return rest;
      }
      if (++this.#interim > maxInterimAnswers) {
        this.#socket.destroy(new CallFailure('PROTOCOL_ERROR', 'The service sent too many interim answers.'));
        return null;
      }
      rest = rest.subarray(end + headEnd.length);
    }
  }

  /** How the end of the body will be known. */
  #frame(head: string): void {
    const lengths = [...head.matchAll(/\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?=\r|$)/gi)];
    const chunked = /\r\ntransfer-encoding:/i.test(head);
    const bodyless = this.#bodyless || /^HTTP\/1\.[01] (204|304)/.test(head);
    if (!bodyless && lengths.length === 1 && !chunked) this.#left = Number(lengths[0]?.[1]);
    this.#framed = !bodyless && head.startsWith('HTTP/1.1') && chunked !== (lengths.length === 1);
  }
}

/** undici takes a reset for the proper end of a body that only the end of its connection ends. */
function endOf(error: Error | undefined): Error | undefined {
  const reset = error !== undefined && 'code' in error && error.code === 'ECONNRESET';
  return reset ? new CallFailure('PROTOCOL_ERROR', brokeOff) : error;
}
