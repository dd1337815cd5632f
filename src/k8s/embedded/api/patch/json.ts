import type { JsonPatchOperation } from '../../../cluster.ts';
import { clone, equal, isObject, type Json, type JsonObject, put } from '../json.ts';

/** A patch that can't be carried out, and why. */
export class JsonPatchError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'JsonPatchError';
  }
}

const operations = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test']);

/** RFC 6902. The document is left as it is; the result is a new one. */
export function jsonPatch(document: Json, patch: readonly JsonObject[]): Json {
  return patch.reduce<Json>((result, operation) => applyOperation(result, checked(operation)), clone(document));
}

function checked(operation: JsonObject): JsonPatchOperation {
  const { op, path, from, value = null } = operation;
  if (typeof op !== 'string' || !operations.has(op))
    throw new JsonPatchError(`unknown operation ${JSON.stringify(op)}`);
  if (typeof path !== 'string') throw new JsonPatchError('operation has no path');
  if ((op === 'move' || op === 'copy') && typeof from !== 'string') throw new JsonPatchError('operation has no from');
  // The API server takes an operation without a value as one with null.
  return { op, path, from, value } as JsonPatchOperation;
}

function applyOperation(document: Json, { op, path, from = '', value }: JsonPatchOperation): Json {
  const steps = parsePointer(path);
  switch (op) {
    case 'add':
      return add(document, steps, clone(value as Json), path);
    case 'remove':
      return remove(document, steps, path);
    case 'replace':
      return steps.length === 0 ? clone(value as Json) : assign(document, steps, clone(value as Json), path);
    case 'copy':
      return add(document, steps, clone(read(document, parsePointer(from), from)), path);
    case 'move':
      return move(document, parsePointer(from), steps, from, path);
    default:
      if (!equal(readOrNull(document, steps), value)) {
        throw new JsonPatchError(`testing value ${path} failed`);
      }
      return document;
  }
}

/** RFC 6901. */
function parsePointer(pointer: string): string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/'))
    throw new JsonPatchError(`invalid path ${JSON.stringify(pointer)}: it must begin with /`);
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function move(document: Json, from: string[], to: string[], fromPath: string, path: string): Json {
  if (to.length > from.length && from.every((step, index) => step === to[index])) {
    throw new JsonPatchError(`can't move ${fromPath} into itself`);
  }
  const value = read(document, from, fromPath);
  return add(remove(document, from, fromPath), to, value, path);
}

function missing(path: string): JsonPatchError {
  return new JsonPatchError(`doc is missing path: ${JSON.stringify(path)}: missing value`);
}

function read(document: Json, steps: readonly string[], path: string): Json {
  let node: Json = document;
  for (const step of steps) {
    const next: Json | undefined = child(node, step);
    if (next === undefined) throw missing(path);
    node = next;
  }
  return node;
}

/** `test` against null holds for an absent member, as in the library the API server uses. */
function readOrNull(document: Json, steps: readonly string[]): Json {
  let node: Json = document;
  for (const step of steps) node = child(node, step) ?? null;
  return node;
}

function child(node: Json, step: string): Json | undefined {
  if (Array.isArray(node)) return node[index(step, node.length - 1)];
  return isObject(node) && Object.hasOwn(node, step) ? node[step] : undefined;
}

/** A position up to `last`; -1, which no array has, when it is none. */
function index(step: string, last: number): number {
  const position = /^(0|[1-9]\d*)$/.test(step) ? Number(step) : -1;
  return position <= last ? position : -1;
}

function parentOf(document: Json, steps: readonly string[], path: string): [Json, string] {
  return [read(document, steps.slice(0, -1), path), steps.at(-1) ?? ''];
}

function add(document: Json, steps: readonly string[], value: Json, path: string): Json {
  if (steps.length === 0) return value;
  const [parent, last] = parentOf(document, steps, path);
  if (Array.isArray(parent)) {
    const position = last === '-' ? parent.length : index(last, parent.length);
    if (position < 0) throw new JsonPatchError(`Unable to access invalid index: ${last}: invalid index referenced`);
    parent.splice(position, 0, value);
  } else if (isObject(parent)) {
    put(parent, last, value);
  } else {
    throw missing(path);
  }
  return document;
}

function assign(document: Json, steps: readonly string[], value: Json, path: string): Json {
  const [parent, last] = parentOf(document, steps, path);
  // A member that is not there is added, as by the library the API server uses.
  if (isObject(parent)) put(parent, last, value);
  else if (Array.isArray(parent) && child(parent, last) !== undefined) parent[Number(last)] = value;
  else throw missing(path);
  return document;
}

function remove(document: Json, steps: readonly string[], path: string): Json {
  if (steps.length === 0) return null;
  const [parent, last] = parentOf(document, steps, path);
  if (child(parent, last) === undefined) throw missing(path);
  if (Array.isArray(parent)) parent.splice(index(last, parent.length - 1), 1);
  else if (isObject(parent)) delete parent[last];
  return document;
}
