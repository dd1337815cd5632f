import type { Definition, Draft } from '../definition.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { badRequest, requestTooLarge, unclassified, unfitPatch } from '../status.ts';
import { JsonPatchError, jsonPatch } from './json.ts';
import { mergePatch } from './merge.ts';
import { StrategicPatchError, strategicMergePatch } from './strategic.ts';

export const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

/** The patch types that a kind takes: without Go types there are no merge keys for the strategic one. */
export function patchTypesOf({ custom }: Pick<Definition, 'custom'>): readonly string[] {
  return Object.values(patchTypes).filter((type) => !custom || type !== patchTypes.strategic);
}

/** As the API server: more is refused before any is tried. */
const maximumOperations = 10_000;

/** The live object with a patch of this media type laid over it: raw, as the client meant it. */
export function patched(definition: Definition, type: string, live: Draft, patch: unknown): unknown {
  const document = live as unknown as Json;
  switch (type) {
    case patchTypes.json:
      return jsonPatched(document, patch);
    case patchTypes.merge:
      if (!isObject(patch)) throw badRequest(`error decoding patch: ${wrongType(patch, mapType)}`);
      return mergePatch(document, patch);
    default:
      if (!isObject(patch)) throw badRequest(wrongType(patch, mapType));
      return strategicPatched(document, patch, definition);
  }
}

const mapType = 'map[string]interface {}';

function wrongType(value: unknown, wanted: string): string {
  const found = Array.isArray(value) ? 'array' : isObject(value) ? 'object' : typeof value;
  return `json: cannot unmarshal ${found} into Go value of type ${wanted}`;
}

function jsonPatched(document: Json, patch: unknown): Json {
  if (!Array.isArray(patch) || !patch.every(isObject)) {
    throw badRequest(`error decoding patch: ${wrongType(patch, '[]handlers.jsonPatchOp')}`);
  }
  if (patch.length > maximumOperations) {
    throw requestTooLarge(
      `The allowed maximum operations in a JSON patch is ${maximumOperations}, got ${patch.length}`,
    );
  }
  try {
    return jsonPatch(document, patch);
  } catch (error) {
    throw error instanceof JsonPatchError ? unfitPatch() : error;
  }
}

function strategicPatched(document: Json, patch: JsonObject, definition: Definition): Json {
  try {
    return strategicMergePatch(document, patch, definition.schema);
  } catch (error) {
    if (!(error instanceof StrategicPatchError)) throw error;
    throw error.malformed ? badRequest(error.message) : unclassified(error.message);
  }
}
