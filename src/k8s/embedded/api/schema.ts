/**
 * The one description of a kind's fields. It drives decoding (unknown fields, wrong types, zero values), strategic
 * merge patch, server-side apply, and the OpenAPI document, as the Go types and their tags do in Kubernetes.
 */
export interface Schema {
  readonly type:
    | 'struct'
    | 'map'
    | 'list'
    | 'string'
    | 'integer'
    | 'number'
    | 'boolean'
    | 'int-or-string'
    | 'quantity'
    | 'bytes'
    | 'time'
    | 'micro-time'
    | 'any';
  /** `core.v1.PodSpec`: names the component in the OpenAPI document. */
  readonly name?: string;
  readonly description?: string;
  readonly fields?: Readonly<Record<string, Schema>>;
  /** Of a list or a map. */
  readonly items?: Schema;
  /** How server-side apply sees a list. */
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly keys?: readonly string[];
  /** Server-side apply owns a struct or map as one value. */
  readonly atomic?: boolean;
  readonly required?: boolean;
  /** A zero value is a value of its own: it is kept. */
  readonly pointer?: boolean;
  /** Present in the output even when empty, as Go prints it. */
  readonly always?: boolean;
  readonly default?: unknown;
  readonly format?: 'int32' | 'int64' | 'date-time';
  /** Strategic merge patch. */
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  /** Constraints of custom resources, checked with the messages of a CRD's schema. */
  readonly limits?: Limits;
  readonly rules?: readonly Rule[];
}

export interface Limits {
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  /** The enumeration of an integer. */
  readonly values?: readonly number[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

/**
 * A rule over a value, as CEL states it in a CRD: where it fails, the message goes out. A text is why CEL comes to no
 * answer, which fails too.
 */
export interface Rule {
  readonly message: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- a rule knows the shape of what it is attached to
  readonly holds: (self: any) => boolean | string;
}

export const string: Schema = { type: 'string' };
export const boolean: Schema = { type: 'boolean' };
export const int32: Schema = { type: 'integer', format: 'int32' };
export const int64: Schema = { type: 'integer', format: 'int64' };
export const intOrString: Schema = { type: 'int-or-string' };
export const quantity: Schema = { type: 'quantity' };
export const bytes: Schema = { type: 'bytes' };
export const time: Schema = { type: 'time', format: 'date-time' };
export const microTime: Schema = { type: 'micro-time', format: 'date-time' };
/** A value we pass through as it is. */
export const anything: Schema = { type: 'any' };

export function struct(name: string, fields: Record<string, Schema>, options: { atomic?: boolean } = {}): Schema {
  return { type: 'struct', name, fields, ...options };
}
export function map(items: Schema): Schema {
  return { type: 'map', items };
}
export function list(items: Schema): Schema {
  return { type: 'list', items, listType: 'atomic' };
}
export function set(items: Schema): Schema {
  return { type: 'list', items, listType: 'set' };
}
export function listMap(items: Schema, keys: readonly string[]): Schema {
  return { type: 'list', items, listType: 'map', keys };
}
export function atomic(schema: Schema): Schema {
  return { ...schema, atomic: true };
}
export function required(schema: Schema): Schema {
  return { ...schema, required: true };
}
export function pointer(schema: Schema): Schema {
  return { ...schema, pointer: true };
}
export function always(schema: Schema): Schema {
  return { ...schema, always: true };
}
export function defaulted(schema: Schema, value: unknown): Schema {
  return { ...schema, default: value };
}
export function merging(schema: Schema, strategy: string, key?: string): Schema {
  return { ...schema, patchStrategy: strategy, ...(key !== undefined && { patchMergeKey: key }) };
}
export function limited(schema: Schema, limits: Limits): Schema {
  return { ...schema, limits: { ...schema.limits, ...limits } };
}
export function ruled(schema: Schema, ...rules: Rule[]): Schema {
  return { ...schema, rules: [...(schema.rules ?? []), ...rules] };
}

/** The schema of a member: a struct's field, a map's value; undefined when a struct has no such field. */
export function memberOf(schema: Schema, key: string): Schema | undefined {
  if (schema.type === 'struct')
    return schema.fields && Object.hasOwn(schema.fields, key) ? schema.fields[key] : undefined;
  if (schema.type === 'map') return schema.items;
  return schema.type === 'any' ? anything : undefined;
}
