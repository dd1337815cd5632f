import { once } from 'node:events';
import { request } from 'node:http';
import { WebSocket } from 'ws';

export interface HttpAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  /** `extensions.code` of the first error. */
  code: string | undefined;
}

/** Unlike fetch, node:http lets a test send a header twice, or any Host. Headers as a flat list of names and values. */
export async function send(
  url: string,
  { headers = [], body = '{ viewer { name } }', path = '/graphql', method = 'POST' }: SendOptions = {},
): Promise<HttpAnswer> {
  const { hostname, port } = new URL(url);
  const named = new Set(headers.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()));
  const all = [
    ...(named.has('host') ? [] : ['Host', `${hostname}:${port}`]),
    ...(method === 'POST' ? ['Content-Type', 'application/json'] : []),
    ...headers,
  ];
  const outgoing = request({ host: hostname, port, path, method, headers: all });
  // A server that refuses the headers need not read the rest.
  outgoing.on('error', () => {});
  outgoing.end(method === 'POST' ? JSON.stringify({ query: body }) : undefined);
  const [response] = await once(outgoing, 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  const code = /"code":"([A-Z_]+)"/.exec(text)?.[1];
  return { status: response.statusCode, headers: response.headers, text, code };
}

export interface SendOptions {
  headers?: string[];
  body?: string;
  path?: string;
  method?: string;
}

export const bearer = (token: string): string[] => ['Authorization', `Bearer ${token}`];

export interface Socket {
  socket: WebSocket;
  /** The next message. */
  next(): Promise<{ type: string; id?: string; payload?: unknown }>;
  send(message: unknown): void;
  /** The code it was closed with. */
  closed: Promise<number>;
}

/** A WebSocket after `connection_init`, message by message. */
export async function openSocket(
  url: string,
  payload?: unknown,
  headers: Record<string, string> = {},
  path = '/graphql',
): Promise<Socket> {
  const socket = new WebSocket(url.replace('http', 'ws') + path, 'graphql-transport-ws', { headers });
  const waiting: ((text: string) => void)[] = [];
  const arrived: string[] = [];
  socket.on('message', (data: Buffer) => {
    const text = data.toString();
    if (text.includes('"type":"ping"')) return;
    const taker = waiting.shift();
    if (taker) taker(text);
    else arrived.push(text);
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await once(socket, 'open');
  const write = (message: unknown): void => socket.send(JSON.stringify(message));
  write({ type: 'connection_init', ...(payload !== undefined && { payload }) });
  return {
    socket,
    closed,
    send: write,
    async next() {
      const text = arrived.shift() ?? (await new Promise<string>((resolve) => waiting.push(resolve)));
      return JSON.parse(text);
    },
  };
}

/** A subscription over SSE, up to and with SYNCED or its end. */
export async function firstEvents(url: string, token: string | null, query: string): Promise<string> {
  const aborter = new AbortController();
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query }),
    signal: aborter.signal,
  });
  let text = '';
  for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes('SYNCED')) break;
  }
  aborter.abort();
  return text;
}

/** A subscription over SSE that goes on. */
export async function openStream(url: string, token: string, query: string) {
  const aborter = new AbortController();
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
    signal: aborter.signal,
  });
  const arrived = new EventTarget();
  let text = '';
  const read = async (): Promise<'complete' | 'cut'> => {
    try {
      for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
        text += chunk;
        arrived.dispatchEvent(new Event('text'));
      }
      return 'complete';
    } catch {
      return 'cut';
    }
  };
  return {
    text: () => text,
    /** Resolves when this has been told. */
    async until(words: string): Promise<void> {
      while (!text.includes(words)) await once(arrived, 'text');
    },
    /** Whether the stream came to its end or was cut. */
    ended: read(),
    leave: () => aborter.abort(),
  };
}
