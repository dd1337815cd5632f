import type { Core } from '../core.ts';
import { deleteObject, foregroundFinalizer, orphanFinalizer } from '../delete.ts';
import type { Definition, Draft } from '../definition.ts';
import type { Change } from '../store.ts';
import { changeObject } from '../write.ts';
import { createOwnerIndex, type Located } from './owners.ts';

const manager = 'kube-controller-manager';

/**
 * Removes what has lost its owners, and carries out the orphan and foreground deletions that wait for it. It follows
 * the changes of every kind; returns what stops it.
 */
export function startGarbageCollector(core: Core): () => void {
  const index = createOwnerIndex();
  const collections = core.definitions.map((definition) => core.collection(definition));
  const present = collections.flatMap((each) => each.list().map((object) => ({ definition: each.definition, object })));
  for (const { definition, object } of present)
    index.record(definition, { type: 'ADDED', object, previous: undefined });
  const stops = collections.map((collection) =>
    collection.subscribe((change) => {
      index.record(collection.definition, change);
      follow(core, index, collection.definition, change);
    }),
  );
  // What became due while nobody was there to do it.
  for (const { definition, object } of present) follow(core, index, definition, { type: 'ADDED', object });
  return () => {
    for (const stop of stops) stop();
  };
}

type Index = ReturnType<typeof createOwnerIndex>;

function follow(core: Core, index: Index, definition: Definition, change: Pick<Change, 'type' | 'object'>): void {
  const { object, type } = change;
  if (type === 'DELETED') {
    for (const dependent of index.dependentsOf(object.metadata.uid ?? '')) collect(core, index, dependent);
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const owner = index.present(uid);
      if (owner) finishDeletion(core, index, owner);
    }
    return;
  }
  if ((object.metadata.ownerReferences ?? []).length > 0) collect(core, index, { definition, object });
  if (object.metadata.deletionTimestamp !== undefined) finishDeletion(core, index, { definition, object });
}

/** Deletes an object whose owners are all gone; drops the references to those that are. */
function collect(core: Core, index: Index, { definition, object }: Located): void {
  const { name, namespace, uid } = object.metadata;
  const live = core.collection(definition).get(namespace, name);
  if (!live || live.metadata.uid !== uid || live.metadata.deletionTimestamp !== undefined) return;
  const references = live.metadata.ownerReferences ?? [];
  // Owners of kinds that are not served here can't be looked up: they count as present.
  const kept = references.filter((owner) => index.present(owner.uid) || !core.ofKind(owner.apiVersion, owner.kind));
  if (kept.length === references.length) return;
  if (kept.length === 0) deleteObject(core, { definition, name, namespace, preconditions: { uid: uid ?? '' } });
  else setOwners(core, definition, live, kept);
}

function setOwners(
  core: Core,
  definition: Definition,
  live: Draft,
  owners: NonNullable<Draft['metadata']['ownerReferences']>,
): void {
  change(core, definition, live, (metadata) => {
    if (owners.length > 0) metadata.ownerReferences = owners;
    else delete metadata.ownerReferences;
  });
}

function change(
  core: Core,
  definition: Definition,
  { metadata }: Draft,
  edit: (metadata: Draft['metadata']) => void,
): void {
  const { namespace, name } = metadata;
  changeObject(core, { definition, namespace, name, manager }, (live) => {
    const next = { ...live, metadata: { ...live.metadata } };
    edit(next.metadata);
    return next;
  });
}

/** Does what an object that is being deleted waits for, then takes away its finalizer. */
function finishDeletion(core: Core, index: Index, { definition, object }: Located): void {
  const live = core.collection(definition).get(object.metadata.namespace, object.metadata.name);
  if (!live || live.metadata.uid !== object.metadata.uid || live.metadata.deletionTimestamp === undefined) return;
  const finalizers = live.metadata.finalizers ?? [];
  const dependents = index.dependentsOf(live.metadata.uid ?? '');
  if (finalizers.includes(orphanFinalizer)) {
    for (const dependent of dependents) orphan(core, dependent, live.metadata.uid);
    removeFinalizer(core, definition, live, orphanFinalizer);
  } else if (finalizers.includes(foregroundFinalizer)) {
    for (const dependent of dependents) deleteDependent(core, index, dependent);
    const uid = live.metadata.uid ?? '';
    const blocked = index.dependentsOf(uid).some((each) => blocks(each, uid) && stillThere(core, each));
    if (!blocked) removeFinalizer(core, definition, live, foregroundFinalizer);
  }
}

function stillThere(core: Core, { definition, object }: Located): boolean {
  return (
    core.collection(definition).get(object.metadata.namespace, object.metadata.name)?.metadata.uid ===
    object.metadata.uid
  );
}

function blocks({ object }: Located, owner: string): boolean {
  return (object.metadata.ownerReferences ?? []).some((each) => each.uid === owner && each.blockOwnerDeletion === true);
}

function orphan(core: Core, { definition, object }: Located, owner: string | undefined): void {
  const live = core.collection(definition).get(object.metadata.namespace, object.metadata.name);
  if (!live || live.metadata.uid !== object.metadata.uid) return;
  setOwners(
    core,
    definition,
    live,
    (live.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner),
  );
}

function deleteDependent(core: Core, index: Index, dependent: Located): void {
  const { definition, object } = dependent;
  const { name, namespace, uid, deletionTimestamp } = object.metadata;
  if (deletionTimestamp !== undefined || !stillThere(core, dependent)) return;
  const propagationPolicy = index.dependentsOf(uid ?? '').length > 0 ? 'Foreground' : 'Background';
  deleteObject(core, { definition, name, namespace, propagationPolicy, preconditions: { uid: uid ?? '' } });
}

function removeFinalizer(core: Core, definition: Definition, live: Draft, finalizer: string): void {
  change(core, definition, live, (metadata) => {
    const left = (metadata.finalizers ?? []).filter((each) => each !== finalizer);
    if (left.length > 0) metadata.finalizers = left;
    else delete metadata.finalizers;
  });
}
