/** Bytes that may wait for a slow reader before the service is made to wait. */
const maxWaitingBytes = 65_536;

/** The bytes of an answer as they come, read by one reader. */
export class AnswerBody implements AsyncIterableIterator<Buffer> {
  readonly #resume: () => void;
  #paused = false;
  #chunks: Buffer[] = [];
  #waitingBytes = 0;
  #ended = false;
  #error: unknown;
  #reader: PromiseWithResolvers<IteratorResult<Buffer>> | null = null;

  /** `resume` lets the service go on after `add` gave false. */
  constructor(resume: () => void) {
    this.#resume = resume;
  }

  /** The whole of it has come. */
  get complete(): boolean {
    return this.#ended && this.#error === undefined;
  }

  /** All of it, where nothing of it was read and nothing is to come; else null. */
  whole(): Buffer | null {
    if (!this.complete || this.#chunks.length > 1) return null;
    return this.#chunks.shift() ?? Buffer.alloc(0);
  }

  /** False: no more for now. */
  add(chunk: Buffer): boolean {
    if (this.#ended) return true;
    const reader = this.#reader;
    if (reader) {
      this.#reader = null;
      reader.resolve({ value: chunk, done: false });
      return true;
    }
    this.#chunks.push(chunk);
    this.#waitingBytes += chunk.length;
    this.#paused ||= this.#waitingBytes >= maxWaitingBytes;
    return !this.#paused;
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
      if (this.#waitingBytes === 0 && this.#paused) {
        this.#paused = false;
        this.#resume();
      }
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
