import type { Core } from './core.ts';
import type { Definition, Draft } from './definition.ts';
import { badRequest, expired, type FieldError, invalid, notFound, tooLargeVersion } from './status.ts';
import { matcher, type Selection } from './select.ts';
import { forbiddenField, unsupportedValue } from './validation/field-errors.ts';

export interface ListRequest extends Selection {
  definition: Definition;
  limit?: number | undefined;
  continue?: string | undefined;
  resourceVersion?: string | undefined;
  resourceVersionMatch?: string | undefined;
  /** Asked for, though only a watch can have them. */
  sendInitialEvents?: boolean | undefined;
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
  checkOptions(request);
  const token = request.continue ? readToken(request) : undefined;
  const version = token?.rv ?? exactVersion(core, request);
  const fits = matcher(definition, request);
  const all = objectsAt(core, request, version);
  const wanted = all.filter((object) => (!token || positionOf(object) > token.start) && (!fits || fits(object)));
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
  const text = Buffer.from(request.continue ?? '', 'base64url').toString();
  try {
    const token = JSON.parse(text) as Partial<Token>;
    if (token.v === 'meta.k8s.io/v1' && Number.isSafeInteger(token.rv) && typeof token.start === 'string')
      return token as Token;
  } catch (error) {
    throw badRequest(`invalid continue token: continue key is not valid: ${(error as Error).message}`);
  }
  throw badRequest(
    'invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)',
  );
}

/** The version a list is to show exactly; undefined: the present one, which satisfies every other wish. */
function exactVersion(core: Core, request: ListRequest): number | undefined {
  const { resourceVersion, resourceVersionMatch } = request;
  const asked = parseVersion(resourceVersion, (why) => badRequest(`invalid resource version: ${why}`));
  if (asked > core.store.version) throw tooLargeVersion(asked, core.store.version);
  return resourceVersionMatch === 'Exact' ? asked : undefined;
}

const matches = ['Exact', 'NotOlderThan', ''];

function checkOptions({ resourceVersion, resourceVersionMatch: match, sendInitialEvents, ...rest }: ListRequest): void {
  const field = 'resourceVersionMatch';
  const errors: FieldError[] = [];
  if (match) {
    if (!resourceVersion)
      errors.push(forbiddenField(field, `${field} is forbidden unless resourceVersion is provided`));
    if (rest.continue) errors.push(forbiddenField(field, `${field} is forbidden when continue is provided`));
    if (!matches.includes(match)) errors.push(unsupportedValue(field, match, matches));
    if (match === 'Exact' && resourceVersion === '0') {
      errors.push(forbiddenField(field, `${field} "exact" is forbidden for resourceVersion "0"`));
    }
  }
  if (sendInitialEvents) {
    errors.push(forbiddenField('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  }
  if (errors.length > 0) throw listOptionsError(errors);
}

export function listOptionsError(errors: readonly FieldError[]) {
  return invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors);
}

/** A resourceVersion as clients send it; nothing means 0. */
export function parseVersion(text: string | undefined, refuse: (why: string) => Error): number {
  if (text === undefined || text === '') return 0;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const shown = JSON.stringify(text);
  throw refuse(`resourceVersion: Invalid value: ${shown}: strconv.ParseUint: parsing ${shown}: invalid syntax`);
}
