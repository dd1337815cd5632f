import { randomBytes, randomUUID } from 'node:crypto';
import { trackUpdate } from './apply/managed-fields.ts';
import type { Core } from './core.ts';
import { requireNamespace, timestamp } from './core.ts';
import { decode, type Refuse, refuseBody } from './decode.ts';
import type { Definition, Draft } from './definition.ts';
import { equal, isObject, type JsonObject } from './json.ts';
import { alreadyExists, badRequest, conflict, invalid, notFound, staleWrite, unclassified } from './status.ts';
import { invalidValue } from './validation/field-errors.ts';
import { validateCreate, validateUpdate } from './validation/object.ts';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** A write, as HTTP and the in-process client both state it. */
export interface WriteRequest {
  definition: Definition;
  namespace?: string | undefined;
  name?: string | undefined;
  subresource?: 'status' | 'scale' | undefined;
  manager: string;
  dryRun?: boolean | undefined;
  fieldValidation?: FieldValidation | undefined;
  /** Paths that the body gives twice. */
  duplicates?: readonly string[] | undefined;
  /** Takes the texts of `Warning` headers. */
  warn?: ((text: string) => void) | undefined;
}

/** Reads the sent object and fills in its defaults; what is unknown in it is refused or reported as asked. */
export function readObject(request: WriteRequest, value: unknown, live: Draft | undefined): Draft {
  return read(request, value, live, refuseBody(request.definition));
}

/** Reads what a patch made of an object. */
export function readPatched(request: WriteRequest, value: unknown, live: Draft): Draft {
  return read(request, value, live, (detail) =>
    invalid({ group: '', kind: '' }, '', [invalidValue('patch', JSON.stringify(value), detail)]),
  );
}

function read(request: WriteRequest, value: unknown, live: Draft | undefined, refuse: Refuse): Draft {
  const { definition, fieldValidation = 'Warn', duplicates = [] } = request;
  const { object, warnings } = decode(definition, value, refuse);
  const stray = [...warnings, ...duplicates.map((path) => `duplicate field "${path}"`)];
  if (stray.length > 0 && fieldValidation === 'Strict') throw refuse(`strict decoding error: ${stray.join(', ')}`);
  if (fieldValidation === 'Warn') for (const warning of stray) request.warn?.(warning);
  definition.applyDefaults?.(object, live);
  return object;
}

/** POST. */
export function createObject(core: Core, request: WriteRequest, value: unknown): Draft {
  const object = readObject(request, value, undefined);
  placeInNamespace(request, object);
  nameIt(core, request, object);
  trackUpdate(request.definition, undefined, object, {
    manager: request.manager,
    subresource: '',
    now: core.clock.now(),
  });
  return storeNew(core, request, object);
}

export function placeInNamespace(request: WriteRequest, object: Draft): void {
  const { definition, namespace } = request;
  if (!definition.namespaced) {
    delete object.metadata.namespace;
    return;
  }
  const own = object.metadata.namespace;
  if (own && own !== namespace) {
    throw misplaced();
  }
  if (namespace !== undefined) object.metadata.namespace = namespace;
}

const nameAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

function nameIt(core: Core, request: WriteRequest, object: Draft): void {
  const prefix = object.metadata.generateName;
  if (object.metadata.name || !prefix) return;
  const present = core.collection(request.definition);
  do {
    const suffix = [...randomBytes(5)].map((byte) => nameAlphabet[byte % nameAlphabet.length]).join('');
    object.metadata.name = prefix.slice(0, 58) + suffix;
  } while (present.get(object.metadata.namespace, object.metadata.name));
}

