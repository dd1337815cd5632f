import type { Clock } from '../../clock.ts';
import type { When } from '../../endings.ts';
import { AnswerBody } from './answer-body.ts';
import type { AnswerHead } from './answer-head.ts';
import type { CallReceiver, Connection, Connections, Line } from './connections.ts';
import { CallFailure, callFailure } from './failure.ts';
import type { Header } from './headers.ts';
import { type RequestParts, requestOf } from './request.ts';

/** A checked request and the one place it goes to. */
export interface CallRequest extends RequestParts {
  line: Line;
}

export interface CallLimits {
  connectTimeoutMs: number;
  firstByteTimeoutMs: number;
  totalTimeoutMs: number;
}

export interface CallOptions {
  connections: Connections;
  limits: CallLimits;
  clock: Clock;
  /** The caller goes away, or the server stops. */
  endings: readonly When[];
  /** False once the target is another than the one that was checked. */
  confirm: () => boolean;
}

export interface Timings {
  totalMs: number | null;
  connectMs: number | null;
  firstByteMs: number | null;
}

/** An answer whose status and headers are in; the body is read by the caller, who closes it. */
export interface OpenCall {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Header[];
  /** As it came over the wire. */
  readonly body: AsyncIterableIterator<Buffer>;
  readonly timings: Timings;
  /** Ends the call with this failure. */
  fail(failure: CallFailure): void;
  /** The failure behind an error that reading the body threw. */
  failure(error: unknown): CallFailure;
  /** Ends it: an answer that is not complete ends with its connection. Idempotent. */
  close(): void;
}

const maxHeaderCount = 256;

/** Sends one request, once, and waits for the head of its answer. Rejects with a CallFailure. */
export function openCall(request: CallRequest, options: CallOptions): Promise<OpenCall> {
  return new Exchange(request, options).opened.promise;
}

class Exchange implements OpenCall, CallReceiver {
  readonly opened = Promise.withResolvers<OpenCall>();
  readonly body = new AnswerBody(() => this.#connection.resume());
  readonly timings: Timings = { totalMs: null, connectMs: null, firstByteMs: null };
  status = 0;
  statusText = '';
  headers: Header[] = [];
  readonly #started = performance.now();
  readonly #connection: Connection;
  readonly #options: CallOptions;
  readonly #stopTimer: () => void;
  #calledOff: readonly (() => void)[] = [];
  #stopWaiting = () => {};
  #failure: CallFailure | null = null;
  /** The head was handed out: what goes wrong now is read from the body. */
  #headed = false;
  #onEnd: (() => void) | null = null;

  constructor(request: CallRequest, options: CallOptions) {
    // What can't be sent takes no connection.
    const outgoing = requestOf(request);
    this.#options = options;
    this.#connection = options.connections.take(request.line);
    const { endings, clock, limits, confirm } = options;
    this.#stopTimer = clock.after(limits.totalTimeoutMs, () =>
      this.fail(timeout(`did not finish within ${limits.totalTimeoutMs} ms`)),
    );
    const dial = {
      clock,
      confirm,
      connectTimeoutMs: limits.connectTimeoutMs,
      connected: () => this.#connected(),
      onEnd: (end: () => void) => {
        this.#onEnd = end;
        return () => (this.#onEnd = null);
      },
    };
    if (!this.#connection.fresh) this.#connected();
    this.#connection.send(outgoing, dial, this);
    this.#calledOff = endings.map((when) => when(this.#cancel));
  }

  head({ status, statusText, headers }: AnswerHead): void {
    this.#stopWaiting();
    this.timings.firstByteMs = performance.now() - this.#started;
    this.status = status;
    this.statusText = statusText;
    this.headers = headers;
    if (status < 200 || status > 599) {
      this.fail(new CallFailure('PROTOCOL_ERROR', 'The answer has no valid status.'));
    } else if (headers.length > maxHeaderCount) {
      this.fail(new CallFailure('PROTOCOL_ERROR', 'The answer has too many headers.'));
    } else {
      this.#headed = true;
      this.opened.resolve(this);
    }
  }

  data(bytes: Buffer): boolean {
    return this.body.add(bytes);
  }

  end(): void {
    this.body.end();
  }

  broken(error: unknown): void {
    this.body.fail(error);
    if (!this.#headed) this.#endEarly(error);
  }

  fail(failure: CallFailure): void {
    if (this.timings.totalMs !== null || this.#failure) return;
    this.#failure = failure;
    this.body.fail(failure);
    this.#onEnd?.();
    this.#connection.destroy();
    if (!this.#headed) this.#endEarly(failure);
  }

  failure(error: unknown): CallFailure {
    return this.#failure ?? callFailure(error);
  }

  close(): void {
    if (this.timings.totalMs !== null) return;
    this.timings.totalMs = performance.now() - this.#started;
    this.#stopTimer();
    this.#stopWaiting();
    for (const callOff of this.#calledOff) callOff();
    if (this.body.complete) this.#connection.release();
    else this.#connection.destroy();
  }

  readonly #cancel = (): void =>
    this.fail(new CallFailure('CANCELLED', 'The caller went away before the answer was complete.'));

  #connected(): void {
    const { clock, limits } = this.#options;
    this.timings.connectMs = performance.now() - this.#started;
    this.#stopWaiting();
    this.#stopWaiting = clock.after(limits.firstByteTimeoutMs, () =>
      this.fail(timeout(`did not begin to answer within ${limits.firstByteTimeoutMs} ms`)),
    );
  }

  /** There was no head to hand out. */
  #endEarly(error: unknown): void {
    this.close();
    try {
      this.opened.reject(Object.assign(this.failure(error), { timings: this.timings }));
    } catch (unexpected) {
      this.opened.reject(unexpected);
    }
  }
}

function timeout(what: string): CallFailure {
  return new CallFailure('TIMEOUT', `The service ${what}.`);
}
