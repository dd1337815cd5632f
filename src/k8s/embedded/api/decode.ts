import type { Definition, Draft } from './definition.ts';
import { groupVersionOf } from './definition.ts';
import { isObject, type Json, type JsonObject, put } from './json.ts';
import { canonicalQuantity } from './quantity.ts';
import { memberOf, type Schema } from './schema.ts';
import { badRequest } from './status.ts';

/** Input brought into the form the server keeps, and what was dropped on the way. */
export interface Decoded {
  object: Draft;
  /** `unknown field "spec.replcas"`, for strict field validation. */
  warnings: string[];
}

/**
 * Reads an object of a kind. For built-in kinds this is what decoding into Go types and encoding again does: unknown
 * fields go, zero values of plain fields too, wrong types are refused. Custom resources are pruned only; their types
 * are for validation.
 */
export function decode(definition: Definition, value: unknown): Decoded {
  if (!isObject(value)) throw badRequest(`the object provided is unrecognized: ${definition.kind} must be an object`);
  const warnings: string[] = [];
  const { apiVersion, kind, ...rest } = value;
  const expected = groupVersionOf(definition);
  if ((apiVersion ?? expected) !== expected || (kind ?? definition.kind) !== definition.kind) {
    throw badRequest(
      `${String(kind)} in version "${String(apiVersion)}" cannot be handled as a ${definition.kind}: ` +
        `no kind "${String(kind)}" is registered for version "${expected}"`,
    );
  }
  const reader: Reader = {
    warnings,
    mismatch(path, found, wanted) {
      throw badRequest(
        `${definition.kind} in version "${definition.version}" cannot be handled as a ${definition.kind}: ` +
          `json: cannot unmarshal ${found} into Go struct field .${path} of type ${wanted}`,
      );
    },
  };
  const body = definition.custom
    ? custom(rest, definition.schema, reader)
    : struct(rest, definition.schema, '', reader);
  return { object: { apiVersion: expected, kind: definition.kind, ...body } as Draft, warnings };
}

interface Reader {
  warnings: string[];
  mismatch(path: string, found: string, wanted: string): never;
}

/** metadata is typed in custom resources too. */
function custom(value: JsonObject, schema: Schema, reader: Reader): JsonObject {
  const { metadata, ...rest } = value;
  const body = prune(rest, schema, '', reader) as JsonObject;
  const metadataSchema = memberOf(schema, 'metadata');
  return metadataSchema
    ? { metadata: struct(object(metadata, 'metadata', reader), metadataSchema, 'metadata', reader), ...body }
    : body;
}

function prune(value: Json, schema: Schema, path: string, reader: Reader): Json {
  if (Array.isArray(value) && schema.type === 'list' && schema.items) {
    const items = schema.items;
    return value.map((item, index) => prune(item, items, `${path}[${index}]`, reader));
  }
  if (!isObject(value) || (schema.type !== 'struct' && schema.type !== 'map')) return value;
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    const below = path ? `${path}.${key}` : key;
    const memberSchema = memberOf(schema, key);
    if (!memberSchema) reader.warnings.push(`unknown field "${below}"`);
    else if (member !== null) put(result, key, prune(member, memberSchema, below, reader));
  }
  return result;
}

function object(value: Json | undefined, path: string, reader: Reader): JsonObject {
  if (value === undefined || value === null) return {};
  return isObject(value) ? value : reader.mismatch(path, jsonType(value), 'struct');
}

function struct(value: JsonObject, schema: Schema, path: string, reader: Reader): JsonObject {
  for (const key of Object.keys(value)) {
    if (!memberOf(schema, key)) reader.warnings.push(`unknown field "${path ? `${path}.` : ''}${key}"`);
  }
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(schema.fields ?? {})) {
    const decoded = field(value[key] ?? null, member, path ? `${path}.${key}` : key, reader);
    if (decoded !== undefined) result[key] = decoded;
  }
  return result;
}

