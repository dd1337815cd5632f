import { once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { useServer } from 'graphql-ws/use/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { type ExecutionArgs, type ExecutionResult, GraphQLError } from 'graphql';
import type { Caller } from '../caller.ts';
import { type ContextSource, authenticate } from '../context.ts';
import { type When, abortedForMany } from '../endings.ts';
import { SlipwayError } from '../errors.ts';
import type { Refusal } from '../http-guard.ts';
import { limits } from '../schema/limits.ts';
import { deliver } from './delivery.ts';
import { presentError } from './errors.ts';
import { type Outlet, createOutlet } from './outlet.ts';
import { atExpiry } from './sign-in.ts';
import { type MessageRate, type SocketLimits, countMessages, countSocketsByCaller } from './socket-limits.ts';
import type { Yoga } from './yoga.ts';

const terminateAfterMs = 5_000;
const pingEveryMs = 12_000;

interface Extra {
  socket: WebSocket;
  request: IncomingMessage;
  /** Past `ws`, for the frames of subscriptions. */
  outlet: Outlet;
  caller?: Caller;
  rate?: MessageRate;
  aborter: AbortController;
  whenGone: When;
  /** Queries and mutations under way: a client would send them again if the socket closed before their answer. */
  answering: Set<string>;
  onAnswered: () => void;
}

export interface WebSocketSurface {
  /**
   * Accepts no more sockets and closes all with 1001: each at its own moment within `spreadMs`, so that not all clients
   * come back at once, and after the queries and mutations on it are answered.
   */
  leave(spreadMs: number): Promise<void>;
  /** Closes what is left, at once. */
  close(): Promise<void>;
}

/** GraphQL over WebSocket, protocol graphql-transport-ws, on `/graphql` of the HTTP server. */
export function serveWebSocket(
  server: Server,
  yoga: Yoga,
  source: ContextSource,
  guard: (request: IncomingMessage) => Refusal | null,
  atMost: SocketLimits,
): WebSocketSurface {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: limits.messageBytes });
  const connected = new Map<WebSocket, Extra>();
  const byCaller = countSocketsByCaller(atMost);
  const full = () => sockets.clients.size >= atMost.sockets;
  let closing = false;
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => stream.destroy());
    const status = closing || full() ? 503 : request.url?.split('?')[0] === '/graphql' ? guard(request)?.status : 404;
    if (status !== undefined) {
      const later = status === 503 ? 'Retry-After: 1\r\n' : '';
      stream.end(`HTTP/1.1 ${status} Refused\r\n${later}Connection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => sockets.emit('connection', socket, request));
  });
  const disposable = useServer<Record<string, unknown>, Partial<Extra>>(
    {
      connectionInitWaitTimeout: 3_000,
      execute: (args) => (args.rootValue as Enveloped).execute(args),
      subscribe: (args) => (args.rootValue as Enveloped).subscribe(args),
      onConnect: async (ctx) => {
        const extra = ctx.extra as Extra;
        extra.aborter = new AbortController();
        extra.whenGone = abortedForMany(extra.aborter.signal);
        extra.answering = new Set();
        extra.onAnswered = () => {};
        extra.outlet = createOutlet(extra.request.socket, () => extra.socket.readyState === extra.socket.OPEN);
        connected.set(extra.socket, extra);
        keepAlive(extra.socket, source);
        extra.socket.once('close', () => {
          connected.delete(extra.socket);
          extra.aborter.abort();
        });
        try {
          extra.caller = await authenticate(source, extra.request, ctx.connectionParams);
        } catch (error) {
          if (!(error instanceof SlipwayError)) throw error;
          // Nobody can be signed in at the moment: clients try again after this code, with the same token.
          if (error.code !== 'UNAUTHENTICATED') extra.socket.close(1013, 'Try again later');
          return false;
        }
        if (!byCaller.take(extra.caller, extra.socket)) {
          extra.socket.close(1013, `At most ${atMost.socketsPerCaller} sockets at once for one caller`);
          return false;
        }
        if (!extra.caller.local) {
          const flooded = () => closeSocket(extra.socket, 1013, 'Too many messages, try again later', source);
          extra.rate = countMessages(extra.socket, source.clock, flooded);
        }
        const end = () => closeSocket(extra.socket, 4403, 'Token expired', source);
        extra.socket.once('close', atExpiry(source.clock, extra.caller, end));
        return true;
      },
      onOperation: (ctx, id, _params, _args, result) => {
        if (!(Symbol.asyncIterator in result)) return undefined;
        const extra = ctx.extra as Extra;
        answered(extra, id);
        return deliver(result as AsyncIterable<ExecutionResult>, id, extra);
      },
      onComplete: (ctx, id) => answered(ctx.extra as Extra, id),
      onError: (ctx, id) => answered(ctx.extra as Extra, id),
      onSubscribe: async (ctx, id, params) => {
        const extra = ctx.extra as Extra;
        const { caller } = extra;
        extra.answering.add(id);
        // What comes after the closing frame went out is no longer signed in.
        if (!caller || extra.socket.readyState !== extra.socket.OPEN) return [coded(signedOut())];
        if (Object.keys(ctx.subscriptions).length > limits.socketOperations)
          return [rateLimited(`At most ${limits.socketOperations} operations at once on one socket.`)];
        if (extra.rate?.exceeded)
          return [rateLimited(`At most ${limits.messages} messages in ${limits.messagesMs / 1000} s on one socket.`)];
        const end = (code: number, reason: string) => closeSocket(extra.socket, code, reason, source);
        const enveloped = yoga.getEnveloped({
          req: extra.request,
          params,
          caller,
          socket: { end, signal: extra.aborter.signal, whenGone: extra.whenGone },
        } as never) as unknown as Enveloped & EnvelopedTools;
        try {
          const document = enveloped.parse(params.query);
          const args = {
            schema: enveloped.schema,
            operationName: params.operationName,
            document,
            variableValues: params.variables,
            contextValue: await enveloped.contextFactory(),
            rootValue: { execute: enveloped.execute, subscribe: enveloped.subscribe },
          };
          const errors = enveloped.validate(args.schema, args.document);
          return errors.length > 0 ? errors.map(coded) : args;
        } catch (error) {
          return [coded(error)];
        }
      },
    },
    sockets,
    0,
  );
  sockets.on('connection', (socket: WebSocket) => {
    // graphql-ws prints what a stranger sends wrong, and says that our code is to blame; ws has closed it by its code.
    socket.removeAllListeners('error');
    socket.on('error', (error) => source.log.debug({ err: error }, 'a WebSocket sent what is none'));
  });
  const coded = (error: unknown) => presentError(error, source.log, crypto.randomUUID());
  return {
    async leave(spreadMs) {
      closing = true;
      await Promise.all([...sockets.clients].map((socket) => leave(socket, connected.get(socket), spreadMs, source)));
    },
    async close() {
      closing = true;
      for (const socket of sockets.clients) socket.close(1001, 'Going away');
      await disposable.dispose();
      for (const socket of sockets.clients) socket.terminate();
    },
  };
}

/** Who does not answer a ping until the next one is gone, or does not read: it resumes by cursor when it comes back. */
function keepAlive(socket: WebSocket, source: ContextSource): void {
  let answered = true;
  const pings = setInterval(() => {
    if (!answered) return closeSocket(socket, 4410, 'Too slow, resume by cursor', source);
    answered = false;
    if (socket.readyState === socket.OPEN) socket.ping();
  }, pingEveryMs);
  pings.unref();
  socket.on('pong', () => (answered = true));
  socket.once('close', () => clearInterval(pings));
}

/** Not before the frame that says so is on its way: only then it is safe to close. */
function answered(extra: Extra, id: string): void {
  extra.answering.delete(id);
  setImmediate(() => extra.onAnswered());
}

/** Closes a socket at some moment within `spreadMs`, once everything on it is answered. */
async function leave(
  socket: WebSocket,
  extra: Extra | undefined,
  spreadMs: number,
  source: ContextSource,
): Promise<void> {
  const closed = once(socket, 'close');
  await new Promise<void>((resolve) => {
    const cancel = source.clock.after(Math.random() * spreadMs, resolve);
    socket.once('close', () => {
      cancel();
      resolve();
    });
  });
  const close = () => {
    if (!extra || extra.answering.size === 0) closeSocket(socket, 1001, 'Going away', source);
  };
  if (extra) extra.onAnswered = close;
  close();
  await closed;
}

interface Enveloped {
  readonly execute: (args: ExecutionArgs) => ReturnType<typeof import('graphql').execute>;
  readonly subscribe: (args: ExecutionArgs) => ReturnType<typeof import('graphql').subscribe>;
}
interface EnvelopedTools {
  schema: ExecutionArgs['schema'];
  parse(source: string): ExecutionArgs['document'];
  validate(schema: ExecutionArgs['schema'], document: ExecutionArgs['document']): readonly unknown[];
  contextFactory(): Promise<unknown>;
}

function rateLimited(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'RATE_LIMITED' } });
}

function signedOut(): SlipwayError {
  return new SlipwayError('UNAUTHENTICATED', 'This connection is no longer signed in.');
}

/** Closes with a code; a socket that can't even take that frame in five seconds is cut. */
function closeSocket(socket: WebSocket, code: number, reason: string, source: ContextSource): void {
  if (socket.readyState !== socket.OPEN) return;
  const cancel = source.clock.after(terminateAfterMs, () => socket.terminate());
  socket.once('close', cancel);
  socket.close(code, reason);
}
