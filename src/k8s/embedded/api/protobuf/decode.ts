import type { Definition } from '../definition.ts';
import { type Json, type JsonObject, put } from '../json.ts';
import { anything, memberOf, type Schema } from '../schema.ts';
import { fieldsOf } from './fields.ts';
import { fieldsIn, messageOf, numberOf, ProtobufError, textOf, type WireField } from './wire.ts';

/**
 * Reads built-in kinds from protobuf, in which Go programs with Kubernetes' own types send them: `kubectl create
 * namespace` among them, which knows no other form.
 */
export function decodeProtobuf({ schema }: Pick<Definition, 'schema'>, body: Uint8Array): JsonObject {
  const magic = [0x6b, 0x38, 0x73, 0x00];
  if (!magic.every((byte, index) => body[index] === byte)) throw new ProtobufError('it does not begin with k8s');
  const object: JsonObject = {};
  for (const { number, value } of fieldsIn(body.subarray(magic.length))) {
    if (number === 1) Object.assign(object, typeMeta(messageOf(value)));
    else if (number === 2) Object.assign(object, struct(messageOf(value), schema));
  }
  return object;
}

function typeMeta(message: Uint8Array): JsonObject {
  const names = ['', 'apiVersion', 'kind'];
  return Object.fromEntries([...fieldsIn(message)].map(({ number, value }) => [names[number] ?? '', textOf(value)]));
}

/** `fields`: those of another message that JSON has in this struct. */
function struct(message: Uint8Array, schema: Schema, fields = fieldsOf(schema.name ?? '')): JsonObject {
  const result: JsonObject = {};
  for (const { number, value } of fieldsIn(message)) {
    const field = fields?.get(number);
    if (!field) throw new ProtobufError(`field ${number} of ${schema.name ?? 'a message'} is not known here`);
    if (field.inlined) Object.assign(result, struct(messageOf(value), schema, fieldsOf(field.name)));
    else addField(result, field.name, value, memberOf(schema, field.name) ?? anything);
  }
  return result;
}

function addField(result: JsonObject, name: string, value: WireField['value'], schema: Schema): void {
  const { items = anything } = schema;
  if (schema.type === 'list') {
    const list = (result[name] ??= []) as Json[];
    list.push(read(value, items));
  } else if (schema.type === 'map') {
    const map = (result[name] ??= {}) as JsonObject;
    const [key, member] = entry(messageOf(value), items);
    put(map, key, member);
  } else {
    result[name] = read(value, schema);
  }
}

/** A member of a map is a message of its key and its value; both are left out when they are empty. */
function entry(message: Uint8Array, items: Schema): [string, Json] {
  const fields = new Map([...fieldsIn(message)].map(({ number, value }) => [number, value]));
  const key = fields.get(1);
  const value = fields.get(2) ?? new Uint8Array();
  return [
    key === undefined ? '' : textOf(key),
    items.type === 'list' ? listIn(messageOf(value), items) : read(value, items),
  ];
}

/** A list in a map is a message with the list in it. */
function listIn(message: Uint8Array, { items = anything }: Schema): Json[] {
  return [...fieldsIn(message)].map(({ value }) => read(value, items));
}

function read(value: WireField['value'], schema: Schema): Json {
  switch (schema.type) {
    case 'struct':
      return struct(messageOf(value), schema);
    case 'string':
      return textOf(value);
    case 'boolean':
      return numberOf(value) !== 0;
    case 'integer':
      return numberOf(value);
    case 'bytes':
      return Buffer.from(messageOf(value)).toString('base64');
    case 'quantity':
      return first(value, 1, textOf) ?? '0';
    case 'int-or-string':
      return (first(value, 1, numberOf) ?? 0) === 0
        ? (first(value, 2, numberOf) ?? 0)
        : (first(value, 3, textOf) ?? '');
    case 'time':
    case 'micro-time':
      return time(messageOf(value));
    default:
      throw new ProtobufError(`a value of ${schema.name ?? schema.type} is not read`);
  }
}

function first<T>(value: WireField['value'], number: number, as: (value: WireField['value']) => T): T | undefined {
  const found = [...fieldsIn(messageOf(value))].find((field) => field.number === number);
  return found && as(found.value);
}

/** The zero time is an empty message, which JSON has as null. */
function time(message: Uint8Array): string | null {
  if (message.length === 0) return null;
  const seconds = first(message, 1, numberOf) ?? 0;
  const nanos = first(message, 2, numberOf) ?? 0;
  const micros = String(Math.trunc(nanos / 1000)).padStart(6, '0');
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, `.${micros}Z`);
}
