import type { Json } from '../json.ts';
import type { Schema } from '../schema.ts';
import { FieldSet, type Path } from './field-set.ts';
import { type Comparison, compare, merge, removeFields, toFieldSet } from './typed.ts';

/** The fields of each manager, by its identifier. */
export type Managers = Map<string, FieldSet>;

export interface FieldConflict {
  manager: string;
  path: Path;
}

/** Thrown by `apply` when other managers own fields whose value would change. */
export class FieldConflicts extends Error {
  readonly conflicts: readonly FieldConflict[];

  constructor(conflicts: readonly FieldConflict[]) {
    super('field managers conflict');
    this.name = 'FieldConflicts';
    this.conflicts = conflicts;
  }
}

/** What of the fields counts: a write to `status` neither takes nor gives away others, and the other way round. */
export type Relevant = (set: FieldSet) => FieldSet;

function relevantChanges(changes: Comparison, relevant: Relevant): Comparison {
  return {
    removed: relevant(changes.removed),
    modified: relevant(changes.modified),
    added: relevant(changes.added),
  };
}

/** Takes what changed away from the other managers. */
function handOver(managers: Managers, changes: Comparison, except: string): Managers {
  const changed = changes.modified.union(changes.added).union(changes.removed);
  const result: Managers = new Map();
  for (const [manager, set] of managers) {
    const left = manager === except ? set : set.difference(changed);
    if (!left.empty) result.set(manager, left);
  }
  return result;
}

/** A plain write: the writer owns what it changed, nobody else does any more. */
export function updateManagers(
  live: Json,
  next: Json,
  schema: Schema,
  managers: Managers,
  manager: string,
  relevant: Relevant,
): Managers {
  const changes = relevantChanges(compare(live, next, schema), relevant);
  const result = handOver(managers, changes, manager);
  const before = result.get(manager) ?? new FieldSet();
  const owned = relevant(before.difference(changes.removed).union(changes.modified).union(changes.added));
  if (owned.empty) result.delete(manager);
  else result.set(manager, owned);
  return result;
}

/** Server-side apply: lays the configuration over the live object and drops what the manager applied before and no longer does. */
export function applyConfiguration(
  live: Json,
  config: Json,
  schema: Schema,
  managers: Managers,
  manager: string,
  options: { force: boolean; relevant: Relevant },
): { object: Json; managers: Managers } {
  const last = managers.get(manager);
  const owned = options.relevant(toFieldSet(config, schema));
  const claimed = new Map(managers).set(manager, owned);
  const merged = merge(live, config, schema) ?? {};
  const object = last && !last.empty ? prune(merged, schema, claimed, last) : merged;
  const changes = relevantChanges(compare(live, object, schema), options.relevant);
  if (!options.force) refuseConflicts(claimed, changes, manager);
  return { object, managers: handOver(claimed, changes, manager) };
}

function refuseConflicts(managers: Managers, changes: Comparison, applying: string): void {
  const changed = changes.modified.union(changes.added);
  const conflicts: FieldConflict[] = [];
  for (const [manager, set] of managers) {
    if (manager === applying) continue;
    for (const path of set.intersection(changed).paths()) conflicts.push({ manager, path });
  }
  if (conflicts.length > 0) throw new FieldConflicts(conflicts);
}

/** Removes what was applied last, then gives back what any manager owns and what merely hangs together with it. */
function prune(merged: Json, schema: Schema, managers: Managers, last: FieldSet): Json {
  const lastNamed = last.withNamedFields(schema);
  const mergedSet = toFieldSet(merged, schema).withNamedFields(schema);
  const stripped = removeFields(merged, lastNamed, schema) ?? {};
  const managed = [...managers.values()].reduce((all, set) => all.union(set), new FieldSet()).withNamedFields(schema);
  const strippedSet = toFieldSet(stripped, schema).withNamedFields(schema);
  const owned = removeFields(merged, mergedSet.difference(strippedSet.union(managed)), schema) ?? {};
  const ownedSet = toFieldSet(owned, schema).withNamedFields(schema);
  return removeFields(merged, mergedSet.difference(ownedSet).intersection(lastNamed), schema) ?? {};
}
