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
}

export function createRecorder(parts: { history: History; clock: Clock; log: Log }): Recorder {
  return new EntryRecorder(parts);
}

class EntryRecorder implements Recorder {
  readonly #history: History;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #queue = new Map<string, Waiting>();
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
    return this.#queue.size;
  }

  put(entry: Entry): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // What was to be written of the same call is in it too.
    this.#remove(this.#queue.get(entry.id));
    const waiting = { entry, bytes: sizeOf(entry), done: resolve };
    this.#queue.set(entry.id, waiting);
    this.#bytes += waiting.bytes;
    while (this.#queue.size > mostWaiting.entries || this.#bytes > mostWaiting.bytes) this.#loseOldest();
    if (this.#down) resolve();
    else this.#flushing ??= this.#flush();
    return promise;
  }

  async close(): Promise<void> {
    this.#cancelRetry();
    await this.#flushing;
    if (this.#queue.size > 0) await this.#flush();
    this.#cancelRetry();
    if (this.#queue.size > 0)
      this.#log.error({ entries: this.#queue.size }, 'calls could not be recorded and are lost');
    this.lost += this.#queue.size;
    this.#queue.clear();
  }

  async #flush(): Promise<void> {
    while (this.#queue.size > 0) {
      // What ends in the same turn of the event loop goes in the same write.
      await endOfTurn();
      const batch = [...this.#queue.values()].slice(0, mostAtOnce);
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
    if (this.#down) this.#log.info({ waiting: this.#queue.size, lost: this.lost }, 'the history can be written again');
    this.#down = false;
    this.#retryIn = retryMs.first;
    for (const waiting of batch) {
      // A newer state of the same call may have come meanwhile.
      if (this.#queue.get(waiting.entry.id) === waiting) this.#remove(waiting);
      else waiting.done();
    }
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
        { err: error, waiting: this.#queue.size },
        `the history ${what}: calls go on, and wait to be recorded`,
      );
    }
    this.#down = true;
    for (const { done } of this.#queue.values()) done();
  }

  #loseOldest(): void {
    const [oldest] = this.#queue.values();
    this.#remove(oldest);
    this.lost += 1;
  }

  #remove(waiting: Waiting | undefined): void {
    if (!waiting) return;
    this.#queue.delete(waiting.entry.id);
    this.#bytes -= waiting.bytes;
    waiting.done();
  }
}

function sizeOf({ bodies, request, response }: Entry): number {
  let size = 1024 + request.url.length + (bodies?.request?.length ?? 0) + (bodies?.response?.length ?? 0);
  for (const { name, value } of request.headers) size += name.length + value.length;
  for (const { name, value } of response?.headers ?? []) size += name.length + value.length;
  return size;
}
