import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { Agent, type Dispatcher, request } from 'undici';
import type { Status } from '../../../src/k8s/api-error.ts';
import type { KubeObject } from '../../../src/k8s/resources.ts';
import { createConnector, type TlsOptions, type TlsSource } from '../../../src/k8s/tls.ts';
import type { Credentials } from '../../../src/k8s/transport.ts';

/** An API server under test. */
export interface Target {
  url: string;
  tls?: TlsOptions | TlsSource;
  credentials?: Credentials | undefined;
}

export interface Ask {
  query?: Record<string, string | number | boolean | readonly string[]>;
  body?: unknown;
  /** Of the body. @default application/json */
  type?: string;
  accept?: string;
  headers?: Record<string, string>;
}

/** Any object as it was answered. */
export type Stored = KubeObject & {
  metadata: { uid: string; resourceVersion: string; creationTimestamp: string };
  [field: string]: unknown;
};

export interface StoredList extends Record<string, unknown> {
  kind: string;
  apiVersion: string;
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
  items: Stored[];
}

/** What came back, whatever it was. */
export class Answer {
  readonly code: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly text: string;

  constructor(code: number, headers: Dispatcher.ResponseData['headers'], text: string) {
    this.code = code;
    this.headers = headers;
    this.text = text;
  }

  get json(): unknown {
    return JSON.parse(this.text);
  }

  /** The object of a request that must have gone well. */
  get object(): Stored {
    this.succeeded();
    return this.json as Stored;
  }

  /** Requires that the request went well, whatever the answer is. */
  succeeded(): void {
    assert(this.code === 200 || this.code === 201, this.described);
  }

  get list(): StoredList {
    assert(this.code === 200, this.described);
    return this.json as StoredList;
  }

  /** The Status of a request that must have been refused. */
  get failure(): Status {
    assert(this.code >= 400, this.described);
    return this.json as Status;
  }

  /** Texts of the Warning headers. */
  get warnings(): string[] {
    // HTTP/1 folds equal headers into one.
    const line = [this.headers.warning ?? []].flat().join(', ');
    return [...line.matchAll(/299 - ("(?:[^"\\]|\\.)*")/g)].map(([, text = '""']) => JSON.parse(text) as string);
  }

  /** Requires exactly this Status, as the API server words it. */
  refuses(code: number, reason: string, message: string | RegExp, details?: Status['details']): void {
    const { failure } = this;
    if (typeof message !== 'string') assert.match(failure.message ?? '', message);
    assert.deepEqual(failure, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: typeof message === 'string' ? message : failure.message,
      ...(reason && { reason }),
      ...(details && { details }),
      code,
    });
  }

  private get described(): string {
    return `${this.code} ${this.text}`;
  }
}

export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: Stored;
}

/** An answer that is taken line by line. */
export interface Lines extends AsyncDisposable {
  readonly contentType: string | undefined;
  /** Undefined when the server ended it. */
  next(): Promise<string | undefined>;
}

/** A watch whose events are taken one by one. */
export interface Watching extends AsyncDisposable {
  readonly contentType: string | undefined;
  /** Rejects when the stream ends. */
  next(): Promise<WatchEvent>;
  /** The next event that fits; the others are passed over. */
  until(fits: (event: WatchEvent) => boolean): Promise<WatchEvent>;
  /** All that is left until the server ends the stream. */
  rest(): Promise<WatchEvent[]>;
}

/** Plain requests to an API server, with nothing in between that could hide a difference. */
export class Api {
  readonly target: Target;
  private readonly agent: Agent;

  constructor(target: Target) {
    this.target = target;
    this.agent = new Agent({ connect: createConnector(target.tls ?? {}, 60_000) });
  }

  async send(method: Dispatcher.HttpMethod, path: string, ask: Ask = {}): Promise<Answer> {
    const { statusCode, headers, body } = await this.open(method, path, ask);
    return new Answer(statusCode, headers, await body.text());
  }

  get(path: string, ask?: Ask) {
    return this.send('GET', path, ask);
  }

  post(path: string, body: unknown, ask: Ask = {}) {
    return this.send('POST', path, { ...ask, body });
  }

  put(path: string, body: unknown, ask: Ask = {}) {
    return this.send('PUT', path, { ...ask, body });
  }

