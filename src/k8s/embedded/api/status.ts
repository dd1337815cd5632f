import { ApiError, type Status, type StatusDetails } from '../../api-error.ts';
import type { Definition } from './definition.ts';

/** Of errors that name no object: the API server prints them with empty details. */
const noDetails: StatusDetails = {};

type Named = Pick<Definition, 'group' | 'plural' | 'kind'>;

/** The body of an error response; `metadata` is there because the API server prints it. */
export function statusOf(error: ApiError): Status & { metadata: object } {
  const hasDetails = error.details === noDetails || Object.keys(error.details).length > 0;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.message,
    ...(error.reason && { reason: error.reason }),
    ...(hasDetails && { details: error.details }),
    code: error.status,
  };
}

/** `deployments.apps`, `pods`. */
export function qualified(definition: Pick<Definition, 'group' | 'plural'>): string {
  return definition.group ? `${definition.plural}.${definition.group}` : definition.plural;
}

function failure(status: number, reason: string, message: string, details?: StatusDetails): ApiError {
  return new ApiError(status, reason, message, {
    details,
    ...(details?.retryAfterSeconds !== undefined && { retryAfterMs: details.retryAfterSeconds * 1000 }),
  });
}

function about(definition: Named, name: string): StatusDetails {
  return { ...(name && { name }), ...(definition.group && { group: definition.group }), kind: definition.plural };
}

export function notFound(definition: Named, name: string): ApiError {
  return failure(404, 'NotFound', `${qualified(definition)} "${name}" not found`, about(definition, name));
}

/** The path itself is unknown. */
export function noSuchResource(): ApiError {
  return failure(404, 'NotFound', 'the server could not find the requested resource', noDetails);
}

export function methodNotAllowed(): ApiError {
  const message = 'the server does not allow this method on the requested resource';
  return failure(405, 'MethodNotAllowed', message, noDetails);
}

export function alreadyExists(definition: Named, name: string): ApiError {
  const message = `${qualified(definition)} "${name}" already exists`;
  return failure(409, 'AlreadyExists', message, about(definition, name));
}

export function conflict(definition: Named, name: string, why: string): ApiError {
  const message = `Operation cannot be fulfilled on ${qualified(definition)} "${name}": ${why}`;
  return failure(409, 'Conflict', message, about(definition, name));
}

/** The object that a delete was meant for is not the one that is there; the kind stands where others have its plural. */
export function unmetPrecondition({ group, kind }: Named, name: string, why: string): ApiError {
  const message = `Operation cannot be fulfilled on ${group ? `${kind}.${group}` : kind} "${name}": ${why}`;
  return failure(409, 'Conflict', message, about({ group, kind, plural: kind }, name));
}

export const staleWrite = 'the object has been modified; please apply your changes to the latest version and try again';

export function badRequest(message: string): ApiError {
  return failure(400, 'BadRequest', message);
}

export function forbidden(definition: Named, name: string, why: string, details: StatusDetails = {}): ApiError {
  const message = `${qualified(definition)} "${name}" is forbidden: ${why}`;
  return failure(403, 'Forbidden', message, { ...about(definition, name), ...details });
}

/** A resourceVersion or continue token that is no longer known. */
export function expired(message: string): ApiError {
  return failure(410, 'Expired', message);
}

/** A media type that the path never takes. */
export function unsupportedMediaType(): ApiError {
  return failure(415, 'UnsupportedMediaType', '415: Unsupported Media Type', noDetails);
}

/** A media type that other paths take. */
export function unknownFormat(accepted: readonly string[]): ApiError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`;
  return failure(415, 'UnsupportedMediaType', message);
}

export function notAcceptable(available: readonly string[]): ApiError {
  const message = `406: Not Acceptable\n\nAvailable representations: ${available.join(', ')}`;
  return failure(406, 'NotAcceptable', message, noDetails);
}

export function tooLarge(limit: number): ApiError {
  return requestTooLarge(`limit is ${limit}`);
}

export function requestTooLarge(why: string): ApiError {
  return failure(413, 'RequestEntityTooLarge', `Request entity too large: ${why}`);
}

export function internalError(message: string): ApiError {
  return failure(500, 'InternalError', `Internal error occurred: ${message}`);
}

/** An error the API server has no reason word for. */
export function unclassified(message: string): ApiError {
  return failure(500, '', message);
}

export function tooLargeVersion(asked: number, current: number): ApiError {
  return failure(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}

/** One broken field, as `field.Error` of k8s.io/apimachinery. */
export interface FieldError {
  reason:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueDuplicate'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueTypeInvalid'
    | 'FieldValueNotFound';
  field: string;
  message: string;
}

/** Fields that break the rules of their kind. */
export function invalid(
  definition: Pick<Definition, 'group' | 'kind'>,
  name: string,
  errors: readonly FieldError[],
): ApiError {
  const subject = definition.group ? `${definition.kind}.${definition.group}` : definition.kind;
  const lines = errors.map((error) => `${error.field}: ${error.message}`);
  const text = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
  return failure(422, 'Invalid', `${subject} "${name}" is invalid: ${text}`, {
    ...(name && { name }),
    ...(definition.group && { group: definition.group }),
    ...(definition.kind && { kind: definition.kind }),
    causes: errors.map(({ reason, message, field }) => ({ reason, message, field })),
  });
}

/** A JSON patch that does not fit the object; the API server does not say why. */
export function unfitPatch(): ApiError {
  return failure(422, 'Invalid', 'the server rejected our request due to an error in our request', noDetails);
}
