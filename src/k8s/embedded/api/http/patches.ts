import { applyChange } from '../apply-change.ts';
import type { Core } from '../core.ts';
import type { Draft } from '../definition.ts';
import { patched, patchTypes, patchTypesOf } from '../patch/index.ts';
import { patchScale } from '../scale.ts';
import { badRequest, unknownFormat, unsupportedMediaType } from '../status.ts';
import { changeObject, readPatched, type WriteRequest } from '../write.ts';
import { mediaType, readJson, readYaml } from './body.ts';
import { flag, writeRequest } from './options.ts';
import type { Target } from './route.ts';
import type { Exchange } from './server.ts';

const everyType: readonly string[] = Object.values(patchTypes);

interface Patch {
  type: string;
  value: unknown;
  duplicates: readonly string[];
}

async function readPatch(exchange: Exchange, { definition }: Target): Promise<Patch> {
  const type = mediaType(exchange.request);
  if (!everyType.includes(type)) throw unsupportedMediaType();
  const accepted = patchTypesOf(definition);
  if (!accepted.includes(type)) throw unknownFormat(accepted);
  const prefix = type === patchTypes.strategic ? '' : 'error decoding patch: ';
  const { value, duplicates } =
    type === patchTypes.apply
      ? await readYaml(exchange.request, (why) =>
          badRequest(`error decoding YAML: error converting YAML to JSON: yaml: ${why}`),
        )
      : await readJson(exchange.request, (why) => badRequest(prefix + why));
  if (value === undefined) throw badRequest(`${prefix}unexpected end of JSON input`);
  return { type, value, duplicates };
}

/** PATCH of an object or its status by any of the patch types. */
export async function patchTarget(
  core: Core,
  exchange: Exchange,
  target: Target,
  subresource?: 'status',
): Promise<{ object: Draft; created: boolean }> {
  const plain = writeRequest(exchange, target);
  const { type, value, duplicates } = await readPatch(exchange, target);
  const request: WriteRequest = { ...plain, duplicates, subresource };
  if (type === patchTypes.apply) {
    return applyChange(core, { ...request, force: flag(exchange.query.get('force')) ?? false }, value);
  }
  const change = (live: Draft) => readPatched(request, patched(target.definition, type, live, value), live);
  return { object: changeObject(core, request, change), created: false };
}

export async function patchScaleObject(core: Core, exchange: Exchange, target: Target): Promise<Draft> {
  const request = writeRequest(exchange, target);
  const { type, value } = await readPatch(exchange, target);
  return patchScale(core, request, type, value);
}
