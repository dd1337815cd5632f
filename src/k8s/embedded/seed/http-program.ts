import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { ImageContext } from '../runtime/images.ts';

/** What a demo program answers with. */
export interface Answer {
  status?: number;
  /** Sent as JSON. */
  json?: unknown;
  text?: string;
  contentType?: string;
  /** Sent piece by piece, as they come. */
  stream?: AsyncIterable<string>;
}

export interface Request {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: string;
  /** Aborted when the client goes away. */
  signal: AbortSignal;
}

/** Ends a request with an answer of its own. */
export class AnswerError extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super('refused');
    this.answer = answer;
  }
}

export type Handler = (request: Request) => Answer | Promise<Answer>;

const maxBodyBytes = 4 * 1024 * 1024;

/** Serves requests until the container is to end; an address that is taken ends it at once, as with a real program. */
export function serveHttp(context: ImageContext, handler: Handler): Promise<number> {
  const { host, port, signal } = context;
  const server = createServer((incoming, response) => {
    const path = (incoming.url ?? '/').split('?')[0] ?? '/';
    response.once('close', () => context.log(`${incoming.method} ${path} ${response.statusCode}`));
    respond(incoming, response, handler).catch(() => response.destroy());
  });
  return new Promise((resolve) => {
    const stop = () => {
      context.log('stopping');
      server.close(() => resolve(0));
      server.closeAllConnections();
    };
    server.once('error', (error) => {
      signal.removeEventListener('abort', stop);
      context.log(`cannot listen on ${host}:${port}: ${error.message}`);
      resolve(1);
    });
    server.listen(port, host, () => {
      const address = server.address();
      context.log(`listening on http://${host}:${typeof address === 'object' ? address?.port : port}`);
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    });
  });
}

async function respond(incoming: IncomingMessage, response: ServerResponse, handler: Handler): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const answer = await answerTo(incoming, handler, gone.signal);
  const status = answer.status ?? 200;
  if (answer.stream) {
    response.writeHead(status, {
      'content-type': answer.contentType ?? 'text/event-stream',
      'cache-control': 'no-cache',
    });
    for await (const piece of answer.stream) {
      if (gone.signal.aborted) return;
      response.write(piece);
    }
    response.end();
    return;
  }
  const text = answer.text ?? JSON.stringify(answer.json ?? null);
  const contentType =
    answer.contentType ?? (answer.text === undefined ? 'application/json' : 'text/plain; charset=utf-8');
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

async function answerTo(incoming: IncomingMessage, handler: Handler, signal: AbortSignal): Promise<Answer> {
  try {
    const url = new URL(incoming.url ?? '/', 'http://localhost');
    return await handler({
      method: incoming.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      headers: incoming.headers,
      body: await readBody(incoming),
      signal,
    });
  } catch (error) {
    if (error instanceof AnswerError) return error.answer;
    return { status: 500, json: { error: 'internal error' } };
  }
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new AnswerError({ status: 413, json: { error: 'the body is too large' } });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
