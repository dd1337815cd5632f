import { InvalidInput, SlipwayError } from '../errors.ts';

/** metav1.StatusCause. */
export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

/** metav1.StatusDetails. */
export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** metav1.Status: what the API server answers when it did not do what was asked. */
export interface Status {
  apiVersion: 'v1';
  kind: 'Status';
  status: 'Success' | 'Failure';
  code?: number;
  reason?: string;
  message?: string;
  details?: StatusDetails;
}

/** Reasons of failures that never got an answer; their `status` is 0. */
export type TransportReason = 'Unreachable' | 'NoAnswerInTime' | 'Aborted' | 'BadAnswer';

/** What every method of KubeClient rejects with: the server's Status, or the transport's failure. */
export class ApiError extends Error {
  /** The HTTP status; 0 when there was no usable answer. */
  readonly status: number;
  /** Kubernetes' word, such as `AlreadyExists`, or a TransportReason. */
  readonly reason: string;
  readonly details: StatusDetails;
  /** How long the server asked to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(
    status: number,
    reason: string,
    message: string,
    options: { details?: StatusDetails | undefined; retryAfterMs?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
    this.details = options.details ?? {};
    this.retryAfterMs = options.retryAfterMs;
  }

  /** From a Status, in an answer's body or in a watch's ERROR event; `httpStatus` wins where the two disagree. */
  static fromStatus(status: Partial<Status>, httpStatus?: number, retryAfterMs?: number): ApiError {
    const code = httpStatus ?? status.code ?? 500;
    const seconds = status.details?.retryAfterSeconds;
    return new ApiError(code, status.reason || reasonOf(code), status.message || `the API server answered ${code}`, {
      details: status.details,
      retryAfterMs: retryAfterMs ?? (seconds ? seconds * 1000 : undefined),
    });
  }
}

/** We have nothing to prove who we are with, so nothing was asked. */
export function noCredentials(message: string, cause?: unknown): ApiError {
  return new ApiError(401, 'NoCredentials', message, { cause });
}

const reasons: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

function reasonOf(code: number): string {
  return reasons[code] ?? 'Unknown';
}

/** What a failed call was about, for the caller's error. */
export interface ErrorSubject {
  /** In plain words, such as `deployment "web"`; default: what the Status names. */
  name?: string;
  /** The input field at fault when the object as a whole is refused. */
  field?: string;
  /** The input field behind a Kubernetes path such as `spec.template.spec.containers[0].image`. */
  fieldOf?: (path: string) => string | undefined;
  /** The call was made with our own identity, so a missing right is not the caller's. */
  own?: boolean;
}

/** The one mapping of a Kubernetes failure to our codes. What is already a SlipwayError passes. */
export function toSlipwayError(error: unknown, subject: ErrorSubject = {}): SlipwayError {
  if (error instanceof SlipwayError) return error;
  if (!(error instanceof ApiError)) {
    return new SlipwayError('INTERNAL', 'Something unexpected went wrong.', { cause: error });
  }
  const what = subject.name ?? nameOf(error.details);
  if (error.status === 0) return unanswered(error);
  switch (error.status) {
    case 401:
      return own(error, 'UNAVAILABLE', "The cluster does not accept Slipway's own credentials.");
    case 403:
      return forbidden(error, what, subject);
    case 404:
      return refusal(error, 'NOT_FOUND', `There is no ${what}.`, subject);
    case 405:
      return refusal(error, 'NOT_SUPPORTED', `The cluster does not support this for ${what}.`, subject);
    case 409:
      return conflict(error, what, subject);
    case 410:
      return refusal(error, 'CONFLICT', 'The list has changed too much meanwhile: begin again.', subject, 'EXPIRED');
    case 413:
      return refusal(error, 'REQUEST_TOO_LARGE', `The cluster refuses ${what}: it is too large.`, subject);
    case 400:
    case 422:
      return invalidObject(error, what, subject);
    case 429:
      return own(error, 'RATE_LIMITED', 'The cluster gets too many requests at the moment: try again later.');
    case 408:
    case 504:
      return own(error, 'TIMEOUT', 'The cluster did not answer in time. It may still carry out the change.');
    default:
      return error.status >= 500
        ? own(error, 'UNAVAILABLE', `The cluster failed to answer (${error.reason}): try again.`)
        : own(error, 'INTERNAL', 'The cluster refused a request of Slipway.');
  }
}

