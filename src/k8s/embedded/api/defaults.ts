import { clone, isObject, type Json } from './json.ts';
import { memberOf, type Schema } from './schema.ts';

/** Fills in the defaults that a custom resource's schema states, also inside what was just filled in. */
export function fillDefaults(value: Json, schema: Schema): void {
  if (Array.isArray(value)) {
    if (schema.items) for (const item of value) fillDefaults(item, schema.items);
    return;
  }
  if (!isObject(value)) return;
  for (const [key, field] of Object.entries(schema.fields ?? {})) {
    if (value[key] === undefined && field.default !== undefined) value[key] = clone(field.default) as Json;
  }
  for (const [key, member] of Object.entries(value)) {
    const field = memberOf(schema, key);
    if (field) fillDefaults(member, field);
  }
}
