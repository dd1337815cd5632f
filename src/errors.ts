import { GraphQLError } from 'graphql';

/** Every code a caller can meet in `extensions.code`. The list is closed; `reason` says it finer. */
export const errorCodes = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  INVALID: 400,
  NOT_READY: 409,
  TARGET_NOT_ALLOWED: 403,
  HEADER_NOT_ALLOWED: 400,
  REQUEST_TOO_LARGE: 413,
  LIMIT_EXCEEDED: 400,
  RATE_LIMITED: 429,
  UNAVAILABLE: 503,
  TIMEOUT: 504,
  NOT_SUPPORTED: 501,
  INTERNAL: 500,
} as const;

/** The closed union of error codes; a switch over it narrows. */
export type ErrorCode = keyof typeof errorCodes;

export interface ErrorDetails {
  /** Dotted path of the input field at fault, such as `auth.basic.secretName`. */
  field?: string;
  /** A finer machine word, such as `HOSTNAME_TAKEN` (open list). */
  reason?: string;
  /** Kept for the log, never sent to the caller. */
  cause?: unknown;
}

/**
 * The one error that reaches callers as it is: a code, a message in plain words that names the object, and where an
 * input is at fault its field. Anything else is masked as INTERNAL with a request id.
 */
export class SlipwayError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly reason: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SlipwayError';
    this.code = code;
    this.field = details.field;
    this.reason = details.reason;
  }
}

/** Several input fields at fault at once: the response carries one error for each. */
export class InvalidInput extends SlipwayError {
  readonly errors: readonly SlipwayError[];

  constructor(errors: readonly SlipwayError[]) {
    const [first] = errors;
    super(first?.code ?? 'INVALID', errors.map((error) => error.message).join(' '), {
      ...(first?.field !== undefined && { field: first.field }),
      ...(first?.reason !== undefined && { reason: first.reason }),
    });
    this.errors = errors;
  }
}

/** Shorthand for the commonest refusal: INVALID on a field, optionally with a finer reason. */
export function invalid(field: string, message: string, reason?: string): SlipwayError {
  return new SlipwayError('INVALID', message, { field, ...(reason !== undefined && { reason }) });
}

/** Throws when there is at least one error: a single one as itself, several as InvalidInput. */
export function throwInvalid(errors: readonly SlipwayError[]): void {
  const [first] = errors;
  if (!first) return;
  throw errors.length === 1 ? first : new InvalidInput(errors);
}

/** The form in which a SlipwayError leaves over GraphQL. */
export function toGraphQLError(error: SlipwayError): GraphQLError {
  return new GraphQLError(error.message, {
    extensions: {
      code: error.code,
      ...(error.field !== undefined && { field: error.field }),
      ...(error.reason !== undefined && { reason: error.reason }),
    },
  });
}