export function storeNew(core: Core, request: WriteRequest, sent: Draft): Draft {
  const { definition } = request;
  const object: Draft = { ...sent, metadata: { ...sent.metadata } };
  if (object.metadata.resourceVersion) {
    throw unclassified('resourceVersion should not be set on objects to be created');
  }
  requireNamespace(core, definition, object);
  const { metadata } = object;
  for (const field of [
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'selfLink',
    'resourceVersion',
    'generation',
  ] as const) {
    delete (metadata as unknown as JsonObject)[field];
  }
  metadata.uid = randomUUID();
  metadata.creationTimestamp = timestamp(core);
  if (definition.generationOf) metadata.generation = 1;
  if (definition.statusSubresource) clearStatus(definition, object);
  definition.prepareCreate?.(object, core.around);
  const errors = validateCreate(definition, object);
  if (errors.length > 0) throw invalid(definition, metadata.name ?? '', errors);
  const collection = core.collection(definition);
  if (collection.get(metadata.namespace, metadata.name)) throw alreadyExists(definition, metadata.name);
  definition.allocate?.(object, core.around);
  if (!request.dryRun) return collection.put(object);
  definition.afterDelete?.(object, core.around);
  return object;
}

/** What a kind shows as a status that nobody wrote yet. */
function clearStatus(definition: Definition, object: Draft): void {
  delete object.status;
  if (definition.custom) definition.applyDefaults?.(object, undefined);
  else object.status = decode(definition, { metadata: object.metadata }).object.status;
}

/** Makes the next state from the present one. */
export type Change = (live: Draft) => Draft;

/** PUT and every patch but apply. */
export function changeObject(core: Core, request: WriteRequest, change: Change): Draft {
  const { definition, namespace, name = '' } = request;
  const live = core.collection(definition).get(namespace, name);
  if (!live) throw notFound(definition, name);
  const next = change(live);
  checkIdentity(definition, live, next);
  trackUpdate(definition, live, next, {
    manager: request.manager,
    subresource: request.subresource ?? '',
    now: core.clock.now(),
  });
  return storeChange(core, request, live, next);
}

