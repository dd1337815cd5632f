import { equal, isObject, type Json, type JsonObject, put } from '../json.ts';
import { anything, memberOf, type Schema } from '../schema.ts';
import { FieldSet, itemStep, type Path, type Step } from './field-set.ts';

/**
 * The operations of structured-merge-diff's `typed` package: the fields of a value, the difference of two values, a
 * merge, and the removal of fields; each along a schema that says what is atomic and how list items are told apart.
 */

type Shape = 'map' | 'list' | 'leaf';

/** How a value is walked: atomic ones are leaves; without a schema, by the value itself. */
export function shapeOf(schema: Schema, value: Json | undefined): Shape {
  if (schema.atomic) return 'leaf';
  switch (schema.type) {
    case 'struct':
    case 'map':
      return 'map';
    case 'list':
      return schema.listType === 'atomic' ? 'leaf' : 'list';
    case 'any':
      return isObject(value) ? 'map' : 'leaf';
    default:
      return 'leaf';
  }
}

function childOf(schema: Schema, key: string): Schema {
  return memberOf(schema, key) ?? anything;
}

function itemsOf(schema: Schema): Schema {
  return schema.items ?? anything;
}

function isNamed(schema: Schema, key: string): boolean {
  return schema.type === 'struct' && memberOf(schema, key) !== undefined;
}

/** What makes a value no instance of its schema, as an apply reports it; undefined when all is well. */
export function typeProblem(value: Json, schema: Schema, path = ''): string | undefined {
  if (value === null || schema.type === 'any') return undefined;
  if (schema.type === 'struct' || schema.type === 'map') return mapProblem(value, schema, path);
  if (schema.type === 'list') return listProblem(value, schema, path);
  return scalarProblem(value, schema, path);
}

function scalarProblem(value: Json, { type }: Schema, path: string): string | undefined {
  if (type === 'string' || type === 'bytes') {
    return typeof value === 'string' ? undefined : `${path}: expected string, got ${goWrapped(value)}`;
  }
  if (type === 'boolean') {
    return typeof value === 'boolean' ? undefined : `${path}: expected boolean, got &{${jsonText(value)}}`;
  }
  if (type !== 'integer' && type !== 'number') return undefined;
  return typeof value === 'number' ? undefined : `${path}: expected numeric (int or float), got ${goTypeOf(value)}`;
}

/** As Go's `%#v` prints a value of structured-merge-diff. */
function goWrapped(value: Json): string {
  return `&value.valueUnstructured{Value:${jsonText(value)}}`;
}

