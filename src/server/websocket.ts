import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { useServer } from 'graphql-ws/use/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { type ExecutionArgs, GraphQLError } from 'graphql';
import type { Caller } from '../caller.ts';
import { type ContextSource, authenticate } from '../context.ts';
import { SlipwayError } from '../errors.ts';
import type { Refusal } from '../http-guard.ts';
import { limits } from '../schema/limits.ts';
import { presentError } from './errors.ts';
import { atExpiry, headersOf } from './sign-in.ts';
import type { GraphQLHandler } from './yoga.ts';

const terminateAfterMs = 5_000;
const pingEveryMs = 12_000;

interface Extra {
  socket: WebSocket;
  request: IncomingMessage;
  caller?: Caller;
  aborter: AbortController;
}

export interface WebSocketSurface {
  /** Closes every socket with 1001 and stops accepting new ones. */
  close(): Promise<void>;
}

/** GraphQL over WebSocket, protocol graphql-transport-ws, on `/graphql` of the HTTP server. */
export function serveWebSocket(
  server: Server,
  yoga: GraphQLHandler,
  source: ContextSource,
  guard: (request: IncomingMessage) => Refusal | null,
): WebSocketSurface {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: limits.messageBytes });
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => stream.destroy());
    const refusal = request.url?.split('?')[0] === '/graphql' ? guard(request) : { status: 404, message: 'Not found.' };
    if (refusal) {
      stream.end(`HTTP/1.1 ${refusal.status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
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
        extra.socket.once('close', () => extra.aborter.abort());
        try {
          extra.caller = await authenticate(source, headersOf(extra.request), ctx.connectionParams);
        } catch (error) {
          if (!(error instanceof SlipwayError)) throw error;
          // Nobody can be signed in at the moment: clients try again after this code, with the same token.
          if (error.code !== 'UNAUTHENTICATED') extra.socket.close(1013, 'Try again later');
          return false;
        }
        const end = () => closeSocket(extra.socket, 4403, 'Token expired', source);
        extra.socket.once('close', atExpiry(source.clock, extra.caller, end));
        return true;
      },
      onSubscribe: async (ctx, _id, params) => {
        const extra = ctx.extra as Extra;
        const { caller } = extra;
        // What comes after the closing frame went out is no longer signed in.
        if (!caller || extra.socket.readyState !== extra.socket.OPEN) return [coded(signedOut())];
        if (Object.keys(ctx.subscriptions).length > limits.socketOperations) {
          const error = new SlipwayError(
            'RATE_LIMITED',
            `At most ${limits.socketOperations} operations at once on one socket.`,
          );
          return [new GraphQLError(error.message, { extensions: { code: error.code } })];
        }
        const end = (code: number, reason: string) => closeSocket(extra.socket, code, reason, source);
        const enveloped = yoga.getEnveloped({
          req: extra.request,
          params,
          caller,
          socket: { end, signal: extra.aborter.signal },
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
    pingEveryMs,
  );
  const coded = (error: unknown) => presentError(error, source.log, crypto.randomUUID());
  return {
    async close() {
      for (const socket of sockets.clients) socket.close(1001, 'Going away');
      await disposable.dispose();
      for (const socket of sockets.clients) socket.terminate();
    },
  };
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