/** A JSON or YAML body as the next state. */
export function replaceObject(core: Core, request: WriteRequest, value: unknown): Draft {
  const { definition, name = '' } = request;
  if (makesNew(core, request)) return createNamed(core, request, value);
  return changeObject(core, request, (live) => {
    const next = readObject(request, value, live);
    placeInNamespace(request, next);
    const { uid, resourceVersion } = next.metadata;
    if (next.metadata.name !== name) throw misnamed(next.metadata.name, name);
    // A replacement is of one object: of its successor with the same name it knows nothing.
    if (uid && uid !== live.metadata.uid) {
      const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`;
      throw conflict(definition, name, why);
    }
    if (definition.custom && !resourceVersion) throw unversioned(definition, name);
    return next;
  });
}

/** Whether a replacement is the creation of an object. */
export function makesNew(core: Core, { definition, namespace, name = '', subresource }: WriteRequest): boolean {
  if (!definition.createOnUpdate || subresource) return false;
  return core.collection(definition).get(namespace, name) === undefined;
}

function createNamed(core: Core, request: WriteRequest, value: unknown): Draft {
  const { definition, name = '' } = request;
  const { metadata } = readObject(request, value, undefined);
  if (metadata.name !== name) throw misnamed(metadata.name, name);
  if (metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: `;
    throw conflict(definition, name, why);
  }
  // Which version it was meant to replace does not matter any more.
  return createObject(core, request, { ...(value as JsonObject), metadata: { ...metadata, resourceVersion: '' } });
}

/** Custom resources can't be replaced without saying which version is meant; the server names their plural here. */
function unversioned({ group, plural }: Definition, name: string) {
  const error = invalidValue('metadata.resourceVersion', 0, 'must be specified for an update');
  return invalid({ group, kind: plural }, name, [error]);
}

export function checkIdentity(definition: Definition, live: Draft, next: Draft): void {
  const { resourceVersion, uid, name, namespace } = next.metadata;
  const present = live.metadata;
  if (resourceVersion && resourceVersion !== present.resourceVersion)
    throw conflict(definition, present.name, staleWrite);
  if (name !== present.name) throw misnamed(name, present.name);
  if (namespace && namespace !== present.namespace) throw misplaced();
  if (!uid || uid === present.uid) return;
  throw invalid(definition, name, [invalidValue('metadata.uid', uid, 'field is immutable')]);
}

/** An object that was sent to the path of another. */
export function misnamed(sent: string | undefined, name: string) {
  return badRequest(`the name of the object (${sent ?? ''}) does not match the name on the URL (${name})`);
}

export function misplaced() {
  return badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

export function storeChange(core: Core, request: WriteRequest, live: Draft, sent: Draft): Draft {
  const { definition } = request;
  const toStatus = request.subresource === 'status';
  const next = toStatus ? withStatus(definition, live, sent) : withSpec(definition, live, sent);
  if (!toStatus) definition.prepareUpdate?.(next, live, core.around);
  keepSystemFields(next, live);
  if (!toStatus) countGeneration(definition, next, live);
  const errors = validateUpdate(definition, next, live, request.subresource);
  if (errors.length > 0) throw invalid(definition, live.metadata.name, errors);
  if (sameButTimes(next, live)) return live;
  if (request.dryRun) return next;
  return finishChange(core, definition, next);
}

/** An object whose last finalizer goes is gone. */
export function finishChange(core: Core, definition: Definition, next: Draft): Draft {
  const { metadata } = next;
  const held =
    (metadata.finalizers?.length ?? 0) > 0 || (metadata.deletionGracePeriodSeconds ?? 0) > 0 || hasSpecFinalizers(next);
  if (metadata.deletionTimestamp === undefined || held) return core.collection(definition).put(next);
  const gone = core.collection(definition).remove(next);
  definition.afterDelete?.(gone, core.around);
  return gone;
}

/** Namespaces are held by finalizers of their own. */
export function hasSpecFinalizers(object: Draft): boolean {
  const { spec } = object;
  return object.kind === 'Namespace' && isObject(spec) && Array.isArray(spec.finalizers) && spec.finalizers.length > 0;
}

/** Custom resources keep all of their metadata, others what their kind says. */
function withStatus(definition: Definition, live: Draft, sent: Draft): Draft {
  const { custom, statusKeeps = [] } = definition;
  const next: Draft = { ...live, metadata: { ...(custom ? live : sent).metadata } };
  for (const field of statusKeeps) keepField(next.metadata, live.metadata, field);
  keepField(next.metadata, sent.metadata, 'managedFields');
  keepField(next, sent, 'status');
  return next;
}

function keepField<T extends object>(target: T, source: T, field: keyof T): void {
  if (source[field] === undefined) delete target[field];
  else target[field] = source[field];
}

function withSpec(definition: Definition, live: Draft, sent: Draft): Draft {
  const next: Draft = { ...sent, metadata: { ...sent.metadata } };
  if (definition.statusSubresource) keepField(next, live, 'status');
  return next;
}

const systemFields = [
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
  'resourceVersion',
  'namespace',
] as const;

/** Identity and life cycle are the server's. */
function keepSystemFields(next: Draft, live: Draft): void {
  for (const field of systemFields) keepField(next.metadata, live.metadata, field);
}

function countGeneration({ generationOf }: Definition, next: Draft, live: Draft): void {
  if (!generationOf || equal(generationOf(next), generationOf(live))) return;
  next.metadata.generation = (live.metadata.generation ?? 0) + 1;
}

/** A write that changes nothing but the times in managedFields is none. */
function sameButTimes(next: Draft, live: Draft): boolean {
  const timeless = ({ metadata, ...rest }: Draft) => {
    const managedFields = (metadata.managedFields ?? []).map((entry) => ({ ...entry, time: undefined }));
    return { ...rest, metadata: { ...metadata, managedFields } };
  };
  return equal(timeless(next), timeless(live));
}
