import { Client, type Dispatcher, type buildConnector } from 'undici';
import type { Clock } from '../../clock.ts';
import type { Dial } from './connector.ts';

/** Where connections lead, and who shares them. */
export interface Line {
  /** Only calls of the same key use the same connection: those of one caller to one Pod. */
  key: string;
  /** What undici calls it; nothing is looked up by it. */
  origin: string;
  /** `dial` gives the call that waits for the connection; null: none does, so there is nothing to connect for. */
  connector(dial: () => Dial | null, opened: (wire: Wire) => void): buildConnector.connector;
}

/** What a connection's socket knows of the answers on it. */
export interface Wire {
  /** An answer to a request of this method is to come. */
  expect(method: string): void;
  /** True when the answer is over beyond doubt, and the connection is fit for another. */
  rest(): boolean;
  isDestroyed(): boolean;
}

/** An address as URLs write it. */
export function addressOf(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** One connection for one call at a time. */
export interface Connection {
  /** False: it was used before. */
  readonly fresh: boolean;
  send(request: Dispatcher.DispatchOptions, dial: Dial, handler: Dispatcher.DispatchHandler): void;
  /** Closes it at once; idempotent. */
  destroy(reason: Error | null): void;
  /** The answer is complete: it may serve another call. */
  release(): void;
}

export interface Connections {
  take(line: Line): Connection;
  /** Closes those at rest. */
  close(): void;
}

/**
 * How long a connection rests before it is closed: long enough for calls that come in a row, too short for a service
 * to close it just when the next call begins, which would fail that call.
 */
const restMs = 500;
const maxHeaderBytes = 16_384;

export function createConnections(clock: Clock): Connections {
  const resting = new Map<string, PinnedConnection[]>();
  const forget = (connection: PinnedConnection) => {
    const others = (resting.get(connection.line.key) ?? []).filter((other) => other !== connection);
    if (others.length > 0) resting.set(connection.line.key, others);
    else resting.delete(connection.line.key);
  };
  const rest = (connection: PinnedConnection) => {
    const { key } = connection.line;
    resting.set(key, [...(resting.get(key) ?? []), connection]);
    connection.rest(clock, () => forget(connection));
  };
  return {
    take(line) {
      const present = resting.get(line.key)?.at(-1);
      if (!present) return new PinnedConnection(line, rest);
      forget(present);
      present.wake();
      return present;
    },
    close() {
      for (const connection of [...resting.values()].flat()) connection.destroy(null);
      resting.clear();
    },
  };
}

class PinnedConnection implements Connection, Dispatcher.DispatchHandler {
  readonly line: Line;
  fresh = true;
  readonly #whenRested: (connection: PinnedConnection) => void;
  #client: Client;
  #wire: Wire | null = null;
  /** The call that waits to be sent; null from then on. */
  #waiting: { request: Dispatcher.DispatchOptions; dial: Dial } | null = null;
  #handler: Dispatcher.DispatchHandler = {};
  #ended = false;
  #stopResting = () => {};

  constructor(line: Line, whenRested: (connection: PinnedConnection) => void) {
    this.line = line;
    this.#whenRested = whenRested;
    this.#client = this.#createClient();
  }

  #createClient(): Client {
    const dial = () => this.#waiting?.dial ?? null;
    const opened = (wire: Wire) => {
      this.#wire = wire;
    };
    return new Client(this.line.origin, {
      connect: this.line.connector(dial, opened),
      // Our own timers follow the injected clock.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: restMs,
      keepAliveMaxTimeout: restMs,
      maxHeaderSize: maxHeaderBytes,
    });
  }

  send(request: Dispatcher.DispatchOptions, dial: Dial, handler: Dispatcher.DispatchHandler): void {
    this.#waiting = { request, dial };
    this.#handler = handler;
    this.#client.dispatch(request, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    // From here on nothing is ever sent again, on this or another connection.
    this.#wire?.expect(this.#waiting?.request.method ?? '');
    this.#waiting = null;
    this.#handler.onRequestStart?.(controller, context);
  }

  onResponseStart(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>): void {
    this.#handler.onResponseStart?.(...args);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseEnd']>>): void {
    this.#handler.onResponseEnd?.(...args);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    // It was closed while it rested: nothing of this call was sent, so a new connection may take it.
    if (this.#waiting && !this.fresh && !this.#ended) {
      this.fresh = true;
      this.#abandon(null);
      this.#client = this.#createClient();
      this.#client.dispatch(this.#waiting.request, this);
    } else this.#handler.onResponseError?.(controller, error);
  }

  destroy(reason: Error | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopResting();
    this.#abandon(reason);
  }

  #abandon(reason: Error | null): void {
    // What the promise reports is the end of requests that nobody wants any more.
    this.#client.destroy(reason).catch(() => {});
  }

  release(): void {
    if (!this.#wire?.rest()) return this.destroy(null);
    // Bytes that came with the answer, or its end, are seen first.
    setImmediate(() => {
      if (this.#ended || !this.#wire || this.#wire.isDestroyed()) this.destroy(null);
      else this.#whenRested(this);
    });
  }

  rest(clock: Clock, over: () => void): void {
    const end = () => {
      over();
      this.destroy(null);
    };
    const client = this.#client;
    const cancel = clock.after(restMs, end);
    client.once('disconnect', end);
    this.#stopResting = () => {
      cancel();
      client.off('disconnect', end);
      this.#stopResting = () => {};
    };
  }

  wake(): void {
    this.fresh = false;
    this.#stopResting();
  }
}
