import type { Dispatcher } from 'undici';

/** Bytes that may wait for a slow reader before the service is made to wait. */
const maxWaitingBytes = 65_536;

/** The bytes of an answer as they come, read by one reader. */
export class AnswerBody implements AsyncIterableIterator<Buffer> {
  #controller: Dispatcher.DispatchController | null = null;
  #chunks: Buffer[] = [];
  #waitingBytes = 0;
  #ended = false;
  #error: unknown;
  #reader: PromiseWithResolvers<IteratorResult<Buffer>> | null = null;

  /** The whole of it has come. */
  get complete(): boolean {
    return this.#ended && this.#error === undefined;
  }

  add(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#ended) return;
    const reader = this.#reader;
    if (reader) {
      this.#reader = null;
      reader.resolve({ value: chunk, done: false });
      return;
    }
    this.#chunks.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes < maxWaitingBytes) return;
    this.#controller = controller;
    controller.pause();
  }

  end(): void {
    this.#ended = true;
    this.#reader?.resolve({ value: undefined, done: true });
    this.#reader = null;
  }

  fail(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#reader?.reject(error);
    this.#reader = null;
  }

  async next(): Promise<IteratorResult<Buffer>> {
    const chunk = this.#chunks.shift();
    if (chunk) {
      this.#waitingBytes -= chunk.length;
      if (this.#waitingBytes === 0) this.#controller?.resume();
      return { value: chunk, done: false };
    }
    if (this.#error !== undefined) throw this.#error;
    if (this.#ended) return { value: undefined, done: true };
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
