import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { type ErrorCode, InvalidInput, SlipwayError, errorCodes, toGraphQLError } from '../errors.ts';
import type { Log } from '../log.ts';

interface Failure {
  error: GraphQLError;
  /** Set when the caller learns nothing but the request id. */
  hidden: unknown;
}

function isCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && code in errorCodes;
}

/** The SlipwayError behind an error, however deep the libraries wrapped it. */
export function slipwayErrorIn(error: unknown): SlipwayError | null {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; depth++) {
    if (at instanceof SlipwayError) return at;
    at = at instanceof GraphQLError ? at.originalError : at.cause;
  }
  return null;
}

/** `ports.0.port` out of graphql-js' message on a bad variable. */
function variableField(message: string): string | undefined {
  const path = /^Variable "\$\w+" has invalid value at ((?:\.\w+|\[\d+\])+):/.exec(message)?.[1];
  return path?.replace(/\[(\d+)\]/g, '.$1').slice(1);
}

/**
 * graphql-js shows what was given where something else was expected. That may be a password, and errors are kept by clients
 * and logs. Of enums it stays: it is how one sees the misspelt value.
 */
function withoutGiven(message: string): string {
  if (message.startsWith('Syntax Error')) return message.replace(/\b(String|BlockString) "[^]*"/, '$1');
  return message
    .replace(/([,;?]) [Ff]ound: [^]*$/, (_, mark) => (mark === '?' ? '?' : '.'))
    .replace(/\b((?:String|Int|Float|Boolean|ID) cannot represent [\w -]*value): [^]*$/, '$1.');
}

function rewrap(error: SlipwayError, wrapper: GraphQLError | null): GraphQLError {
  const bare = toGraphQLError(error);
  const extensions = { ...bare.extensions };
  return new GraphQLError(bare.message, {
    ...(wrapper?.nodes && { nodes: wrapper.nodes }),
    ...(wrapper?.path && { path: wrapper.path }),
    originalError: error,
    extensions: error.code === 'UNAUTHENTICATED' ? withStatus(extensions, { status: 401 }) : extensions,
  });
}

/** What the caller is told: ours as they are, graphql's own as INVALID, anything unexpected as INTERNAL with an id. */
function present(thrown: unknown, requestId: string): Failure {
  const wrapper = thrown instanceof GraphQLError ? thrown : null;
  const ours = slipwayErrorIn(thrown);
  if (ours) return { error: rewrap(ours, wrapper), hidden: null };
  const unexpected = wrapper ? unexpectedIn(wrapper) : thrown;
  if (wrapper && unexpected === null) {
    if (isCode(wrapper.extensions.code)) return { error: wrapper, hidden: null };
    const field = variableField(wrapper.message);
    const extensions = { ...wrapper.extensions, code: 'INVALID', ...(field && { field }) };
    const message = withoutGiven(wrapper.message);
    return { error: new GraphQLError(message, { ...options(wrapper), extensions }), hidden: null };
  }
  const message = `Something went wrong on our side. Give the operator this id: ${requestId}.`;
  return {
    error: new GraphQLError(message, { ...(wrapper && options(wrapper)), extensions: { code: 'INTERNAL', requestId } }),
    hidden: unexpected,
  };
}

/**
 * What is no error of GraphQL's own in the chain of those that it wrapped, or one that a resolver is to blame for: once an
 * operation is under way callers only err in arguments. null: nothing.
 */
function unexpectedIn(error: GraphQLError): unknown {
  let at: unknown = error;
  while (at instanceof GraphQLError && at.originalError) at = at.originalError;
  if (!(at instanceof GraphQLError)) return at;
  return error.path === undefined || isCode(error.extensions.code) || error.message.startsWith('Argument "')
    ? null
    : at;
}

function options(error: GraphQLError) {
  return {
    ...(error.nodes && { nodes: error.nodes }),
    ...(error.source && { source: error.source }),
    ...(error.positions && { positions: error.positions }),
    ...(error.path && { path: error.path }),
  };
}

/**
 * What is wrong with the document itself. Over HTTP it is 400, but 200 for whoever wants `application/json`: to them a
 * status may come from something between us that knows no GraphQL.
 */
export function documentError(error: GraphQLError): GraphQLError {
  const code = isCode(error.extensions.code) ? error.extensions.code : 'INVALID';
  return new GraphQLError(withoutGiven(error.message), {
    ...options(error),
    extensions: withStatus({ ...error.extensions, code }, { status: 400, spec: true }),
  });
}

/** The status over HTTP. `spec`: only for clients that know GraphQL over HTTP by its own media type. */
export interface HttpStatus {
  status: number;
  spec?: boolean;
}

/** Yoga and our own answers look for the status here; being no enumerable member it shows in none of them. */
export function withStatus<E extends object>(extensions: E, http: HttpStatus): E {
  return Object.defineProperty(extensions, 'http', { value: http, configurable: true, writable: true });
}

/** Presents one error and logs what it hides. */
export function presentError(thrown: unknown, log: Log, requestId: string): GraphQLError {
  const { error, hidden } = present(thrown, requestId);
  if (hidden !== null) log.error({ err: hidden, request: requestId }, 'unexpected error');
  return error;
}

/**
 * A result as the caller sees it. Several bad input fields travel as one InvalidInput and leave as one error each. What
 * has no data was not carried out.
 */
export function presentResult(result: ExecutionResult, log: Log, requestId: () => string): ExecutionResult {
  const { errors } = result;
  if (!errors || errors.length === 0) return result;
  const shown = errors.flatMap(perField).map((error) => presentError(error, log, requestId()));
  return { ...result, errors: 'data' in result ? shown : shown.map(notCarriedOut) };
}

function perField(error: GraphQLError): GraphQLError[] {
  const { originalError } = error;
  return originalError instanceof InvalidInput ? originalError.errors.map((one) => rewrap(one, error)) : [error];
}

function notCarriedOut(error: GraphQLError): GraphQLError {
  if (!error.extensions.http) withStatus(error.extensions, { status: 400 });
  return error;
}

/** The same for the events of a subscription. */
export function useErrorPerField(): Plugin {
  const expand = (result: unknown): unknown => {
    const { errors } = (result ?? {}) as ExecutionResult;
    return errors ? { ...(result as object), errors: errors.flatMap(perField) } : result;
  };
  return {
    onSubscribe: () => ({
      onSubscribeResult: ({ result, setResult }) => {
        if (!(Symbol.asyncIterator in (result as object))) setResult(expand(result) as never);
        return { onNext: ({ result: event, setResult: setEvent }) => setEvent(expand(event) as never) };
      },
    }),
  };
}
