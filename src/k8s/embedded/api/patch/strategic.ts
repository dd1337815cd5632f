import { clone, equal, isObject, type Json, type JsonObject, put } from '../json.ts';
import { anything, memberOf, type Schema } from '../schema.ts';

/** A strategic merge patch that is malformed, or does not fit the object. */
export class StrategicPatchError extends Error {
  /** True when a directive has a form that it can't have: the API server calls that a bad request. */
  readonly malformed: boolean;

  constructor(message: string, malformed = false) {
    super(message);
    this.name = 'StrategicPatchError';
    this.malformed = malformed;
  }
}

const directive = '$patch';
const retainKeys = '$retainKeys';
const deleteFromList = '$deleteFromPrimitiveList/';
const elementOrder = '$setElementOrder/';

/**
 * Kubernetes' own merge patch, which `kubectl apply` and `kubectl patch` send for built-in kinds: lists with a merge
 * key are merged item by item, and directives say what else is to happen.
 */
export function strategicMergePatch(target: Json, patch: JsonObject, schema: Schema): Json {
  return mergeMap(isObject(target) ? clone(target) : {}, clone(patch), schema);
}

function mergeMap(original: JsonObject, patch: JsonObject, schema: Schema): JsonObject {
  if (Object.hasOwn(patch, directive)) return directed(patch);
  const result = dropUnretained(original, patch);
  mergeOrdered(result, patch, schema);
  for (const [key, value] of Object.entries(patch)) {
    if (key === retainKeys || key.startsWith(elementOrder)) continue;
    if (key.startsWith(deleteFromList)) deleteItems(result, key.slice(deleteFromList.length), value);
    else if (!isOrdered(patch, key, result)) mergeMember(result, key, value, schema);
  }
  return result;
}

function directed(patch: JsonObject): JsonObject {
  const { [directive]: word, ...rest } = patch;
  if (word === 'replace') return rest;
  if (word === 'delete') return {};
  throw unknownDirective(word, patch);
}

function unknownDirective(word: Json | undefined, patch: JsonObject): StrategicPatchError {
  return new StrategicPatchError(`unknown patch type: ${goText(word ?? null)} in map: ${goText(patch)}`);
}

/** A value as Go's `%v` prints it: `map[image:web:2 name:main]`. */
function goText(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (value === null) return '<nil>';
  if (!isObject(value)) return String(value);
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `map[${members.map(([key, member]) => `${key}:${goText(member)}`).join(' ')}]`;
}

/** `$retainKeys` names all the members that may stay. */
function dropUnretained(original: JsonObject, patch: JsonObject): JsonObject {
  const retained = patch[retainKeys];
  if (retained === undefined) return original;
  const names = Array.isArray(retained) ? retained : [];
  const stray = Object.entries(patch).find(
    ([key, value]) => value !== null && !key.startsWith('$') && !names.includes(key),
  );
  if (!Array.isArray(retained) || stray) throw new StrategicPatchError('invalid patch format of retainKeys', true);
  return Object.fromEntries(Object.entries(original).filter(([key]) => names.includes(key)));
}

/** A list whose order was set is done with: nothing more is to be merged into it. */
function isOrdered(patch: JsonObject, key: string, result: JsonObject): boolean {
  return Object.hasOwn(patch, elementOrder + key) && Array.isArray(patch[key]) && Object.hasOwn(result, key);
}

function mergeOrdered(result: JsonObject, patch: JsonObject, schema: Schema): void {
  for (const [directiveKey, order] of Object.entries(patch)) {
    if (!directiveKey.startsWith(elementOrder)) continue;
    const key = directiveKey.slice(elementOrder.length);
    const field = memberOf(schema, key) ?? anything;
    const present = listAt(result, key);
    const wanted = listAt(patch, key);
    if (!Array.isArray(order)) throw new StrategicPatchError('invalid patch format of setElementOrder list', true);
    checkOrder(wanted ?? [], order, field.patchMergeKey);
    if (!present && !wanted) continue;
    const merged = present && wanted ? mergeList(present, wanted, field) : (present ?? undirected(wanted ?? []));
    if (!Array.isArray(merged)) continue;
    result[key] = inOrder(merged, order, present ?? [], field.patchMergeKey);
  }
}

function listAt(object: JsonObject, key: string): Json[] | undefined {
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw new StrategicPatchError(`expected a list in ${key}`);
  return value;
}

/** The items of the patch must come in the order that the patch sets. */
function checkOrder(items: readonly Json[], order: readonly Json[], mergeKey: string | undefined): void {
  if (items.length === 0 || order.length === 0) return;
  let position = 0;
  for (const item of items) {
    if (isObject(item) && Object.hasOwn(item, directive)) continue;
    while (position < order.length && !sameItem(item, order[position], mergeKey)) position += 1;
    if (position === order.length) {
      throw new StrategicPatchError(
        `The order in patch list:\n${goText([...items])}\n doesn't match $setElementOrder list:\n${goText([...order])}\n`,
      );
    }
    position += 1;
  }
}

