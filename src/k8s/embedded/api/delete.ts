import type { Core } from './core.ts';
import { timestamp } from './core.ts';
import type { Definition, Draft } from './definition.ts';
import { notFound, unmetPrecondition } from './status.ts';
import { finishChange, hasSpecFinalizers } from './write.ts';

export interface DeleteRequest {
  definition: Definition;
  namespace?: string | undefined;
  name: string;
  dryRun?: boolean | undefined;
  gracePeriodSeconds?: number | undefined;
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  preconditions?: { uid?: string; resourceVersion?: string } | undefined;
}

export const orphanFinalizer = 'orphan';
export const foregroundFinalizer = 'foregroundDeletion';

/** Removes an object, or marks it where finalizers or a grace period hold it. */
export function deleteObject(core: Core, request: DeleteRequest): { object: Draft; gone: boolean } {
  const { definition, namespace, name } = request;
  const live = core.collection(definition).get(namespace, name);
  if (!live) throw notFound(definition, name);
  checkPreconditions(definition, live, request.preconditions);
  const next = marked(core, request, live);
  const gone = !isHeld(next);
  if (request.dryRun) return { object: next, gone };
  if (!gone) return { object: next === live ? live : core.collection(definition).put(next), gone };
  return { object: finishChange(core, definition, next), gone };
}

function checkPreconditions(definition: Definition, live: Draft, wanted: DeleteRequest['preconditions']): void {
  const { uid, resourceVersion, name } = live.metadata;
  if (wanted?.uid !== undefined && wanted.uid !== uid) {
    const why = `the UID in the precondition (${wanted.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`;
    throw unmetPrecondition(definition, name, why);
  }
  if (wanted?.resourceVersion !== undefined && wanted.resourceVersion !== resourceVersion) {
    const why = `the ResourceVersion in the precondition (${wanted.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`;
    throw unmetPrecondition(definition, name, why);
  }
}

function isHeld(object: Draft): boolean {
  const { finalizers, deletionGracePeriodSeconds } = object.metadata;
  return (finalizers?.length ?? 0) > 0 || (deletionGracePeriodSeconds ?? 0) > 0 || hasSpecFinalizers(object);
}

function marked(core: Core, request: DeleteRequest, live: Draft): Draft {
  const grace = request.definition.gracePeriod?.(live, request.gracePeriodSeconds) ?? 0;
  const finalizers = finalizersFor(live, request.propagationPolicy);
  const present = live.metadata;
  if (
    present.deletionTimestamp !== undefined &&
    grace >= (present.deletionGracePeriodSeconds ?? 0) &&
    finalizers === present.finalizers
  ) {
    return live;
  }
  const next: Draft = { ...live, metadata: { ...present } };
  if (finalizers && finalizers.length > 0) next.metadata.finalizers = finalizers;
  else delete next.metadata.finalizers;
  next.metadata.deletionTimestamp = deadline(core, present.deletionTimestamp, grace);
  next.metadata.deletionGracePeriodSeconds = Math.min(grace, present.deletionGracePeriodSeconds ?? grace);
  if (present.deletionTimestamp === undefined) {
    if (present.generation !== undefined) next.metadata.generation = present.generation + 1;
    request.definition.markDeleted?.(next);
  }
  return next;
}

function deadline(core: Core, present: string | undefined, grace: number): string {
  const asked = new Date(core.clock.now() + grace * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
  return present !== undefined && present < asked ? present : grace === 0 ? timestamp(core) : asked;
}

function finalizersFor(live: Draft, policy: DeleteRequest['propagationPolicy']): string[] | undefined {
  const present = live.metadata.finalizers;
  if (policy === undefined) return present;
  const others = (present ?? []).filter((each) => each !== orphanFinalizer && each !== foregroundFinalizer);
  if (policy === 'Orphan') return keepIfSame(present, [...others, orphanFinalizer]);
  if (policy === 'Foreground') return keepIfSame(present, [...others, foregroundFinalizer]);
  return keepIfSame(present, others);
}

function keepIfSame(present: string[] | undefined, next: string[]): string[] | undefined {
  return next.join() === (present ?? []).join() ? present : next;
}
