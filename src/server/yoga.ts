import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLSchema } from 'graphql';
import { type Plugin, createYoga } from 'graphql-yoga';
import type { Caller } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { type ContextSource, type RequestParts, createContext, wholeContext } from '../context.ts';
import type { Context } from '../module.ts';
import { limits } from '../schema/limits.ts';
import { useDocuments } from './documents.ts';
import { presentError, useErrorPerField } from './errors.ts';
import { useEventStreams } from './event-stream.ts';
import { type Operations, useOperations } from './operations.ts';
import { useParams, useUrlParams } from './params.ts';
import { useSharedResults } from './shared-results.ts';
import { clientGone, requestSignal } from './response-end.ts';
import { atExpiry } from './sign-in.ts';

/**
 * What the HTTP server (with `res`) and the WebSocket server (with `socket`) hand to yoga: nobody gets this far without
 * being signed in.
 */
export interface ServerContext {
  req: IncomingMessage;
  res?: ServerResponse;
  caller: Caller;
  socket?: Pick<Context, 'end' | 'signal' | 'whenGone'>;
}

function useStreams(onStream: (response: ServerResponse) => void): Plugin {
  return {
    onSubscribe({ args }) {
      const { res } = args.contextValue as Partial<ServerContext>;
      if (res) onStream(res);
    },
  };
}

/** GraphQL over HTTP and SSE, hardened: no CORS, no batches, no forms, no GraphiQL of its own. */
export function createGraphQLYoga(
  schema: GraphQLSchema,
  source: ContextSource,
  operations: Operations,
  onStream: (response: ServerResponse) => void,
) {
  return createYoga<ServerContext, Context>({
    schema,
    graphqlEndpoint: '/graphql',
    healthCheckEndpoint: '/livez',
    landingPage: false,
    graphiql: false,
    cors: false,
    batching: false,
    multipart: false,
    parserAndValidationCache: false,
    maxRequestBodySize: limits.bodyBytes,
    logging: false,
    maskedErrors: {
      maskError: (error) => presentError(error, source.log, crypto.randomUUID()),
    },
    plugins: [
      useUrlParams(),
      useDocuments(operations.documents),
      useOperations(operations, source.modules.observers),
      useErrorPerField(),
      useStreams(onStream),
      useSharedResults(),
      useEventStreams(),
      ...source.modules.plugins,
      // A plug-in may have put in place what was not sent.
      useParams(),
    ],
    context: (parts) => wholeContext(createContext(source, requestParts(parts, source.clock))),
  });
}

export type Yoga = ReturnType<typeof createGraphQLYoga>;

function requestParts({ req, res, caller, socket }: ServerContext, clock: Clock): RequestParts {
  if (socket) return { ...socket, request: null, caller, signal: () => socket.signal };
  if (!res) throw new Error('A request without a response.');
  endAtExpiry(clock, caller, res);
  const end = () => void res.destroy();
  return { request: req, caller, signal: () => requestSignal(res), whenGone: clientGone(res), end };
}

/** A stream of events does not outlive the token; SSE has no codes, so it just ends. An answer under way is completed. */
function endAtExpiry(clock: Clock, caller: Caller, response: ServerResponse): void {
  const cancel = atExpiry(clock, caller, () => {
    if (String(response.getHeader('content-type')).startsWith('text/event-stream')) response.destroy();
  });
  response.once('close', cancel);
}
