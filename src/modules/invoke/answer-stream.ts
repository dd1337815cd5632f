import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { CallFailure } from './failure.ts';

const maxInterimAnswers = 10;
const maxHeadBytes = 16_384;
const headEnd = '\r\n\r\n';

/**
 * A connection that leaves out what undici can't take, and catches what it lets pass: interim answers (it ends the
 * connection at a 100 nobody asked for), and bytes after the declared length of a body.
 */
export class AnswerStream extends Duplex {
  readonly #socket: Socket;
  readonly #bodyless: boolean;
  #head: Buffer | null = Buffer.alloc(0);
  #interim = 0;
  /** Bytes of the body still to come; null when they are not counted. */
  #left: number | null = null;

  constructor(socket: Socket, method: string) {
    super({ emitClose: true, autoDestroy: true });
    this.#socket = socket;
    this.#bodyless = method === 'HEAD';
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => {
      if (this.#head) this.push(this.#head);
      this.push(null);
    });
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, encoding, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  ref(): this {
    this.#socket.ref();
    return this;
  }

  unref(): this {
    this.#socket.unref();
    return this;
  }

  #take(chunk: Buffer): void {
    const passed = this.#head ? this.#begin(Buffer.concat([this.#head, chunk])) : chunk;
    if (!passed) return;
    if (this.#left !== null) this.#left -= passed.length;
    if (this.#left !== null && this.#left < 0) {
      this.destroy(new CallFailure('PROTOCOL_ERROR', 'The answer is longer than it said.'));
    } else if (!this.push(passed)) this.#socket.pause();
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
      const head = end < 0 ? '' : rest.subarray(0, end).toString('latin1');
      if (!/^HTTP\/1\.[01] 1(?!01)\d\d[ \r]/.test(`${head}\r`)) {
        this.#head = null;
        this.#left = this.#declaredBytes(head, end);
        return rest;
      }
      if (++this.#interim > maxInterimAnswers) {
        this.destroy(new CallFailure('PROTOCOL_ERROR', 'The service sent too many interim answers.'));
        return null;
      }
      rest = rest.subarray(end + headEnd.length);
    }
  }

  /** Bytes of head and body together, where the head declares them. */
  #declaredBytes(head: string, end: number): number | null {
    const lengths = [...head.matchAll(/\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?=\r|$)/gi)];
    if (this.#bodyless || lengths.length !== 1 || /\r\ntransfer-encoding:/i.test(head)) return null;
    if (/^HTTP\/1\.[01] (204|304)/.test(head)) return null;
    return end + headEnd.length + Number(lengths[0]?.[1]);
  }
}
