import type { Socket } from 'node:net';
import type { Clock } from '../../clock.ts';
import { AnswerParser, type Receiver } from './answer-parser.ts';
import type { Dial } from './connector.ts';
import { CallFailure, brokeOff } from './failure.ts';
import type { OutgoingRequest } from './request.ts';

/** Where connections lead, and who shares them. */
export interface Line {
  /** Only calls of the same key use the same connection: those of one caller to one Pod. */
  key: string;
  /**
   * Opens a connection for a call. What arrives goes to `take`, which says whether to read on and keeps none of the bytes.
   * Rejects with a CallFailure.
   */
  connect(dial: Dial, take: (bytes: Buffer) => boolean): Promise<Socket>;
}

/** Takes the one answer, or learns why there is none. */
export interface CallReceiver extends Receiver {
  broken(error: unknown): void;
}

/** One connection for one call at a time. */
export interface Connection {
  /** False: it was used before. */
  readonly fresh: boolean;
  /** Sends the request, once. */
  send(request: OutgoingRequest, dial: Dial, receiver: CallReceiver): void;
  /** Reads on after the receiver had enough for a while. */
  resume(): void;
  /** Closes it at once; idempotent. The receiver is told nothing more. */
  destroy(): void;
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

export function createConnections(clock: Clock): Connections {
  const resting = new Map<string, PinnedConnection[]>();
  let toSend: (() => void)[] = [];
  const sendAll = () => {
    const sends = toSend;
    toSend = [];
    for (const send of sends) send();
  };
  const pool: Pool = {
    clock,
    afterTurn(send) {
      if (toSend.push(send) === 1) setImmediate(sendAll);
    },
    rest(connection) {
      const { key } = connection.line;
      const others = resting.get(key);
      if (others) others.push(connection);
      else resting.set(key, [connection]);
    },
    forget(connection) {
      const { key } = connection.line;
      const others = resting.get(key);
      const index = others?.indexOf(connection) ?? -1;
      if (!others || index < 0) return;
      others.splice(index, 1);
      if (others.length === 0) resting.delete(key);
    },
  };
  return {
    take(line) {
      const present = resting.get(line.key)?.at(-1);
      if (!present) return new PinnedConnection(line, pool);
      present.wake();
      return present;
    },
    close() {
      for (const connection of [...resting.values()].flat()) connection.destroy();
    },
  };
}

interface Pool {
  clock: Clock;
  /**
   * With all others of the turn: a service that sleeps is woken once for them, which takes longer than all the rest of
   * sending.
   */
  afterTurn(send: () => void): void;
  rest(connection: PinnedConnection): void;
  forget(connection: PinnedConnection): void;
}

class PinnedConnection implements Connection {
  readonly line: Line;
  fresh = true;
  readonly #pool: Pool;
  readonly #parser = new AnswerParser();
  #socket: Socket | null = null;
  #receiver: CallReceiver | null = null;
  #ended = false;
  /** The service has closed its side. */
  #left = false;
  #stopResting: (() => void) | null = null;

  constructor(line: Line, pool: Pool) {
    this.line = line;
    this.#pool = pool;
  }

  send(request: OutgoingRequest, dial: Dial, receiver: CallReceiver): void {
    this.#receiver = receiver;
    const socket = this.#socket;
    if (socket) this.#pool.afterTurn(() => this.#write(socket, request));
    else void this.#open(request, dial);
  }

  async #open(request: OutgoingRequest, dial: Dial): Promise<void> {
    try {
      const socket = await this.line.connect(dial, (bytes) => this.#take(bytes));
      this.#socket = socket;
      socket.on('error', (error) => this.#fail(error));
      socket.on('end', () => this.#close());
      socket.on('close', () => this.#close());
      if (this.#ended) socket.destroy();
      else if (socket.destroyed) this.#fail(new CallFailure('PROTOCOL_ERROR', brokeOff));
      else this.#write(socket, request);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** From here on nothing is ever sent again, on this or another connection. */
  #write(socket: Socket, { method, head, body }: OutgoingRequest): void {
    const receiver = this.#receiver;
    if (!receiver) return;
    if (this.#left) return this.#fail(new CallFailure('PROTOCOL_ERROR', brokeOff));
    this.#parser.expect(method, receiver);
    if (!body) return void socket.write(head, 'latin1');
    socket.cork();
    socket.write(head, 'latin1');
    socket.write(body);
    socket.uncork();
  }

  #take(bytes: Buffer): boolean {
    try {
      return this.#parser.take(bytes);
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #close(): void {
    if (this.#ended) return;
    this.#left = true;
    try {
      this.#parser.close();
      if (!this.#receiver) this.destroy();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const receiver = this.#receiver;
    this.destroy();
    receiver?.broken(error);
  }

  resume(): void {
    this.#socket?.resume();
  }

  destroy(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#receiver = null;
    this.#parser.abandon();
    this.#stopResting?.();
    this.#socket?.destroy();
  }

  release(): void {
    if (!this.#parser.atRest || this.#ended) return this.destroy();
    this.#receiver = null;
    // Bytes that came with the answer, or its end, are seen first.
    setImmediate(() => this.#rest());
  }

  #rest(): void {
    if (this.#ended || this.#left || !this.#parser.atRest) return this.destroy();
    const cancel = this.#pool.clock.after(restMs, () => this.destroy());
    this.#pool.rest(this);
    this.#stopResting = () => {
      cancel();
      this.#pool.forget(this);
      this.#stopResting = null;
    };
  }

  wake(): void {
    this.fresh = false;
    this.#stopResting?.();
  }
}
