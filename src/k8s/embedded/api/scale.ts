import type { Core } from './core.ts';
import { unrecognized } from './decode.ts';
import type { Definition, Draft, ScalePaths } from './definition.ts';
import { isObject } from './json.ts';
import { patched } from './patch/index.ts';
import { getObject } from './read.ts';
import { badRequest, conflict, invalid, noSuchResource, staleWrite } from './status.ts';
import { nonNegative } from './validation/pod.ts';
import { changeObject, misnamed, type WriteRequest } from './write.ts';

/** autoscaling/v1 Scale: the replicas of a workload without its other fields. */
function scaleOf(object: Draft, paths: ScalePaths): Draft {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = paths.selector(object);
  const replicas = paths.specReplicas(object);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp } as Draft['metadata'],
    // Zero is what Go leaves out.
    spec: replicas === 0 ? {} : { replicas },
    status: { replicas: paths.statusReplicas(object), ...(selector && { selector }) },
  };
}

function pathsOf(definition: Definition): ScalePaths {
  if (!definition.scale) throw noSuchResource();
  return definition.scale;
}

export function getScale(core: Core, definition: Definition, namespace: string | undefined, name: string): Draft {
  return scaleOf(getObject(core, definition, namespace, name), pathsOf(definition));
}

/** PUT of a Scale. */
export function replaceScale(core: Core, request: WriteRequest, sent: unknown): Draft {
  return changeScale(core, request, () => sent);
}

/** PATCH of a Scale; an apply configuration counts as a merge patch: only replicas can be in it. */
export function patchScale(core: Core, request: WriteRequest, type: string, patch: unknown): Draft {
  const mergeType = type.startsWith('application/apply-patch') ? 'application/merge-patch+json' : type;
  const plain = { ...request.definition, custom: false, schema: { type: 'any' as const } };
  return changeScale(core, request, (scale) => patched(plain, mergeType, scale, patch));
}

function changeScale(core: Core, request: WriteRequest, change: (scale: Draft) => unknown): Draft {
  const { definition } = request;
  const paths = pathsOf(definition);
  const changed = changeObject(core, { ...request, subresource: 'scale' }, (live) => {
    const sent = change(scaleOf(live, paths));
    const replicas = readReplicas(definition, live, sent);
    const next: Draft = { ...live, metadata: { ...live.metadata } };
    paths.setReplicas(next, replicas);
    return next;
  });
  return scaleOf(changed, paths);
}

function readReplicas(definition: Definition, live: Draft, sent: unknown): number {
  if (!isObject(sent)) throw badRequest(unrecognized({ kind: 'Scale' }, 'Scale must be an object'));
  const { kind = 'Scale', apiVersion = 'autoscaling/v1' } = sent as { kind?: string; apiVersion?: string };
  if (kind !== 'Scale') {
    const version = apiVersion.split('/').at(-1);
    throw badRequest(`${kind} in version "${version}" cannot be handled as a Scale: no kind "${kind}" is registered`);
  }
  const { resourceVersion, name } = (isObject(sent.metadata) ? sent.metadata : {}) as Partial<Draft['metadata']>;
  if (name !== undefined && name !== live.metadata.name) throw misnamed(name, live.metadata.name);
  if (resourceVersion && resourceVersion !== live.metadata.resourceVersion) {
    throw conflict(definition, live.metadata.name, staleWrite);
  }
  const replicas = isObject(sent.spec) ? (sent.spec.replicas ?? 0) : 0;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas)) {
    const found = typeof replicas === 'number' ? `number ${replicas}` : typeof replicas;
    throw badRequest(
      `Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal ${found} into Go struct field ScaleSpec.spec.replicas of type int32`,
    );
  }
  const errors = nonNegative(replicas, 'spec.replicas');
  if (errors.length > 0) throw invalid({ group: 'autoscaling', kind: 'Scale' }, live.metadata.name, errors);
  return replicas;
}
