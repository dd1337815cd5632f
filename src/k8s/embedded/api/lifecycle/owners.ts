import type { Definition, Draft } from '../definition.ts';
import type { Change } from '../store.ts';

/** An object somewhere in the store. */
export interface Located {
  definition: Definition;
  object: Draft;
}

/** Who is there, and who belongs to whom. */
export interface OwnerIndex {
  record(definition: Definition, change: Pick<Change, 'type' | 'object' | 'previous'>): void;
  present(uid: string): Located | undefined;
  dependentsOf(uid: string): Located[];
}

export function createOwnerIndex(): OwnerIndex {
  const byUid = new Map<string, Located>();
  const dependents = new Map<string, Set<string>>();

  const owners = (object: Draft | undefined) => (object?.metadata.ownerReferences ?? []).map(({ uid }) => uid);
  const link = (owner: string, uid: string) => {
    const known = dependents.get(owner) ?? new Set<string>();
    known.add(uid);
    dependents.set(owner, known);
  };
  const unlink = (owner: string, uid: string) => {
    const known = dependents.get(owner);
    known?.delete(uid);
    if (known?.size === 0) dependents.delete(owner);
  };

  return {
    record(definition, { type, object, previous }) {
      const uid = object.metadata.uid ?? '';
      for (const owner of owners(previous)) unlink(owner, uid);
      if (type === 'DELETED') {
        byUid.delete(uid);
        return;
      }
      byUid.set(uid, { definition, object });
      for (const owner of owners(object)) link(owner, uid);
    },
    present: (uid) => byUid.get(uid),
    dependentsOf: (uid) =>
      [...(dependents.get(uid) ?? [])].map((each) => byUid.get(each)).filter((each) => each !== undefined),
  };
}