function goTypeOf(value: Json): string {
  if (Array.isArray(value)) return '[]interface {}';
  if (isObject(value)) return 'map[string]interface {}';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

function jsonText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function mapProblem(value: Json, schema: Schema, path: string): string | undefined {
  if (!isObject(value)) return `${path}: expected map, got ${jsonText(value)}`;
  for (const [key, member] of Object.entries(value)) {
    const memberSchema = memberOf(schema, key);
    if (!memberSchema) return `${path}.${key}: field not declared in schema`;
    const problem = typeProblem(member, memberSchema, `${path}.${key}`);
    if (problem) return problem;
  }
  return undefined;
}

function listProblem(value: Json, schema: Schema, path: string): string | undefined {
  if (!Array.isArray(value)) return `${path}: expected list, got ${jsonText(value)}`;
  const seen = new Set<Step>();
  for (const [index, item] of value.entries()) {
    if (schema.listType !== 'atomic') {
      try {
        const step = itemStep(item, schema);
        if (seen.has(step)) return `${path}: duplicate entries for key ${stepText(step)}`;
        seen.add(step);
      } catch (error) {
        return `${path}: element ${index}: ${(error as Error).message}`;
      }
    }
    const problem = typeProblem(item, itemsOf(schema), `${path}[${index}]`);
    if (problem) return problem;
  }
  return undefined;
}

function stepText(step: Step): string {
  if (step.startsWith('v:')) return `[=${step.slice(2)}]`;
  const key = JSON.parse(step.slice(2)) as JsonObject;
  return `[${Object.entries(key)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',')}]`;
}

/** A list's items under their steps; items that share a step are all under it. */
function itemsByStep(value: Json | undefined, schema: Schema): Map<Step, Json[]> {
  const found = new Map<Step, Json[]>();
  for (const item of Array.isArray(value) ? value : []) {
    const step = itemStep(item, schema);
    const present = found.get(step);
    if (present) present.push(item);
    else found.set(step, [item]);
  }
  return found;
}

/** Every field a value sets. */
export function toFieldSet(value: Json, schema: Schema): FieldSet {
  const set = new FieldSet();
  collect(value, schema, [], set);
  return set;
}

function collect(value: Json, schema: Schema, path: Path, set: FieldSet): void {
  const shape = shapeOf(schema, value);
  if (shape === 'leaf') {
    set.insert(path);
  } else if (shape === 'map') {
    for (const [key, member] of Object.entries(isObject(value) ? value : {})) {
      const below = [...path, `f:${key}`];
      collect(member, childOf(schema, key), below, set);
      const bare = member === null || (isObject(member) && Object.keys(member).length === 0);
      if (bare || !isNamed(schema, key)) set.insert(below);
    }
  } else {
    for (const [step, items] of itemsByStep(value, schema)) {
      const below = [...path, step];
      const [only] = items;
      if (items.length === 1 && only !== undefined) collect(only, itemsOf(schema), below, set);
      set.insert(below);
    }
  }
}

export interface Comparison {
  removed: FieldSet;
  modified: FieldSet;
  added: FieldSet;
}

/** What a change from `before` to `after` does to which fields. */
export function compare(before: Json, after: Json, schema: Schema): Comparison {
  const result = { removed: new FieldSet(), modified: new FieldSet(), added: new FieldSet() };
  compareAt(before, after, schema, [], result);
  return result;
}

function compareAt(
  before: Json | undefined,
  after: Json | undefined,
  schema: Schema,
  path: Path,
  to: Comparison,
): void {
  const shape = shapeOf(schema, after ?? before);
  if (shape === 'leaf' || (isBare(before) && isBare(after)) || shapeOf(schema, before ?? after) === 'leaf') {
    if (before === undefined) to.added.insert(path);
    else if (after === undefined) to.removed.insert(path);
    else if (!equal(before, after)) to.modified.insert(path);
    return;
  }
  if (shape === 'map') compareMembers(before, after, schema, path, to);
  else compareItems(before, after, schema, path, to);
  if (before === undefined) to.added.insert(path);
  else if (after === undefined) to.removed.insert(path);
}

/** Empty and absent containers are leaves, so that the difference between them is seen. */
function isBare(value: Json | undefined): boolean {
  if (value === undefined || value === null) return true;
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}

function compareMembers(
  before: Json | undefined,
  after: Json | undefined,
  schema: Schema,
  path: Path,
  to: Comparison,
): void {
  const left = isObject(before) ? before : {};
  const right = isObject(after) ? after : {};
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const [mine, theirs] = [own(left, key), own(right, key)];
    compareAt(mine, theirs, childOf(schema, key), [...path, `f:${key}`], to);
  }
}

