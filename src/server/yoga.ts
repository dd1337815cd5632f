import type { IncomingMessage, ServerResponse } from 'node:http';
import { GraphQLError, type GraphQLSchema, NoSchemaIntrospectionCustomRule } from 'graphql';
import { type Plugin, createYoga } from 'graphql-yoga';
import type { Caller } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { type ContextSource, createContext } from '../context.ts';
import type { Context } from '../module.ts';
import { limitRules, limits } from '../schema/limits.ts';
import { presentError, useErrorPerField, useValidationCode } from './errors.ts';
import { useSharedResults } from './shared-results.ts';
import { atExpiry } from './sign-in.ts';

/** What the HTTP server and the WebSocket server hand to yoga: nobody gets this far without being signed in. */
export interface ServerContext {
  req: IncomingMessage;
  res?: ServerResponse;
  caller: Caller;
  /** Set by the WebSocket server, which signs callers in once for each socket. */
  socket?: { end: Context['end']; signal: AbortSignal };
}

/** Tokens are counted while parsing, so an endless document costs no more than the limit. */
function useLimits(): Plugin {
  return {
    onParse: ({ parseFn, setParseFn }) => {
      setParseFn((source: string, options: object) => {
        try {
          return parseFn(source, { ...options, maxTokens: limits.tokens });
        } catch (error) {
          if (!(error instanceof GraphQLError) || !error.message.includes(`${limits.tokens} tokens`)) throw error;
          const extensions = { code: 'LIMIT_EXCEEDED', reason: 'TOKENS', http: { status: 400 } };
          throw new GraphQLError(`The document has more than ${limits.tokens} tokens.`, { extensions });
        }
      });
    },
    onValidate: ({ addValidationRule }) => limitRules.forEach((rule) => addValidationRule(rule)),
  };
}

/** Introspection is for those who have signed in. */
function useIntrospectionPolicy(): Plugin {
  return {
    onValidate: ({ addValidationRule, context }) => {
      if ((context as unknown as Partial<Context>).caller?.anonymous)
        addValidationRule(NoSchemaIntrospectionCustomRule);
    },
  };
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
export function createGraphQL(
  schema: GraphQLSchema,
  source: ContextSource,
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
    maxRequestBodySize: limits.bodyBytes,
    logging: false,
    maskedErrors: {
      maskError: (error) => presentError(error, source.log, crypto.randomUUID()),
    },
    plugins: [
      useLimits(),
      useIntrospectionPolicy(),
      useValidationCode(),
      useErrorPerField(),
      useStreams(onStream),
      useSharedResults(),
      ...source.modules.plugins,
    ],
    context: ({ req, res, request, caller, socket }) => {
      if (socket) return createContext(source, { headers: new Headers(), caller, ...socket });
      const end = () => void res?.destroy();
      endAtExpiry(source.clock, caller, res);
      return createContext(source, { headers: request.headers, caller, signal: requestSignal(req, res), end });
    },
  });
}

export type GraphQLHandler = ReturnType<typeof createGraphQL>;

/** A stream of events does not outlive the token; SSE has no codes, so it just ends. An answer under way is completed. */
function endAtExpiry(clock: Clock, caller: Caller, response: ServerResponse | undefined): void {
  if (!response) return;
  const cancel = atExpiry(clock, caller, () => {
    if (String(response.getHeader('content-type')).startsWith('text/event-stream')) response.destroy();
  });
  response.once('close', cancel);
}

/** Aborted when the client goes away before its answer is complete. */
function requestSignal(request: IncomingMessage, response: ServerResponse | undefined): AbortSignal {
  const aborter = new AbortController();
  // A complete answer closes too; aborting then would cost an exception for each request.
  response?.once('close', () => {
    if (!response.writableFinished) aborter.abort();
  });
  if (!response) request.once('close', () => aborter.abort());
  return aborter.signal;
}