  delete(path: string, body?: unknown, ask: Ask = {}) {
    return this.send('DELETE', path, { ...ask, body });
  }

  jsonPatch(path: string, body: unknown, ask: Ask = {}) {
    return this.send('PATCH', path, { ...ask, body, type: 'application/json-patch+json' });
  }

  mergePatch(path: string, body: unknown, ask: Ask = {}) {
    return this.send('PATCH', path, { ...ask, body, type: 'application/merge-patch+json' });
  }

  strategicPatch(path: string, body: unknown, ask: Ask = {}) {
    return this.send('PATCH', path, { ...ask, body, type: 'application/strategic-merge-patch+json' });
  }

  apply(path: string, fieldManager: string, body: unknown, ask: Ask = {}) {
    const query = { fieldManager, ...ask.query };
    return this.send('PATCH', path, { ...ask, query, body, type: 'application/apply-patch+yaml' });
  }

  /** The lines of an answer as they come. */
  async lines(path: string, ask: Ask = {}): Promise<Lines> {
    const { statusCode, headers, body } = await this.open('GET', path, ask);
    if (statusCode !== 200) throw new Error(`${path}: ${statusCode} ${await body.text()}`);
    // Whoever gives the stream up does not want to hear of it.
    body.on('error', () => {});
    const lines = createInterface({ input: body })[Symbol.asyncIterator]();
    return {
      contentType: headers['content-type'] as string | undefined,
      async next() {
        const line = await lines.next();
        return line.done ? undefined : line.value;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(void body.destroy()),
    };
  }

  async watch(path: string, query: Ask['query'] = {}, ask: Ask = {}): Promise<Watching> {
    const lines = await this.lines(path, { ...ask, query: { watch: true, ...query } });
    const take = async () => {
      const line = await lines.next();
      return line === undefined ? undefined : (JSON.parse(line) as WatchEvent);
    };
    const next = async () => {
      const event = await take();
      if (!event) throw new Error('the watch ended');
      return event;
    };
    return {
      contentType: lines.contentType,
      next,
      async until(fits) {
        for (;;) {
          const event = await next();
          if (fits(event)) return event;
        }
      },
      async rest() {
        const events: WatchEvent[] = [];
        for (let event = await take(); event; event = await take()) events.push(event);
        return events;
      },
      [Symbol.asyncDispose]: () => lines[Symbol.asyncDispose](),
    };
  }

  /** Waits until the object is there and fits, or with `gone` until it is not there any more. */
  async until(path: string, fits: ((object: Stored) => boolean) | 'gone'): Promise<Stored | undefined> {
    const collection = path.slice(0, path.lastIndexOf('/'));
    const name = path.slice(path.lastIndexOf('/') + 1);
    const { metadata, items } = (await this.get(collection, { query: { fieldSelector: `metadata.name=${name}` } }))
      .list;
    const [present] = items;
    if (fits === 'gone' ? !present : present && fits(present)) return present;
    await using watching = await this.watch(collection, {
      fieldSelector: `metadata.name=${name}`,
      resourceVersion: metadata.resourceVersion,
    });
    const event = await watching.until(({ type, object }) =>
      fits === 'gone' ? type === 'DELETED' : type !== 'DELETED' && fits(object),
    );
    return event.object;
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private async open(method: Dispatcher.HttpMethod, path: string, ask: Ask) {
    const parameters = new URLSearchParams();
    for (const [key, value] of Object.entries(ask.query ?? {}))
      for (const each of [value].flat()) parameters.append(key, String(each));
    const authorization = await this.target.credentials?.authorization();
    const { body } = ask;
    return request(`${this.target.url}${path}${parameters.size > 0 ? `?${parameters}` : ''}`, {
      dispatcher: this.agent,
      method,
      headers: {
        'user-agent': 'conformance/1.0',
        ...(ask.accept && { accept: ask.accept }),
        ...(body !== undefined && { 'content-type': ask.type ?? 'application/json' }),
        ...(authorization && { authorization }),
        ...ask.headers,
      },
      body: bodyOf(body),
    });
  }
}

function bodyOf(body: unknown): string | Uint8Array | null {
  if (body === undefined) return null;
  return typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
}
