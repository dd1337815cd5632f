import { isObject, type Json, type JsonObject, put } from './json.ts';
import { memberOf, type Schema } from './schema.ts';

/** A custom resource without what its schema does not know, and the paths of that, sorted. */
export function prune(value: JsonObject, schema: Schema): { value: JsonObject; unknown: string[] } {
  const unknown: string[] = [];
  const known = members(value, schema, '', unknown);
  return { value: known, unknown: unknown.sort() };
}

function members(value: JsonObject, schema: Schema, path: string, unknown: string[]): JsonObject {
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    const below = path ? `${path}.${key}` : key;
    const memberSchema = memberOf(schema, key);
    if (!memberSchema) unknown.push(below);
    else if (member !== null) put(result, key, pruned(member, memberSchema, below, unknown));
  }
  return result;
}

function pruned(value: Json, schema: Schema, path: string, unknown: string[]): Json {
  const { items } = schema;
  if (Array.isArray(value) && schema.type === 'list' && items) {
    return value.map((item, index) => pruned(item, items, `${path}[${index}]`, unknown));
  }
  if (!isObject(value) || (schema.type !== 'struct' && schema.type !== 'map')) return value;
  return members(value, schema, path, unknown);
}
