import type { Definition, Draft } from '../definition.ts';
import { isObject, type Json } from '../json.ts';
import { badRequest, unfitPatch, unsupportedMediaType } from '../status.ts';
import { JsonPatchError, jsonPatch } from './json.ts';
import { mergePatch } from './merge.ts';
import { StrategicPatchError, strategicMergePatch } from './strategic.ts';

export const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  applyYaml: 'application/apply-patch+yaml',
  applyJson: 'application/apply-patch+json',
} as const;

/** The live object with a patch of this media type laid over it: raw, as the client meant it. */
export function patched(definition: Definition, type: string, live: Draft, patch: unknown): unknown {
  const document = live as unknown as Json;
  try {
    switch (type) {
      case patchTypes.json:
        return jsonPatch(document, patch);
      case patchTypes.merge:
        if (!isObject(patch)) throw badRequest('error decoding patch: a merge patch must be an object');
        return mergePatch(document, patch);
      case patchTypes.strategic:
        if (definition.custom) throw unsupportedStrategic(definition);
        return strategicMergePatch(document, patch as Json, definition.schema);
      default:
        throw unsupportedMediaType(
          `the body of the request was in an unknown format - accepted media types include: ${Object.values(patchTypes).join(', ')}`,
        );
    }
  } catch (error) {
    throw refusal(error);
  }
}

function unsupportedStrategic(definition: Definition) {
  const accepted = Object.values(patchTypes).filter((type) => type !== patchTypes.strategic);
  return unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')} (${definition.kind})`,
  );
}

function refusal(error: unknown): unknown {
  if (error instanceof StrategicPatchError) return badRequest(error.message);
  if (!(error instanceof JsonPatchError)) return error;
  return error.malformed ? badRequest(`error decoding patch: ${error.message}`) : unfitPatch(error.message);
}
