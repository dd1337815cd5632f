import type { IncomingMessage, ServerResponse } from 'node:http';
import { GraphQLError, type GraphQLSchema, OperationTypeNode } from 'graphql';
import type { Caller } from '../caller.ts';
import { type ContextSource, createContext } from '../context.ts';
import { type RequestLimits, limits } from '../schema/limits.ts';
import { type JsonType, jsonTypeFor, sendResult } from './answer.ts';
import { readBody } from './body.ts';
import { type Operations, createOperations, operationType } from './operations.ts';
import { type Params, paramsOf, parseJson } from './params.ts';
import { clientGone, requestSignal } from './response-end.ts';
import { type Yoga, createGraphQLYoga } from './yoga.ts';

/** GraphQL for the HTTP and the WebSocket server. */
export interface GraphQLSurface {
  /** Answers a request to `/graphql`. */
  readonly serve: (request: IncomingMessage, response: ServerResponse, caller: Caller) => Promise<void>;
  readonly yoga: Yoga;
}

/**
 * Queries and mutations by POST, which is what nearly all requests are, are answered here and now. The rest (GET, SSE,
 * subscriptions, types that we do not have) is yoga's, by the same Operations; and everything is as soon as a module adds
 * a plug-in, which may want to see any of it.
 */
export function createGraphQL(
  schema: GraphQLSchema,
  source: ContextSource,
  onStream: (response: ServerResponse) => void,
  atMost: RequestLimits,
): GraphQLSurface {
  const { observers, plugins } = source.modules;
  const operations = createOperations(schema, { observers, log: source.log, atMost });
  const yoga = createGraphQLYoga(schema, source, operations, onStream);
  const byYoga: GraphQLSurface['serve'] = async (request, response, caller) => {
    await yoga(request, response, { caller } as never);
  };
  return {
    yoga,
    async serve(request, response, caller) {
      const type = jsonTypeFor(request.headers.accept);
      if (!type || !isPost(request) || plugins.length > 0) return byYoga(request, response, caller);
      let params: Params;
      try {
        const body = await readBody(request, limits.bodyBytes);
        params = paramsOf(parseJson(body));
      } catch (error) {
        if (!(error instanceof GraphQLError)) throw error;
        if (error.extensions.code === 'REQUEST_TOO_LARGE') response.setHeader('connection', 'close');
        return sendResult(response, { errors: [error] }, type);
      }
      await answer(params, { request, response, caller, type, source, operations, byYoga });
    },
  };
}

/** The guard has seen to it that a body is JSON. */
function isPost({ method, headers }: IncomingMessage): boolean {
  return method === 'POST' && headers['content-type'] !== undefined;
}

interface AnswerParts {
  request: IncomingMessage;
  response: ServerResponse;
  caller: Caller;
  type: JsonType;
  source: ContextSource;
  operations: Operations;
  byYoga: GraphQLSurface['serve'];
}

async function answer({ query, operationName, variables }: Params, parts: AnswerParts): Promise<void> {
  const { request, response, caller, type, source, operations } = parts;
  const known = operations.documents.read(query);
  const errors = known.errors(caller.anonymous);
  if (!known.document || errors.length > 0) {
    operations.refuse(errors[0]);
    return sendResult(response, { errors }, type);
  }
  const operation = operationType(known.document, operationName);
  if (operation === OperationTypeNode.SUBSCRIPTION) {
    // Yoga takes a body that was read before where Express leaves it.
    Object.assign(request, { body: { query, operationName, variables } });
    return parts.byYoga(request, response, caller);
  }
  const result = await operations.carryOut({
    document: known.document,
    type: operation,
    operationName,
    variableValues: variables,
    contextValue: createContext(source, {
      request,
      caller,
      signal: () => requestSignal(response),
      whenGone: clientGone(response),
      end: () => void response.destroy(),
    }),
  });
  sendResult(response, result, type);
}
