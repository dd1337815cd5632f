import type { Core } from './core.ts';
import type { Definition, Draft } from './definition.ts';
import { badRequest, expired, invalid, notFound, tooLargeVersion } from './status.ts';
import { matcher, type Selection } from './select.ts';

export interface ListRequest extends Selection {
  definition: Definition;
  limit?: number | undefined;
  continue?: string | undefined;
  resourceVersion?: string | undefined;
  resourceVersionMatch?: string | undefined;
}

export interface ListResult {
  items: readonly Draft[];
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
}

export function getObject(core: Core, definition: Definition, namespace: string | undefined, name: string): Draft {
  const found = core.collection(definition).get(namespace, name);
  if (!found) throw notFound(definition, name);
  return found;
}

export function listObjects(core: Core, request: ListRequest): ListResult {
  const { definition, limit = 0 } = request;
  const token = request.continue ? readToken(request) : undefined;
  const version = token?.rv ?? exactVersion(core, request);
  const matches = matcher(definition, request);
  const all = objectsAt(core, request, version);
  const wanted = all.filter((object) => (!token || positionOf(object) > token.start) && (!matches || matches(object)));
  const items = limit > 0 ? wanted.slice(0, limit) : wanted;
  const shownVersion = version ?? core.store.version;
  const metadata: ListResult['metadata'] = { resourceVersion: String(shownVersion) };
  const last = items.at(-1);
  if (last && items.length < wanted.length) {
    metadata.continue = writeToken({ v: 'meta.k8s.io/v1', rv: shownVersion, start: positionOf(last) });
    // With a selector the server would have to look at every object to count.
    if (!request.labelSelector && !request.fieldSelector) metadata.remainingItemCount = wanted.length - items.length;
  }
  return { items, metadata };
}

function positionOf(object: Draft): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

function objectsAt(core: Core, request: ListRequest, version: number | undefined): readonly Draft[] {
  const collection = core.collection(request.definition);
  if (version === undefined || version === core.store.version) return collection.list(request.namespace);
  try {
    return collection.listAt(version, request.namespace);
  } catch (error) {
    if (!request.continue) throw error;
    throw expired(
      'The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.',
    );
  }
}

interface Token {
  v: string;
  rv: number;
  start: string;
}

function writeToken(token: Token): string {
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

function readToken(request: ListRequest): Token {
  if (request.resourceVersion && request.resourceVersion !== '0') {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  try {
    const token = JSON.parse(Buffer.from(request.continue ?? '', 'base64url').toString()) as Partial<Token>;
    if (token.v === 'meta.k8s.io/v1' && Number.isSafeInteger(token.rv) && typeof token.start === 'string')
      return token as Token;
  } catch {
    // Told below, as every other token that is not ours.
  }
  throw badRequest('invalid continue token');
}

/** The version a list is to show exactly; undefined: the present one, which satisfies every other wish. */
function exactVersion(core: Core, request: ListRequest): number | undefined {
  const { resourceVersion, resourceVersionMatch } = request;
  const asked = parseVersion(resourceVersion);
  if (resourceVersionMatch && resourceVersion === undefined) {
    throw listOptionsError(
      'resourceVersionMatch',
      'Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    );
  }
  if (asked > core.store.version) throw tooLargeVersion(asked, core.store.version);
  if (resourceVersionMatch !== 'Exact') return undefined;
  if (asked === 0) {
    throw listOptionsError(
      'resourceVersionMatch',
      'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    );
  }
  return asked;
}

export function listOptionsError(field: string, message: string) {
  return invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [
    { reason: message.startsWith('Forbidden') ? 'FieldValueForbidden' : 'FieldValueInvalid', field, message },
  ]);
}

/** A resourceVersion as clients send it; nothing means 0. */
export function parseVersion(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  if (!/^\d{1,15}$/.test(text)) {
    throw listOptionsError(
      'resourceVersion',
      `Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  return Number(text);
}
