import { isDeepStrictEqual } from 'node:util';
import { SlipwayError } from '../../errors.ts';
import { ApiError, type ErrorSubject, toSlipwayError } from '../../k8s/api-error.ts';
import type { JsonPatchOperation, KubeClient } from '../../k8s/cluster.ts';
import {
  type HTTPRoute,
  httpRoutes,
  type KubeObject,
  type OwnerReference,
  type Resource,
} from '../../k8s/resources.ts';
import { managedByLabel, pendingAnnotation } from './names.ts';
import type { Policy } from './service.ts';

/** After this long a change that is not complete has died: what it left is taken on, or its name is free again. */
export const pendingMs = 60_000;

export async function getOrNull<T extends KubeObject>(
  kube: KubeClient,
  resource: Resource<T>,
  namespace: string,
  name: string,
): Promise<T | null> {
  try {
    return await kube.get(resource, name, namespace);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw toSlipwayError(error, subjectOf(resource, name));
  }
}

export function subjectOf(resource: Resource, name: string): ErrorSubject {
  const words: Record<string, string> = { HTTPRoute: 'gateway', Secret: 'secret' };
  return { name: `${words[resource.kind] ?? 'security policy'} "${name}"` };
}

/** What comes so late that others may have taken on what is pending must not come at all. */
export function checkPace(tookMs: number): void {
  if (tookMs <= pendingMs / 3) return;
  throw new SlipwayError('UNAVAILABLE', 'The cluster is too slow to protect a gateway safely. Try again later.', {
    reason: 'TOO_SLOW',
  });
}

/** Ours: nothing is under way. */
const ownReasons: readonly (string | undefined)[] = ['TOO_SLOW', 'CHANGED', 'HOSTNAME_TAKEN', 'PATH_TAKEN'];

/** True when it was refused for certain: what is not written yet will not be. */
export function refused(error: unknown): boolean {
  if (error instanceof SlipwayError) return ownReasons.includes(error.reason) || refused(error.cause);
  return error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 408;
}

/** `a/b` as a part of a JSON pointer. */
const pointer = (part: string): string => part.replaceAll('~', '~0').replaceAll('/', '~1');

const annotationPath = (name: string): string => `/metadata/annotations/${pointer(name)}`;

/** Sets one annotation, whether there are others or none. */
export function annotate(object: KubeObject, name: string, value: string): JsonPatchOperation[] {
  const { annotations } = object.metadata;
  if (annotations?.[name] === value) return [];
  if (!annotations) return [{ op: 'add', path: '/metadata/annotations', value: { [name]: value } }];
  return [{ op: 'add', path: annotationPath(name), value }];
}

/** Takes an annotation away, if it is there. */
export function unannotate({ metadata }: KubeObject, name: string): JsonPatchOperation[] {
  return metadata.annotations?.[name] === undefined ? [] : [{ op: 'remove', path: annotationPath(name) }];
}

/**
 * Patches what was read, and only that: a change by somebody else meanwhile is CONFLICT. Status writes also move
 * resourceVersion, so while the desired state (uid and generation, labels and annotations) stands, it is tried again.
 */
export async function patchRead<T extends KubeObject>(
  kube: KubeClient,
  resource: Resource<T>,
  read: T,
  operations: readonly JsonPatchOperation[],
  options: { dryRun?: boolean } = {},
): Promise<T> {
  const { name, namespace = '' } = read.metadata;
  if (operations.length === 0) return read;
  let base = read;
  for (let attempt = 1; ; attempt++) {
    const test: JsonPatchOperation = {
      op: 'test',
      path: '/metadata/resourceVersion',
      value: base.metadata.resourceVersion,
    };
    try {
      return await kube.patch(resource, name, namespace, [test, ...operations], options);
    } catch (error) {
      const moved = error instanceof ApiError && [400, 409, 422].includes(error.status);
      const now = moved ? await getOrNull(kube, resource, namespace, name) : null;
      if (!now || now.metadata.resourceVersion === base.metadata.resourceVersion) {
        throw toSlipwayError(error, subjectOf(resource, name));
      }
      if (attempt === 5 || !sameDesire(read, now)) throw changed(resource, name);
      base = now;
    }
  }
}

function sameDesire(a: KubeObject, b: KubeObject): boolean {
  const desire = ({ metadata: { uid, generation, labels, annotations } }: KubeObject) => ({
    uid,
    generation,
    labels,
    annotations,
  });
  return isDeepStrictEqual(desire(a), desire(b));
}

