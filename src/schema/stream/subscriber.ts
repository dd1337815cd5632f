import { type Buffer, createBuffer } from './buffer.ts';
import type { StreamEvent } from './events.ts';

interface Waiter<Item> {
  resolve(result: IteratorResult<StreamEvent<Item>, undefined>): void;
  reject(error: Error): void;
}

/** Rising numbers of all subscribers of a stream. */
export interface StreamCounts {
  /** Events that were read. */
  delivered: number;
  /** Changes that were merged into a later one before they were read. */
  coalesced: number;
  /** Subscribers that were ended because they read too slowly. */
  slow: number;
  /** Subscribers that were ended because their rights have changed. */
  forbidden: number;
}

const done = { value: undefined, done: true } as const;

/**
 * The reading end of a stream: first the preamble (snapshot or replay), made event by event as it is read, then what
 * has come since. Unlike an async generator it can be ended while a read is waiting.
 */
export class Subscriber<Item> implements AsyncIterableIterator<StreamEvent<Item>, undefined> {
  /** Since when something waits to be read; null while the reader is ahead. */
  stalledSince: number | null;
  #preamble: Iterator<StreamEvent<Item>>;
  /** The preamble's next event: so an exhausted preamble is known as such. */
  #ahead: StreamEvent<Item> | undefined;
  #failure: Error | null = null;
  #ended = false;
  /** The change up to which everything has been told. */
  #told = 0;
  readonly #waiters: Waiter<Item>[] = [];
  readonly #buffer: Buffer<Item>;
  readonly #now: () => number;
  readonly #onEnd: () => void;
  readonly #counts: StreamCounts;

  constructor(
    preamble: Iterator<StreamEvent<Item>>,
    options: {
      now: () => number;
      terminal: (item: Item) => string | null;
      onEnd: () => void;
      counts: StreamCounts;
    },
  ) {
    this.#buffer = createBuffer(options.terminal);
    this.#now = options.now;
    this.#onEnd = options.onEnd;
    this.#counts = options.counts;
    this.#preamble = preamble;
    this.#advance();
    this.stalledSince = options.now();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Events that wait in the buffer behind those that are being told. */
  get waiting(): number {
    return this.#buffer.open;
  }

  push(event: StreamEvent<Item>): void {
    if (this.#ended) return;
    const waiter = this.#waiters.shift();
    if (waiter) return waiter.resolve(this.#deliver(event));
    this.#buffer.push(event);
    this.stalledSince ??= this.#now();
  }

  /** Forgets what is unread and starts over. */
  restart(preamble: Iterator<StreamEvent<Item>>): void {
    if (this.#ended) return;
    this.#buffer.clear();
    this.#preamble = preamble;
    this.#advance();
    this.stalledSince = this.#now();
    while (this.#waiters.length > 0) {
      const value = this.#take();
      if (!value) return;
      this.#waiters.shift()?.resolve(this.#deliver(value));
    }
  }

  /** Ends with an error, which the next read throws; without one the stream is complete. */
  end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#ahead = undefined;
    this.#buffer.clear();
    this.stalledSince = null;
    const [first, ...others] = this.#waiters.splice(0);
    if (first && error) first.reject(error);
    else first?.resolve(done);
    for (const waiter of others) waiter.resolve(done);
    this.#failure = first ? null : (error ?? null);
    this.#onEnd();
  }

  next(): Promise<IteratorResult<StreamEvent<Item>, undefined>> {
    const event = this.#ended ? undefined : this.#take();
    if (event) return Promise.resolve(this.#deliver(event));
    if (this.#failure) {
      const failure = this.#failure;
      this.#failure = null;
      return Promise.reject(failure);
    }
    if (this.#ended) return Promise.resolve(done);
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<StreamEvent<Item>, undefined>> {
    this.end();
    this.#failure = null;
    return Promise.resolve(done);
  }

  throw(error: Error): Promise<IteratorResult<StreamEvent<Item>, undefined>> {
    this.end();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #take(): StreamEvent<Item> | undefined {
    const event = this.#ahead ?? this.#buffer.shift(this.#told);
    if (this.#ahead) this.#advance();
    this.stalledSince = this.#ahead || this.#buffer.size > 0 ? this.#now() : null;
    return event;
  }

  #deliver(event: StreamEvent<Item>): IteratorYieldResult<StreamEvent<Item>> {
    this.#told = event.seq;
    this.#counts.delivered += 1;
    this.#counts.coalesced += event.coalesced;
    return { value: event, done: false };
  }

  #advance(): void {
    const step = this.#preamble.next();
    this.#ahead = step.done ? undefined : step.value;
  }
}
