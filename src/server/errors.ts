import { GraphQLError } from 'graphql';
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

/** `input.ports[0].port` out of graphql-js' message on a bad variable. */
function variableField(message: string): string | undefined {
  const path = /at "([^"]+)"/.exec(message)?.[1];
  return path
    ?.replace(/\[(\d+)\]/g, '.$1')
    .replace(/^[^.]+\.?/, '')
    .replace(/^$/, 'input');
}

function rewrap(error: SlipwayError, wrapper: GraphQLError | null): GraphQLError {
  const bare = toGraphQLError(error);
  const http = error.code === 'UNAUTHENTICATED' ? { http: { status: errorCodes[error.code] } } : {};
  return new GraphQLError(bare.message, {
    ...(wrapper?.nodes && { nodes: wrapper.nodes }),
    ...(wrapper?.path && { path: wrapper.path }),
    originalError: error,
    extensions: { ...bare.extensions, ...http },
  });
}

/** What the caller is told: ours as they are, graphql's own as INVALID, anything unexpected as INTERNAL with an id. */
function present(thrown: unknown, requestId: string): Failure {
  const wrapper = thrown instanceof GraphQLError ? thrown : null;
  const ours = slipwayErrorIn(thrown);
  if (ours) return { error: rewrap(ours, wrapper), hidden: null };
  if (wrapper && !wrapper.originalError) {
    if (isCode(wrapper.extensions.code)) return { error: wrapper, hidden: null };
    const field = variableField(wrapper.message);
    const extensions = { ...wrapper.extensions, code: 'INVALID', ...(field && { field }) };
    return { error: new GraphQLError(wrapper.message, { ...options(wrapper), extensions }), hidden: null };
  }
  if (wrapper?.originalError instanceof GraphQLError) return present(wrapper.originalError, requestId);
  const message = `Something went wrong on our side. Give the operator this id: ${requestId}.`;
  return {
    error: new GraphQLError(message, { ...(wrapper && options(wrapper)), extensions: { code: 'INTERNAL', requestId } }),
    hidden: wrapper?.originalError ?? thrown,
  };
}

function options(error: GraphQLError) {
  return {
    ...(error.nodes && { nodes: error.nodes }),
    ...(error.source && { source: error.source }),
    ...(error.positions && { positions: error.positions }),
    ...(error.path && { path: error.path }),
  };
}

/** What is wrong with the document itself never passes the masking: it gets its code here. */
export function useValidationCode(): Plugin {
  return {
    onValidate:
      () =>
      ({ valid, result, setResult }) => {
        if (valid) return;
        const errors = result as readonly GraphQLError[];
        setResult(errors.map((error) => (isCode(error.extensions.code) ? error : withCode(error, 'INVALID'))));
      },
  };
}

function withCode(error: GraphQLError, code: ErrorCode): GraphQLError {
  return new GraphQLError(error.message, { ...options(error), extensions: { ...error.extensions, code } });
}

/** Presents one error and logs what it hides. */
export function presentError(thrown: unknown, log: Log, requestId: string): GraphQLError {
  const { error, hidden } = present(thrown, requestId);
  if (hidden !== null) log.error({ err: hidden, request: requestId }, 'unexpected error');
  return error;
}

type WithErrors = { errors?: readonly GraphQLError[] | undefined };

/** Several bad input fields travel as one InvalidInput and leave as one error each. */
function expand(result: unknown): unknown {
  const errors = (result as WithErrors | null)?.errors;
  if (!errors?.some((error) => error.originalError instanceof InvalidInput)) return result;
  const all = errors.flatMap((error) =>
    error.originalError instanceof InvalidInput ? error.originalError.errors.map((one) => rewrap(one, error)) : [error],
  );
  return { ...(result as object), errors: all };
}

/** Gives each bad input field its own error, in answers and in the events of a subscription. */
export function useErrorPerField(): Plugin {
  return {
    onExecute: () => ({
      onExecuteDone: ({ result, setResult }) => setResult(expand(result) as never),
    }),
    onSubscribe: () => ({
      onSubscribeResult: ({ result, setResult }) => {
        if (!(Symbol.asyncIterator in (result as object))) setResult(expand(result) as never);
        return { onNext: ({ result: event, setResult: setEvent }) => setEvent(expand(event) as never) };
      },
    }),
  };
}