export function changed(resource: Resource, name: string): SlipwayError {
  const what = resource.kind === httpRoutes.kind ? `gateway "${name}"` : `protection of the gateway (${name})`;
  const message = `The ${what} was changed by somebody else meanwhile. Look again and repeat.`;
  return new SlipwayError('CONFLICT', message, { reason: 'CHANGED' });
}

/**
 * Deletes exactly the object that was read; an absent one is fine. `strict`: nobody may have changed what is desired of it
 * meanwhile, as in `patchRead`.
 */
export async function deleteRead<T extends KubeObject>(
  kube: KubeClient,
  resource: Resource<T>,
  read: T,
  options: { dryRun?: boolean; strict?: boolean } = {},
): Promise<void> {
  const { name, namespace = '', uid } = read.metadata;
  let base = read;
  for (let attempt = 1; ; attempt++) {
    const { resourceVersion } = base.metadata;
    const preconditions = {
      ...(uid !== undefined && { uid }),
      ...(options.strict && resourceVersion !== undefined && { resourceVersion }),
    };
    try {
      await kube.delete(resource, name, namespace, {
        preconditions,
        propagationPolicy: 'Background',
        ...(options.dryRun && { dryRun: true }),
      });
      return;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return;
      const moved = options.strict && error instanceof ApiError && error.status === 409;
      const now = moved ? await getOrNull(kube, resource, namespace, name) : null;
      if (!now || attempt === 5 || !sameDesire(read, now)) throw toSlipwayError(error, subjectOf(resource, name));
      base = now;
    }
  }
}

/** Where the kind of policies is not installed the API server answers 404, and then no route may be made. */
export function policyError(error: unknown, resource: Resource, name: string): SlipwayError {
  if (error instanceof ApiError && error.status === 404) {
    const message = `This cluster has no ${resource.kind} (${resource.group} is not installed), so nothing can be protected.`;
    return new SlipwayError('NOT_SUPPORTED', message, { cause: error, field: 'auth', reason: 'AUTH_NOT_SUPPORTED' });
  }
  return toSlipwayError(error, subjectOf(resource, name));
}

const taken = (message: string, reason: string): SlipwayError =>
  new SlipwayError('CONFLICT', message, { field: 'name', reason });

/**
 * What stands under the policy's name before a create: the leftover of one that died may be taken over, anything else
 * is in the way.
 */
export function checkLeftover(existing: Policy, sameAuth: boolean, now: number): void {
  const { name, labels, annotations } = existing.metadata;
  const since = annotations?.[pendingAnnotation];
  if (labels?.[managedByLabel] !== 'slipway' || since === undefined) {
    const message = `There is already a policy ${name}, and it would govern this gateway. Delete it, or choose another name.`;
    throw taken(message, 'POLICY_EXISTS');
  }
  if (!sameAuth && now - Date.parse(since) < pendingMs) {
    const message = 'A gateway of this name is just being created with other protection. Try again in a minute.';
    throw taken(message, 'CREATE_IN_PROGRESS');
  }
}

/** Puts a route's policy in place before the route: a new one, or what is left of a create that died. */
export async function putPolicy(
  kube: KubeClient,
  resource: Resource<Policy>,
  { policy, leftover, now, dryRun = false }: { policy: Policy; leftover: Policy | null; now: number; dryRun?: boolean },
): Promise<Policy> {
  const annotations = { ...policy.metadata.annotations, [pendingAnnotation]: new Date(now).toISOString() };
  if (leftover) {
    const operations: JsonPatchOperation[] = [
      { op: 'add', path: '/spec', value: policy.spec },
      { op: 'add', path: '/metadata/annotations', value: annotations },
    ];
    return patchRead(kube, resource, leftover, operations, { dryRun });
  }
  try {
    return await kube.create(resource, { ...policy, metadata: { ...policy.metadata, annotations } }, { dryRun });
  } catch (error) {
    throw policyError(error, resource, policy.metadata.name);
  }
}

export const ownerFor = ({ apiVersion, kind, metadata: { name, uid = '' } }: HTTPRoute): OwnerReference => ({
  apiVersion,
  kind,
  name,
  uid,
});

/** Ties a policy to its route, which is there now: it goes when the route goes, and is pending no longer. */
export function linkPatch(policy: Policy, route: HTTPRoute): JsonPatchOperation[] {
  const owners = policy.metadata.ownerReferences ?? [];
  const owner = ownerFor(route);
  const operations: JsonPatchOperation[] = [];
  if (!owners.some(({ uid }) => uid === owner.uid)) {
    operations.push({ op: 'add', path: '/metadata/ownerReferences', value: [...owners, owner] });
  }
  return [...operations, ...unannotate(policy, pendingAnnotation)];
}