function own(value: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

function compareItems(
  before: Json | undefined,
  after: Json | undefined,
  schema: Schema,
  path: Path,
  to: Comparison,
): void {
  const left = itemsByStep(before, schema);
  const right = itemsByStep(after, schema);
  for (const step of new Set([...left.keys(), ...right.keys()])) {
    const mine = left.get(step) ?? [];
    const theirs = right.get(step) ?? [];
    const below = [...path, step];
    if (mine.length <= 1 && theirs.length <= 1) {
      compareAt(mine[0], theirs[0], itemsOf(schema), below, to);
    } else if (mine.length > 1 && theirs.length > 1) {
      if (!equal(mine, theirs)) to.modified.insert(below);
    } else if (mine.length > 1) {
      if (theirs[0] !== undefined) compareAt(undefined, theirs[0], itemsOf(schema), below, to);
      to.removed.insert(below);
    } else {
      if (mine[0] !== undefined) compareAt(mine[0], undefined, itemsOf(schema), below, to);
      to.added.insert(below);
    }
  }
}

/** Lays `config` over `live`: leaves of `config` win, lists with keys are merged item by item. */
export function merge(live: Json | undefined, config: Json | undefined, schema: Schema): Json | undefined {
  const shape = shapeOf(schema, config ?? live);
  if (shape === 'leaf' || (isBare(live) && isBare(config))) return config === undefined ? live : config;
  if (shape === 'list') return mergeItems(live, config, schema);
  const left = isObject(live) ? live : {};
  const right = isObject(config) ? config : {};
  const result: JsonObject = {};
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const member = merge(own(left, key), own(right, key), childOf(schema, key));
    if (member !== undefined) put(result, key, member);
  }
  return Object.keys(result).length > 0 ? result : undefined;
}

/** The order of `config` rules for the items it names; the others of `live` keep their place among them. */
function mergeItems(live: Json | undefined, config: Json | undefined, schema: Schema): Json | undefined {
  const left = (Array.isArray(live) ? live : []).map((item) => ({ item, step: itemStep(item, schema) }));
  const right = itemsByStep(config, schema);
  const order = [...right.keys()];
  const duplicated = new Set(left.map(({ step }) => step).filter((step, index, all) => all.indexOf(step) !== index));
  const present = new Map(left.map(({ item, step }) => [step, item]));
  const merged = (step: Step) =>
    merge(duplicated.has(step) ? undefined : present.get(step), right.get(step)?.[0], itemsOf(schema));
  const shared = order.filter((step) => present.has(step));
  const out: (Json | undefined)[] = [];
  const done = new Set<Step>();
  let next = 0;
  let nextShared = 0;
  const take = (step: Step) => {
    done.add(step);
    out.push(merged(step));
    if (shared[nextShared] === step) nextShared += 1;
  };
  let index = 0;
  while (index < left.length || next < order.length) {
    const entry = left[index];
    const wanted = order[next];
    if (entry && wanted !== undefined && entry.step === wanted) {
      take(wanted);
      index += 1;
      next += 1;
    } else if (entry && !right.has(entry.step)) {
      out.push(entry.item);
      index += 1;
    } else if (
      entry &&
      (done.has(entry.step) ||
        (wanted !== undefined && nextShared < shared.length && shared[nextShared] !== entry.step))
    ) {
      // Named by the configuration, but at another place.
      index += 1;
    } else if (wanted !== undefined) {
      take(wanted);
      next += 1;
    } else {
      index += 1;
    }
  }
  const items = out.filter((item) => item !== undefined);
  return items.length > 0 ? items : undefined;
}

/** A value without the given fields; containers that become empty go too. */
export function removeFields(value: Json, remove: FieldSet, schema: Schema): Json | undefined {
  const shape = shapeOf(schema, value);
  if (shape === 'leaf')
    return schema.type === 'list' || schema.type === 'struct' || schema.type === 'map' ? undefined : value;
  if (shape === 'map') {
    const result: JsonObject = {};
    for (const [key, member] of Object.entries(isObject(value) ? value : {})) {
      const kept = without(member, `f:${key}`, remove, childOf(schema, key));
      if (kept !== undefined) put(result, key, kept);
    }
    return Object.keys(result).length > 0 ? result : undefined;
  }
  const kept = (Array.isArray(value) ? value : [])
    .map((item) => without(item, itemStep(item, schema), remove, itemsOf(schema)))
    .filter((item) => item !== undefined);
  return kept.length > 0 ? kept : undefined;
}

function without(value: Json, step: Step, remove: FieldSet, schema: Schema): Json | undefined {
  if (remove.members.has(step)) return undefined;
  const below = remove.children.get(step);
  if (!below || below.empty) return value;
  // What is left of a container is null where all below was removed; the server drops nulls.
  return removeFields(value, below, schema) ?? (shapeOf(schema, value) === 'leaf' ? undefined : null);
}
