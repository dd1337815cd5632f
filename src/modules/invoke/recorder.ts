import { setImmediate as endOfTurn } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { Entry } from './entry.ts';
import { type History, mostAtOnce } from './history.ts';

/**
 * Writes entries to the history behind the calls. A database that is slow or gone holds up no call for long, and no
 * second one at all: what it does not take waits here, within bounds, until it does.
 */
export interface Recorder {
  /** Resolves once the entry is stored, or will be later, or is lost. Never rejects. */
  put(entry: Entry): Promise<void>;
  /** Entries that wait to be stored. */
  readonly waiting: number;
  /** Entries that will never be stored. */
  readonly lost: number;
  /** Writes that failed. */
  readonly failures: number;
  /** Tries a last time. */
  close(): Promise<void>;
}

/** How long a call waits for its record. */
const patienceMs = 2_000;
const retryMs = { first: 1_000, most: 30_000 };
const mostWaiting = { entries: 1_000, bytes: 33_554_432 };

interface Waiting {
  entry: Entry;
  bytes: number;
  done: () => void;
  /** What became of the same call waits too, or it is stored or lost. */
  over: boolean;
}

export function createRecorder(parts: { history: History; clock: Clock; log: Log }): Recorder {
  return new EntryRecorder(parts);
}

class EntryRecorder implements Recorder {
  readonly #history: History;
  readonly #clock: Clock;
  readonly #log: Log;
  /** In their order. */
  #queue: Waiting[] = [];
  /** Those of calls under way, by id: what becomes of them takes their place. */
  readonly #begun = new Map<string, Waiting>();
  #flushing: Promise<void> | null = null;
  /** Since the database last failed or was too slow: nobody waits for it. */
  #down = false;
  #retryIn = retryMs.first;
  #bytes = 0;
  #cancelRetry = () => {};
  lost = 0;
  failures = 0;

  constructor({ history, clock, log }: { history: History; clock: Clock; log: Log }) {
    this.#history = history;
    this.#clock = clock;
    this.#log = log;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  put(entry: Entry): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#begun.size > 0) this.#supersede(entry.id);
    const waiting = { entry, bytes: sizeOf(entry), done: resolve, over: false };
    if (entry.outcome === 'IN_PROGRESS') this.#begun.set(entry.id, waiting);
    this.#queue.push(waiting);
    this.#bytes += waiting.bytes;
    while (this.#queue.length > mostWaiting.entries || this.#bytes > mostWaiting.bytes) this.#loseOldest();
    if (this.#down) resolve();
    else this.#flushing ??= this.#flush();
    return promise;
  }

  async close(): Promise<void> {
    this.#cancelRetry();
    await this.#flushing;
    if (this.#queue.length > 0) await this.#flush();
    this.#cancelRetry();
    if (this.#queue.length > 0)
      this.#log.error({ entries: this.#queue.length }, 'calls could not be recorded and are lost');
    this.lost += this.#queue.length;
    this.#queue = [];
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      // What ends in the same turn of the event loop goes in the same write.
      await endOfTurn();
      const batch = this.#queue.slice(0, mostAtOnce);
      const cancel = this.#clock.after(patienceMs, () => this.#giveUpWaiting('takes too long'));
      try {
        await this.#history.save(batch.map(({ entry }) => entry));
      } catch (error) {
        this.#failed(error);
        break;
      } finally {
        cancel();
      }
      this.#stored(batch);
    }
    this.#flushing = null;
  }

  #stored(batch: readonly Waiting[]): void {
    if (this.#down)
      this.#log.info({ waiting: this.#queue.length, lost: this.lost }, 'the history can be written again');
    this.#down = false;
    this.#retryIn = retryMs.first;
    for (const waiting of batch) this.#settle(waiting);
    this.#queue = this.#queue.filter(({ over }) => !over);
  }

  #failed(error: unknown): void {
    this.failures += 1;
    this.#giveUpWaiting('can not be written', error);
    this.#cancelRetry = this.#clock.after(this.#retryIn, () => {
      this.#flushing ??= this.#flush();
    });
    this.#retryIn = Math.min(this.#retryIn * 2, retryMs.most);
  }

  #giveUpWaiting(what: string, error?: unknown): void {
    if (!this.#down) {
      this.#log.error(
        { err: error, waiting: this.#queue.length },
        `the history ${what}: calls go on, and wait to be recorded`,
      );
    }
    this.#down = true;
    for (const { done } of this.#queue) done();
  }

  #loseOldest(): void {
    const oldest = this.#queue.shift();
    if (oldest) this.#settle(oldest);
    this.lost += 1;
  }

  /** What is to come of the same call has all that waits of it. */
  #supersede(id: string): void {
    const waiting = this.#begun.get(id);
    if (!waiting) return;
    this.#settle(waiting);
    this.#queue = this.#queue.filter((other) => other !== waiting);
  }

  /** Nobody waits for it, and it takes no space any more. */
  #settle(waiting: Waiting): void {
    if (waiting.over) return;
    waiting.over = true;
    this.#bytes -= waiting.bytes;
    if (this.#begun.size > 0 && this.#begun.get(waiting.entry.id) === waiting) this.#begun.delete(waiting.entry.id);
    waiting.done();
  }
}

function sizeOf({ bodies, request, response }: Entry): number {
  let size = 1024 + request.url.length + (bodies?.request?.length ?? 0) + (bodies?.response?.length ?? 0);
  for (const { name, value } of request.headers) size += name.length + value.length;
  for (const { name, value } of response?.headers ?? []) size += name.length + value.length;
  return size;
}