function keyOf(item: Json | undefined, mergeKey: string | undefined): Json | undefined {
  if (mergeKey === undefined) return item;
  if (!isObject(item)) throw new StrategicPatchError(`expected a map with ${mergeKey} in the list`);
  if (!Object.hasOwn(item, mergeKey)) {
    throw new StrategicPatchError(`map: ${goText(item)} does not contain declared merge key: ${mergeKey}`);
  }
  return item[mergeKey];
}

function sameItem(a: Json | undefined, b: Json | undefined, mergeKey: string | undefined): boolean {
  return equal(keyOf(a, mergeKey), keyOf(b, mergeKey));
}

function mergeMember(result: JsonObject, key: string, value: Json, schema: Schema): void {
  const present = Object.hasOwn(result, key) ? result[key] : undefined;
  if (value === null) {
    delete result[key];
    return;
  }
  const field = memberOf(schema, key) ?? anything;
  if (isObject(present) && isObject(value)) put(result, key, mergeMap(present, value, field));
  else if (Array.isArray(present) && Array.isArray(value)) put(result, key, mergeList(present, value, field));
  else {
    const plain = undirected(value);
    if (plain === undefined) delete result[key];
    else put(result, key, plain);
  }
}

function deleteItems(result: JsonObject, key: string, items: Json): void {
  if (!Array.isArray(items)) throw new StrategicPatchError('invalid patch format of primitive list', true);
  const present = result[key];
  if (Array.isArray(present)) result[key] = present.filter((item) => !items.some((gone) => equal(gone, item)));
}

function mergeList(original: Json[], patch: Json[], field: Schema): Json[] {
  const strategies = field.patchStrategy?.split(',') ?? [];
  if (!strategies.includes('merge')) return withoutNulls(patch) as Json[];
  if (original.length === 0 && patch.length === 0) return original;
  const ofMaps = [...original, ...patch].some(isObject);
  if (!ofMaps) return inOrder(unique([...original, ...patch]), patch, original, undefined);
  const mergeKey = field.patchMergeKey;
  if (mergeKey === undefined) throw new StrategicPatchError('cannot merge lists without merge key');
  const plain = patch.filter((item) => !isObject(item) || !Object.hasOwn(item, directive));
  if (patch.some((item) => isObject(item) && item[directive] === 'replace')) return plain;
  const kept = original.filter(
    (item) => !patch.some((gone) => isDeletion(gone, mergeKey) && sameItem(gone, item, mergeKey)),
  );
  const merged = mergeItems(kept, plain, mergeKey, field.items ?? anything);
  return inOrder(merged, plain, kept, mergeKey);
}

function isDeletion(item: Json, mergeKey: string): boolean {
  if (!isObject(item) || !Object.hasOwn(item, directive)) return false;
  if (item[directive] !== 'delete') {
    throw unknownDirective(item[directive], item);
  }
  keyOf(item, mergeKey);
  return true;
}

function mergeItems(original: readonly Json[], patch: readonly Json[], mergeKey: string, items: Schema): Json[] {
  const result = [...original];
  for (const item of patch) {
    const key = keyOf(item, mergeKey);
    const index = result.findIndex((present) => isObject(present) && equal(present[mergeKey], key));
    const present = result[index];
    if (isObject(present) && isObject(item)) result[index] = mergeMap(present, item, items);
    else result.push(undirected(item) ?? null);
  }
  return result;
}

/**
 * The items that `order` names in its order, the others in that of the server; between the two, what the server had
 * first stays first.
 */
function inOrder(
  items: readonly Json[],
  order: readonly Json[],
  server: readonly Json[],
  mergeKey: string | undefined,
): Json[] {
  const rank = (list: readonly Json[], item: Json) => list.findIndex((each) => sameItem(each, item, mergeKey));
  const sortBy = (list: readonly Json[]) => (a: Json, b: Json) => {
    const [left, right] = [rank(list, a), rank(list, b)];
    return left >= 0 && right >= 0 ? left - right : 0;
  };
  const named = items.filter((item) => rank(order, item) >= 0).toSorted(sortBy(order));
  const others = items.filter((item) => rank(order, item) < 0).toSorted(sortBy(server));
  const result: Json[] = [];
  while (named.length > 0 && others.length > 0) {
    const [other, next] = [others[0], named[0]] as [Json, Json];
    const [left, right] = [rank(server, other), rank(server, next)];
    const takeOther = left >= 0 && right >= 0 && left < right;
    result.push((takeOther ? others : named).shift() as Json);
  }
  return [...result, ...named, ...others];
}

function unique(items: readonly Json[]): Json[] {
  return items.filter((item, index) => items.findIndex((other) => equal(other, item)) === index);
}

/** What is new is taken without its directives and nulls; undefined when it is only a directive. */
function undirected(value: Json): Json | undefined {
  if (Array.isArray(value)) return value.map(undirected).filter((item) => item !== undefined);
  if (!isObject(value)) return value;
  if (Object.hasOwn(value, directive)) return undefined;
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    const plain = key.startsWith('$') || member === null ? undefined : undirected(member);
    if (plain !== undefined) put(result, key, plain);
  }
  return result;
}

function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (member === null ? [] : [[key, withoutNulls(member)]])),
  );
}
