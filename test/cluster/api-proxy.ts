import { EventEmitter, once } from 'node:events';
import { Agent as HttpAgent, type IncomingMessage, type ServerResponse, createServer, request } from 'node:http';
import { Agent as HttpsAgent, request as tlsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';

/** A watch that the API server has accepted. */
interface OpenWatch {
  /** The path of its kind. */
  readonly kind: string;
  readonly response: ServerResponse;
  /** Nothing comes through any more, not even its end. */
  muted: boolean;
}

/** Stands between Slipway and an API server: passes everything on, until a test wants something to go wrong. */
export interface ApiProxy {
  readonly url: string;
  /** The most watches of one kind that were ever open at once. */
  readonly mostWatches: number;
  /** How often the API server told a watch that its version is too old. */
  readonly expired: number;
  /** The versions of the lists that were given whole, by the path of their kind. */
  readonly listed: ReadonlyMap<string, number[]>;
  openKinds(): string[];
  /** Resolves when a watch is open, or once the next one is accepted. */
  watching(): Promise<void>;
  /** Ends the open watch of a kind. */
  cut(kind: string, how: 'end' | 'reset'): void;
  /** The open watch of a kind is half-open from now on. */
  mute(kind: string): void;
  /** The next watch of a kind asks for version 1: the API server will say that this is too old. */
  age(kind: string): void;
  /** Requests of a kind wait until the returned function is called. */
  hold(kind: string): () => void;
  /** Swallows all there is and all that comes; what was swallowed stays so when it is over. */
  swallow(on: boolean): void;
  /** Calls back for each watch that the API server accepts. */
  onWatch(listener: (kind: string) => void): void;
  stop(): Promise<void>;
}

export async function startApiProxy(target: { url: string; ca?: string | undefined }): Promise<ApiProxy> {
  const secure = target.url.startsWith('https');
  const agent = secure ? new HttpsAgent({ keepAlive: true, ca: target.ca }) : new HttpAgent({ keepAlive: true });
  const send = secure ? tlsRequest : request;
  const watches = new Set<OpenWatch>();
  const opened = new EventEmitter().setMaxListeners(0);
  const aged = new Set<string>();
  const held = new Map<string, Promise<void>>();
  const listed = new Map<string, number[]>();
  let swallowing = false;
  let mostWatches = 0;
  let expired = 0;

  const open = (kind: string) => [...watches].filter((watch) => watch.kind === kind && !watch.muted);

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', target.url);
    const kind = kindOf(url);
    await held.get(kind);
    if (swallowing || response.destroyed) return;
    const isWatch = url.searchParams.get('watch') === 'true';
    if (isWatch && aged.delete(kind)) url.searchParams.set('resourceVersion', '1');
    const { connection: _, host: __, ...headers } = incoming.headers;
    const outgoing = send(url, { method: incoming.method, headers, agent }, (answer) => {
      if (isWatch && answer.statusCode === 200) passWatch(kind, answer, response);
      else pass(kind, answer, response);
    });
    // As if there were no proxy: what becomes of the API server's connection becomes of ours.
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  }

  function passWatch(kind: string, answer: IncomingMessage, response: ServerResponse): void {
    const watch: OpenWatch = { kind, response, muted: false };
    watches.add(watch);
    mostWatches = Math.max(mostWatches, open(kind).length);
    response.on('close', () => watches.delete(watch));
    response.writeHead(200, answer.headers);
    answer.on('data', (chunk: Buffer) => {
      if (chunk.includes('"type":"ERROR"') && chunk.includes('"code":410')) expired += 1;
      if (!watch.muted) response.write(chunk);
    });
    answer.on('end', () => watch.muted || response.end());
    answer.on('error', () => watch.muted || response.destroy());
    response.flushHeaders();
    opened.emit('watch', kind);
  }

  function pass(kind: string, answer: IncomingMessage, response: ServerResponse): void {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (!swallowing) response.write(chunk);
    });
    answer.on('end', () => {
      if (swallowing) return;
      response.end();
      const version = answer.statusCode === 200 ? wholeListOf(Buffer.concat(chunks).toString()) : null;
      if (version !== null) listed.set(kind, [...(listed.get(kind) ?? []), version]);
    });
    answer.on('error', () => response.destroy());
  }

  const server = createServer((incoming, response) => void handle(incoming, response));
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get mostWatches() {
      return mostWatches;
    },
    get expired() {
      return expired;
    },
    listed,
    openKinds: () => [...new Set([...watches].filter(({ muted }) => !muted).map(({ kind }) => kind))],
    async watching() {
      while (![...watches].some(({ muted }) => !muted)) await once(opened, 'watch');
    },
    cut(kind, how) {
      for (const { response } of open(kind)) {
        if (how === 'end') response.end();
        else response.socket?.resetAndDestroy();
      }
    },
    mute(kind) {
      for (const watch of open(kind)) watch.muted = true;
    },
    age: (kind) => void aged.add(kind),
    hold(kind) {
      const { promise, resolve } = Promise.withResolvers<void>();
      held.set(kind, promise);
      return () => {
        held.delete(kind);
        resolve();
      };
    },
    swallow(on) {
      swallowing = on;
      if (on) for (const watch of watches) watch.muted = true;
    },
    onWatch: (listener) => void opened.on('watch', listener),
    async stop() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await once(server, 'close');
    },
  };
}

/** The version of a list; null for anything else, and for a page after which others come. */
function wholeListOf(text: string): number | null {
  if (!text.includes('List"')) return null;
  const { metadata, items } = JSON.parse(text) as {
    metadata?: { resourceVersion?: string; continue?: string };
    items?: unknown;
  };
  return items !== undefined && !metadata?.continue ? Number(metadata?.resourceVersion) : null;
}

/** `/apis/apps/v1/deployments`, whatever the namespace. */
function kindOf({ pathname }: URL): string {
  return pathname.replace(/\/namespaces\/[^/]+(?=\/)/, '');
}