/** A field's value; undefined where Go would print nothing. */
function field(value: Json, schema: Schema, path: string, reader: Reader): Json | undefined {
  if (value === null) return absent(schema, path, reader);
  const decoded = read(value, schema, path, reader);
  return isZero(decoded, schema) ? absent(schema, path, reader) : decoded;
}

function absent(schema: Schema, path: string, reader: Reader): Json | undefined {
  if (schema.always || schema.required) return zeroOf(schema, path, reader);
  return undefined;
}

function zeroOf(schema: Schema, path: string, reader: Reader): Json | undefined {
  switch (schema.type) {
    case 'struct':
      return schema.pointer ? undefined : struct({}, schema, path, reader);
    case 'string':
      return '';
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

function read(value: Json, schema: Schema, path: string, reader: Reader): Json {
  switch (schema.type) {
    case 'struct':
      return struct(object(value, path, reader), schema, path, reader);
    case 'map':
      return entries(value, schema, path, reader);
    case 'list':
      return items(value, schema, path, reader);
    case 'any':
      return value;
    default:
      return scalar(value, schema, path, reader);
  }
}

function entries(value: Json, schema: Schema, path: string, reader: Reader): JsonObject {
  if (!isObject(value)) return reader.mismatch(path, jsonType(value), 'map[string]string');
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    put(result, key, element(member, schema, `${path}.${key}`, reader));
  }
  return result;
}

function items(value: Json, schema: Schema, path: string, reader: Reader): Json[] {
  if (!Array.isArray(value)) return reader.mismatch(path, jsonType(value), 'list');
  return value.map((item, index) => element(item, schema, `${path}[${index}]`, reader));
}

/** Inside lists and maps Go keeps zero values, and null becomes one. */
function element(value: Json, schema: Schema, path: string, reader: Reader): Json {
  const itemSchema = schema.items ?? { type: 'any' as const };
  return value === null ? (zeroOf(itemSchema, path, reader) ?? null) : read(value, itemSchema, path, reader);
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function scalar(value: Json, schema: Schema, path: string, reader: Reader): Json {
  switch (schema.type) {
    case 'string':
      return typeof value === 'string' ? value : reader.mismatch(path, jsonType(value), 'string');
    case 'boolean':
      return typeof value === 'boolean' ? value : reader.mismatch(path, jsonType(value), 'bool');
    case 'integer':
      return integer(value, schema, path, reader);
    case 'number':
      return typeof value === 'number' ? value : reader.mismatch(path, jsonType(value), 'float64');
    case 'int-or-string':
      return typeof value === 'string' ? value : integer(value, { type: 'integer', format: 'int32' }, path, reader);
    case 'quantity':
      return canonicalQuantity(value) ?? reader.mismatch(path, jsonType(value), 'resource.Quantity');
    case 'bytes':
      if (typeof value === 'string' && base64.test(value.replace(/[\r\n]/g, ''))) return value.replace(/[\r\n]/g, '');
      return reader.mismatch(path, typeof value === 'string' ? 'illegal base64 data' : jsonType(value), '[]uint8');
    default:
      return timestamp(value, schema, path, reader);
  }
}

function integer(value: Json, schema: Schema, path: string, reader: Reader): number {
  const wanted = schema.format === 'int64' ? 'int64' : 'int32';
  if (typeof value !== 'number' || !Number.isInteger(value)) return reader.mismatch(path, jsonType(value), wanted);
  if (wanted === 'int32' && Math.abs(value) > 2 ** 31) return reader.mismatch(path, `number ${value}`, wanted);
  return value;
}

function timestamp(value: Json, schema: Schema, path: string, reader: Reader): string {
  const millis = typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(millis)) return reader.mismatch(path, jsonType(value), 'Time');
  const iso = new Date(millis).toISOString();
  if (schema.type === 'time') return iso.replace(/\.\d+Z$/, 'Z');
  const micros = /\.(\d{1,6})/.exec(value as string)?.[1]?.padEnd(6, '0') ?? '000000';
  return iso.replace(/\.\d+Z$/, `.${micros}Z`);
}

function jsonType(value: Json): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return value === null ? 'null' : typeof value;
}
