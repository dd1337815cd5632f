import { applyObject } from './apply/managed-fields.ts';
import type { Core } from './core.ts';
import { decode } from './decode.ts';
import { type Definition, type Draft, groupVersionOf } from './definition.ts';
import { clone, isObject, type JsonObject } from './json.ts';
import { badRequest, conflict, notFound } from './status.ts';
import {
  checkIdentity,
  misnamed,
  misplaced,
  placeInNamespace,
  storeChange,
  storeNew,
  type WriteRequest,
} from './write.ts';

/** PATCH with an apply configuration: creates the object when there is none. */
export function applyChange(
  core: Core,
  request: WriteRequest & { force: boolean },
  value: unknown,
): { object: Draft; created: boolean } {
  const { definition, namespace, name = '', subresource = '' } = request;
  const config = readConfiguration(request, value);
  const live = core.collection(definition).get(namespace, name);
  if (!live && subresource) throw notFound(definition, name);
  if (live) checkIdentity(definition, live, { ...config, metadata: { ...config.metadata, name } });
  else if (config.metadata.uid) throw unborn(definition, name, config.metadata.uid);
  const applied = applyObject(definition, live, config, {
    manager: request.manager,
    subresource,
    now: core.clock.now(),
    force: request.force,
  });
  const { object } = decode(definition, { ...applied, metadata: { ...applied.metadata } });
  definition.applyDefaults?.(object, live);
  if (live) return { object: storeChange(core, request, live, object), created: false };
  placeInNamespace(request, object);
  object.metadata.name = name;
  delete object.metadata.resourceVersion;
  return { object: storeNew(core, request, object), created: true };
}

function unborn(definition: Definition, name: string, uid: string) {
  const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
  return conflict(definition, name, why);
}

/** An applied configuration is kept as it was sent: only what is in it counts. */
function readConfiguration({ definition, namespace, name = '' }: WriteRequest, value: unknown): Draft {
  if (!isObject(value)) {
    throw badRequest(
      'error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal into Go value of type map[string]interface {}',
    );
  }
  const config = clone(value) as unknown as Draft;
  if (config.apiVersion !== groupVersionOf(definition) || config.kind !== definition.kind) {
    throw badRequest(`invalid object type: ${typeText(value)}`);
  }
  config.metadata = isObject(config.metadata) ? config.metadata : ({} as Draft['metadata']);
  const own = config.metadata;
  if (own.name !== undefined && own.name !== name) throw misnamed(own.name, name);
  if (definition.namespaced && own.namespace !== undefined && own.namespace !== namespace) throw misplaced();
  return config;
}

/** A type as Go prints it: the core group has an empty name. */
function typeText({ apiVersion, kind }: JsonObject): string {
  const version = typeof apiVersion === 'string' ? apiVersion : '';
  return `${version.includes('/') ? version : `/${version}`}, Kind=${typeof kind === 'string' ? kind : ''}`;
}
