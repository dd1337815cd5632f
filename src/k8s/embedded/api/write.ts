import { randomBytes, randomUUID } from 'node:crypto';
import { applyObject, trackUpdate } from './apply/managed-fields.ts';
import type { Core } from './core.ts';
import { requireNamespace, timestamp } from './core.ts';
import { decode } from './decode.ts';
import type { Definition, Draft } from './definition.ts';
import { groupVersionOf } from './definition.ts';
import { clone, equal, isObject, type JsonObject } from './json.ts';
import { alreadyExists, badRequest, conflict, invalid, notFound, staleWrite, unclassified } from './status.ts';
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
  /** Takes the texts of `Warning` headers. */
  warn?: ((text: string) => void) | undefined;
}

/** Reads the sent object and fills in its defaults; what is unknown in it is refused or reported as asked. */
export function readObject(request: WriteRequest, value: unknown, live: Draft | undefined): Draft {
  const { object, warnings } = decode(request.definition, value);
  reportUnknown(request, warnings);
  request.definition.applyDefaults?.(object, live);
  return object;
}

function reportUnknown(request: WriteRequest, warnings: readonly string[]): void {
  if (warnings.length === 0) return;
  const { definition, fieldValidation = 'Warn' } = request;
  if (fieldValidation === 'Strict') {
    const text = `strict decoding error: ${warnings.join(', ')}`;
    const subject = `${definition.kind} in version "${definition.version}" cannot be handled as a ${definition.kind}: `;
    throw badRequest(definition.custom ? text : subject + text);
  }
  if (fieldValidation === 'Warn') for (const warning of warnings) request.warn?.(warning);
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

function placeInNamespace(request: WriteRequest, object: Draft): void {
  const { definition, namespace } = request;
  if (!definition.namespaced) {
    delete object.metadata.namespace;
    return;
  }
  const own = object.metadata.namespace;
  if (own && own !== namespace) {
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
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

function storeNew(core: Core, request: WriteRequest, sent: Draft): Draft {
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
  checkIdentity(definition, live, next, namespace);
  trackUpdate(definition, live, next, {
    manager: request.manager,
    subresource: request.subresource ?? '',
    now: core.clock.now(),
  });
  return storeChange(core, request, live, next);
}

/** A JSON or YAML body as the next state. */
export function replaceObject(core: Core, request: WriteRequest, value: unknown): Draft {
  return changeObject(core, request, (live) => {
    const next = readObject(request, value, live);
    placeInNamespace(request, next);
    if (next.metadata.name !== request.name) {
      throw badRequest(
        `the name of the object (${next.metadata.name ?? ''}) does not match the name on the URL (${request.name ?? ''})`,
      );
    }
    if (definitionIsStrict(request.definition) && !next.metadata.resourceVersion) {
      throw invalid(request.definition, live.metadata.name, [
        {
          reason: 'FieldValueInvalid',
          field: 'metadata.resourceVersion',
          message: 'Invalid value: 0: must be specified for an update',
        },
      ]);
    }
    return next;
  });
}

/** Custom resources can't be replaced without saying which version is meant. */
function definitionIsStrict(definition: Definition): boolean {
  return definition.custom === true;
}

function checkIdentity(definition: Definition, live: Draft, next: Draft, namespace: string | undefined): void {
  const { resourceVersion, uid } = next.metadata;
  const name = live.metadata.name;
  if (resourceVersion && resourceVersion !== live.metadata.resourceVersion)
    throw conflict(definition, name, staleWrite);
  if (uid && uid !== live.metadata.uid) {
    throw conflict(
      definition,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`,
    );
  }
  if (next.metadata.name !== name || (next.metadata.namespace ?? namespace) !== live.metadata.namespace) {
    throw invalid(definition, name, [
      {
        reason: 'FieldValueInvalid',
        field: 'metadata.name',
        message: `Invalid value: ${JSON.stringify(next.metadata.name)}: field is immutable`,
      },
    ]);
  }
}

/** PATCH with an apply configuration: creates the object when there is none. */
export function applyChange(
  core: Core,
  request: WriteRequest & { force: boolean },
  value: unknown,
): { object: Draft; created: boolean } {
  const { definition, namespace, name = '' } = request;
  const config = readConfiguration(request, value);
  const live = request.subresource
    ? requireLive(core, definition, namespace, name)
    : core.collection(definition).get(namespace, name);
  if (live) checkIdentity(definition, live, { ...config, metadata: { ...config.metadata, name } }, namespace);
  const applied = applyObject(definition, live, config, {
    manager: request.manager,
    subresource: request.subresource ?? '',
    now: core.clock.now(),
    force: request.force,
  });
  const { object } = decode(definition, { ...applied, metadata: { ...applied.metadata } });
  definition.applyDefaults?.(object, live);
  if (live) return { object: storeChange(core, request, live, object), created: false };
  placeInNamespace(request, object);
  object.metadata.name = name;
  delete object.metadata.uid;
  return { object: storeNew(core, request, object), created: true };
}

function requireLive(core: Core, definition: Definition, namespace: string | undefined, name: string): Draft {
  const live = core.collection(definition).get(namespace, name);
  if (!live) throw notFound(definition, name);
  return live;
}

/** An applied configuration is kept as it was sent: only what is in it counts. */
function readConfiguration(request: WriteRequest, value: unknown): Draft {
  const { definition, namespace, name } = request;
  if (!isObject(value)) throw badRequest('error decoding YAML: an apply configuration must be an object');
  const config = clone(value) as unknown as Draft;
  const expected = groupVersionOf(definition);
  if (config.apiVersion !== expected) {
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${config.apiVersion ?? ''}, expected: ${expected}`,
    );
  }
  if (config.kind !== definition.kind) {
    throw badRequest(
      `the kind in the data (${config.kind ?? ''}) does not match the expected kind (${definition.kind})`,
    );
  }
  config.metadata = isObject(config.metadata) ? config.metadata : ({} as Draft['metadata']);
  const own = config.metadata;
  if (own.name !== undefined && own.name !== name) {
    throw badRequest(`the name of the object (${own.name}) does not match the name on the URL (${name ?? ''})`);
  }
  if (definition.namespaced && own.namespace !== undefined && own.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (request.fieldValidation !== 'Ignore')
    reportUnknown(
      { ...request, fieldValidation: request.fieldValidation ?? 'Warn' },
      decode(definition, value).warnings,
    );
  return config;
}

function storeChange(core: Core, request: WriteRequest, live: Draft, sent: Draft): Draft {
  const { definition } = request;
  const next = request.subresource === 'status' ? withStatus(live, sent) : withSpec(definition, live, sent);
  if (request.subresource !== 'status') definition.prepareUpdate?.(next, live, core.around);
  keepSystemFields(definition, next, live);
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

function withStatus(live: Draft, sent: Draft): Draft {
  const next: Draft = { ...live, metadata: { ...live.metadata } };
  if (sent.metadata.managedFields) next.metadata.managedFields = sent.metadata.managedFields;
  else delete next.metadata.managedFields;
  if (sent.status === undefined) delete next.status;
  else next.status = sent.status;
  return next;
}

function withSpec(definition: Definition, live: Draft, sent: Draft): Draft {
  const next: Draft = { ...sent, metadata: { ...sent.metadata } };
  if (!definition.statusSubresource) return next;
  if (live.status === undefined) delete next.status;
  else next.status = live.status;
  return next;
}

/** Identity and life cycle are the server's. */
function keepSystemFields(definition: Definition, next: Draft, live: Draft): void {
  const metadata = next.metadata as unknown as JsonObject;
  const old = live.metadata as unknown as JsonObject;
  for (const field of [
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'generation',
    'resourceVersion',
    'namespace',
  ]) {
    if (old[field] === undefined) delete metadata[field];
    else metadata[field] = old[field];
  }
  if (!definition.generationOf) return;
  if (!equal(definition.generationOf(next), definition.generationOf(live))) {
    next.metadata.generation = (live.metadata.generation ?? 0) + 1;
  }
}

/** A write that changes nothing but the times in managedFields is none. */
function sameButTimes(next: Draft, live: Draft): boolean {
  const timeless = (object: Draft) => ({
    ...object,
    metadata: {
      ...object.metadata,
      managedFields: object.metadata.managedFields?.map(({ time: _, ...entry }) => entry) ?? [],
    },
  });
  return equal(timeless(next), timeless(live));
}
