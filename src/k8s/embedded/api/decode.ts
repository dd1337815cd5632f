import type { Definition, Draft } from './definition.ts';
import { groupVersionOf } from './definition.ts';
import { isObject, type Json, type JsonObject, put } from './json.ts';
import { prune } from './prune.ts';
import { canonicalQuantity } from './quantity.ts';
import { memberOf, type Schema } from './schema.ts';
import { badRequest, invalid } from './status.ts';
import { invalidValue } from './validation/field-errors.ts';

/** Input brought into the form the server keeps, and what was dropped on the way. */
export interface Decoded {
  object: Draft;
  /** `unknown field "spec.replcas"`, for strict field validation. */
  warnings: string[];
}

/** Makes the error of an object that can't be read. */
export type Refuse = (detail: string) => Error;

/** How an object is refused that was sent as it is. */
export function refuseBody({ kind, version }: Definition): Refuse {
  return (detail) => badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${detail}`);
}

/**
 * Reads an object of a kind. For built-in kinds this is what decoding into Go types and encoding again does: unknown
 * fields go, zero values of plain fields too, wrong types are refused. Custom resources are pruned only; their types
 * are for validation.
 */
export function decode(definition: Definition, value: unknown, refuse: Refuse = refuseBody(definition)): Decoded {
  if (!isObject(value)) throw badRequest(unrecognized(definition, `${definition.kind} must be an object`));
  checkType(definition, value);
  const { apiVersion: _, kind: __, ...rest } = value;
  const reader: Reader = { warnings: [], refuse };
  const body = definition.custom
    ? custom(rest, definition.schema, reader)
    : struct(rest, definition.schema, { path: '', go: '', owner: definition.kind }, reader);
  return {
    object: { apiVersion: groupVersionOf(definition), kind: definition.kind, ...body } as Draft,
    warnings: reader.warnings,
  };
}

/** What is wrong with a body before anything of its kind is looked at. */
export function unrecognized({ kind }: Pick<Definition, 'kind'>, why: string): string {
  return `the object provided is unrecognized (must be of type ${kind}): ${why}`;
}

function checkType(definition: Definition, value: JsonObject): void {
  const expected = groupVersionOf(definition);
  const [apiVersion, kind] = [text(value.apiVersion), text(value.kind)];
  if (definition.custom) return checkCustomType(definition, value, apiVersion, kind);
  if ((apiVersion || expected) === expected && (kind || definition.kind) === definition.kind) return;
  throw badRequest(
    `${kind} in version "${apiVersion.split('/').at(-1)}" cannot be handled as a ${definition.kind}: ` +
      `no kind "${kind}" is registered for version "${apiVersion}"`,
  );
}

/** Nothing tells what a custom resource is but its own word. */
function checkCustomType(definition: Definition, value: JsonObject, apiVersion: string, kind: string): void {
  const expected = groupVersionOf(definition);
  const missing = kind ? (apiVersion ? undefined : 'apiVersion') : 'Kind';
  if (missing) {
    throw badRequest(unrecognized(definition, `Object '${missing}' is missing in '${JSON.stringify(value)}'`));
  }
  if (apiVersion !== expected) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    );
  }
  if (kind === definition.kind) return;
  const name = isObject(value.metadata) ? text(value.metadata.name) : '';
  const error = invalidValue('kind', kind, `must be ${definition.kind}`);
  throw invalid({ group: definition.group, kind }, name, [error]);
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

interface Reader {
  warnings: string[];
  refuse: Refuse;
}

/** Where a value stands: as field errors spell it, as Go's decoder does, and the struct that it is a field of. */
interface Place {
  path: string;
  go: string;
  owner: string;
}

function within({ path, go }: Place, key: string, schema: Schema): Place {
  const join = (before: string) => (before ? `${before}.${key}` : key);
  return { path: join(path), go: join(go), owner: schema.name?.split('.').at(-1) ?? '' };
}

function mismatch({ refuse }: Reader, { go, owner }: Place, found: string, schema: Schema): never {
  const field = go ? `Go struct field ${owner}.${go}` : 'Go value';
  throw refuse(`json: cannot unmarshal ${found} into ${field} of type ${goType(schema)}`);
}

const goTypes: Partial<Record<Schema['type'], string>> = {
  string: 'string',
  boolean: 'bool',
  number: 'float64',
  bytes: '[]uint8',
  'int-or-string': 'int32',
};

function goType(schema: Schema): string {
  if (schema.type === 'list') return `[]${schema.items ? goType(schema.items) : 'interface {}'}`;
  if (schema.type === 'map') return `map[string]${schema.items ? goType(schema.items) : 'interface {}'}`;
  if (schema.type === 'integer') return schema.format ?? 'int32';
  return goTypes[schema.type] ?? schema.name?.split('.').slice(-2).join('.') ?? 'interface {}';
}

/** metadata is typed in custom resources too. */
function custom(value: JsonObject, schema: Schema, reader: Reader): JsonObject {
  const { metadata, ...rest } = value;
  const metadataSchema = memberOf(schema, 'metadata');
  const place: Place = { path: 'metadata', go: '', owner: 'ObjectMeta' };
  const meta = metadataSchema && struct(object(metadata, metadataSchema, place, reader), metadataSchema, place, reader);
  const pruned = prune(rest, schema);
  reader.warnings.push(...pruned.unknown.map((path) => `unknown field "${path}"`));
  return { ...(meta && { metadata: meta }), ...pruned.value };
}

function object(value: Json | undefined, schema: Schema, place: Place, reader: Reader): JsonObject {
  if (value === undefined || value === null) return {};
  return isObject(value) ? value : mismatch(reader, place, jsonType(value), schema);
}

function struct(value: JsonObject, schema: Schema, place: Place, reader: Reader): JsonObject {
  const owner = place.path === '' ? { ...schema, name: place.owner } : schema;
  const decoded: JsonObject = {};
  // In the order in which they were sent, as warnings go out.
  for (const [key, member] of Object.entries(value)) {
    const memberSchema = memberOf(schema, key);
    const below = within(place, key, owner);
    if (!memberSchema) reader.warnings.push(`unknown field "${below.path}"`);
    else if (member !== null) decoded[key] = read(member, memberSchema, below, reader);
  }
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(schema.fields ?? {})) {
    const found = decoded[key];
    const kept =
      found === undefined || isZero(found, member) ? absent(member, within(place, key, owner), reader) : found;
    if (kept !== undefined) result[key] = kept;
  }
  return result;
}

/** What Go prints for a field that is not there; undefined where it prints nothing. */
function absent(schema: Schema, place: Place, reader: Reader): Json | undefined {
  if (schema.always || schema.required) return zeroOf(schema, place, reader);
  return undefined;
}

function zeroOf(schema: Schema, place: Place, reader: Reader): Json | undefined {
  switch (schema.type) {
    case 'struct':
      return schema.pointer ? undefined : struct({}, schema, place, reader);
    case 'string':
    case 'bytes':
      return '';
    case 'quantity':
      return '0';
    case 'integer':
    case 'int-or-string':
      return 0;
    case 'boolean':
      return false;
    default:
      return null;
  }
}

function isZero(value: Json, schema: Schema): boolean {
  if (schema.pointer) return false;
  if (value === '' || value === 0 || value === false) return schema.type !== 'quantity';
  if (Array.isArray(value)) return value.length === 0;
  return schema.type === 'map' && isObject(value) && Object.keys(value).length === 0;
}

function read(value: Json, schema: Schema, place: Place, reader: Reader): Json {
  switch (schema.type) {
    case 'struct':
      return struct(object(value, schema, place, reader), schema, place, reader);
    case 'map':
      return entries(value, schema, place, reader);
    case 'list':
      return items(value, schema, place, reader);
    case 'any':
      return value;
    default:
      return scalar(value, schema, place, reader);
  }
}

function entries(value: Json, schema: Schema, place: Place, reader: Reader): JsonObject {
  if (!isObject(value)) return mismatch(reader, place, jsonType(value), schema);
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    put(result, key, element(member, schema, { ...place, path: `${place.path}.${key}` }, reader));
  }
  return result;
}

function items(value: Json, schema: Schema, place: Place, reader: Reader): Json[] {
  if (!Array.isArray(value)) return mismatch(reader, place, jsonType(value), schema);
  return value.map((item, index) => element(item, schema, { ...place, path: `${place.path}[${index}]` }, reader));
}

/** Inside lists and maps Go keeps zero values, and null becomes one. */
function element(value: Json, schema: Schema, place: Place, reader: Reader): Json {
  const itemSchema = schema.items ?? { type: 'any' as const };
  return value === null ? (zeroOf(itemSchema, place, reader) ?? null) : read(value, itemSchema, place, reader);
}

const quantityProblem = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

function scalar(value: Json, schema: Schema, place: Place, reader: Reader): Json {
  const wrong = () => mismatch(reader, place, jsonType(value), schema);
  switch (schema.type) {
    case 'string':
      return typeof value === 'string' ? value : wrong();
    case 'boolean':
      return typeof value === 'boolean' ? value : wrong();
    case 'integer':
      return integer(value, schema, place, reader);
    case 'number':
      return typeof value === 'number' ? value : wrong();
    case 'int-or-string':
      return typeof value === 'string' ? value : integer(value, schema, place, reader);
    case 'quantity': {
      const quantity = canonicalQuantity(value);
      if (quantity === undefined) throw reader.refuse(quantityProblem);
      return quantity;
    }
    case 'bytes':
      return typeof value === 'string' ? base64(value, reader) : wrong();
    default:
      return timestamp(value, schema, reader);
  }
}

const base64Form = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function base64(value: string, { refuse }: Reader): string {
  const plain = value.replace(/[\r\n]/g, '');
  if (base64Form.test(plain)) return plain;
  const place = /[^A-Za-z0-9+/=]/.exec(plain)?.index ?? plain.length - (plain.length % 4);
  throw refuse(`illegal base64 data at input byte ${place}`);
}

function integer(value: Json, schema: Schema, place: Place, reader: Reader): number {
  if (typeof value !== 'number') return mismatch(reader, place, jsonType(value), schema);
  const fits = Number.isInteger(value) && (schema.format === 'int64' || Math.abs(value) <= 2 ** 31);
  return fits ? value : mismatch(reader, place, `number ${value}`, schema);
}

const timeForm = '2006-01-02T15:04:05Z07:00';

function timestamp(value: Json, schema: Schema, { refuse }: Reader): string {
  const sent = text(value);
  const millis = /^\d{4}-\d\d-\d\dT/.test(sent) ? Date.parse(sent) : Number.NaN;
  if (Number.isNaN(millis)) {
    throw refuse(
      `parsing time ${JSON.stringify(value)} as "${timeForm}": cannot parse ${JSON.stringify(value)} as "2006"`,
    );
  }
  const iso = new Date(millis).toISOString();
  if (schema.type === 'time') return iso.replace(/\.\d+Z$/, 'Z');
  const micros = /\.(\d{1,6})/.exec(sent)?.[1]?.padEnd(6, '0') ?? '000000';
  return iso.replace(/\.\d+Z$/, `.${micros}Z`);
}

function jsonType(value: Json): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return value === null ? 'null' : typeof value;
}