function unanswered(error: ApiError): SlipwayError {
  return error.reason === 'NoAnswerInTime' || error.reason === 'Aborted'
    ? own(error, 'TIMEOUT', 'The cluster did not answer in time. It may still carry out the change.')
    : own(error, 'UNAVAILABLE', 'The Kubernetes API can not be reached at the moment: try again.');
}

function forbidden(error: ApiError, what: string, subject: ErrorSubject): SlipwayError {
  const text = error.message;
  if (error.details.causes?.some((cause) => cause.reason === 'NamespaceTerminating')) {
    return refusal(error, 'CONFLICT', `The namespace of ${what} is being deleted.`, subject, 'NAMESPACE_TERMINATING');
  }
  if (/exceeded quota/.test(text)) {
    return refusal(error, 'FORBIDDEN', `A quota refuses ${what}: ${quote(text)}`, subject, 'QUOTA_EXCEEDED');
  }
  if (subject.own || /cannot impersonate/.test(text)) {
    return own(error, 'INTERNAL', "Slipway's own identity lacks a right in the cluster.");
  }
  // An authorizer's refusal names user, verb and resource; an admission check's names what it objects to.
  return refusal(error, 'FORBIDDEN', `The cluster does not let you do this: ${quote(text)}`, subject);
}

function conflict(error: ApiError, what: string, subject: ErrorSubject): SlipwayError {
  if (error.reason === 'AlreadyExists') {
    const message = `There is already a ${what.replace(/^the /, '')}: choose another name.`;
    return refusal(error, 'CONFLICT', message, subject, 'ALREADY_EXISTS');
  }
  const owned = (error.details.causes ?? []).filter((cause) => cause.reason === 'FieldManagerConflict');
  if (owned.length > 0) {
    const managers = unique(
      owned.map((cause) => /conflict with "([^"]*)"/.exec(cause.message ?? '')?.[1] ?? 'another'),
    );
    const fields = unique(owned.map((cause) => (cause.field ?? '').replace(/^\./, '')));
    const message = `${upperFirst(what)} has fields that are managed by ${managers.join(', ')}: ${fields.join(', ')}.`;
    return refusal(error, 'CONFLICT', `${message} Change them there.`, subject, 'FIELD_MANAGED');
  }
  return refusal(
    error,
    'CONFLICT',
    `${upperFirst(what)} was changed by somebody else meanwhile: look again and repeat.`,
    subject,
    'CHANGED',
  );
}

function invalidObject(error: ApiError, what: string, subject: ErrorSubject): SlipwayError {
  const causes = (error.details.causes ?? []).filter((cause) => cause.message);
  const errors = causes.map((cause) => {
    const field = cause.field ? (subject.fieldOf?.(cause.field) ?? subject.field ?? cause.field) : subject.field;
    const message = `${cause.field ? `${cause.field}: ` : ''}${quote(cause.message ?? '')}`;
    return new SlipwayError('INVALID', message, { cause: error, ...(field && { field }) });
  });
  const [first] = errors;
  if (!first) return refusal(error, 'INVALID', `The cluster refuses ${what}: ${quote(error.message)}`, subject);
  return errors.length === 1 ? first : new InvalidInput(errors);
}

function refusal(
  cause: ApiError,
  code: 'NOT_FOUND' | 'CONFLICT' | 'FORBIDDEN' | 'INVALID' | 'NOT_SUPPORTED' | 'REQUEST_TOO_LARGE',
  message: string,
  subject: ErrorSubject,
  reason?: string,
): SlipwayError {
  return new SlipwayError(code, message, {
    cause,
    ...(subject.field && { field: subject.field }),
    ...(reason && { reason }),
  });
}

function own(
  cause: ApiError,
  code: 'UNAVAILABLE' | 'TIMEOUT' | 'RATE_LIMITED' | 'INTERNAL',
  message: string,
): SlipwayError {
  return new SlipwayError(code, message, { cause, reason: cause.reason });
}

/** `deployment "web"`, as far as the Status says it. */
function nameOf({ kind, name }: StatusDetails): string {
  const singular = kind
    ?.replace(/ies$/, 'y')
    .replace(/(?<!s)s$/, '')
    .toLowerCase();
  if (!singular) return name ? `object "${name}"` : 'such object';
  return name ? `${singular} "${name}"` : `such ${singular}`;
}

const address = /\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|\[[0-9a-f:]*:[0-9a-f:.]*\](?::\d+)?/gi;

/** The server's own words, short and without network addresses. */
function quote(text: string): string {
  const plain = text.replace(address, '(address)');
  return plain.length > 600 ? `${plain.slice(0, 600)}…` : plain;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
