import { ApiError } from '../../../api-error.ts';
import type { ManagedFields } from '../../../resources.ts';
import { decode } from '../decode.ts';
import type { Definition, Draft } from '../definition.ts';
import { groupVersionOf } from '../definition.ts';
import { equal, isObject, type Json } from '../json.ts';
import type { Schema } from '../schema.ts';
import { badRequest, unclassified } from '../status.ts';
import { FieldSet, pathText } from './field-set.ts';
import { compare, toFieldSet, typeProblem } from './typed.ts';
import { applyConfiguration, FieldConflicts, type Managers, type Relevant, updateManagers } from './updater.ts';

/** Who writes, and through which door. */
export interface Writer {
  manager: string;
  subresource: '' | 'status' | 'scale';
  now: number;
}

interface Entry {
  id: string;
  manager: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  subresource: string;
}

/** Present in every object, so of no use in telling owners apart. */
const neverOwned = FieldSet.from([
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'clusterName',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map((field) => ['f:metadata', `f:${field}`]),
]);

/** At most this many entries of plain updates; the oldest are merged into one. */
const maximumUpdaters = 10;
const oldUpdates = 'ancient-changes';

/** The fields of `set` that writes through this door can reach. */
function reach(definition: Definition, subresource: string): Relevant {
  if (!definition.statusSubresource) return (set) => set;
  const status = FieldSet.from([['f:status']]);
  if (subresource !== 'status') return (set) => set.recursiveDifference(status);
  return (set) => {
    const outside = FieldSet.from(
      [...set.members, ...set.children.keys()]
        .filter((step) => step !== 'f:status' && step !== 'f:metadata')
        .map((step) => [step]),
    );
    return set.recursiveDifference(outside);
  };
}

/** The object's schema with its type fields, which an applied configuration carries along. */
const rooted = new WeakMap<Definition, Schema>();
function rootOf(definition: Definition): Schema {
  const present = rooted.get(definition);
  if (present) return present;
  const text: Schema = { type: 'string' };
  const root: Schema = { ...definition.schema, fields: { apiVersion: text, kind: text, ...definition.schema.fields } };
  rooted.set(definition, root);
  return root;
}

function idOf(entry: Omit<Entry, 'id'>): string {
  const version = entry.operation === 'Apply' ? '' : entry.apiVersion;
  return JSON.stringify([entry.manager, entry.operation, version, entry.subresource]);
}

interface Book {
  managers: Managers;
  entries: Map<string, Entry>;
  times: Map<string, string>;
}

function open(fields: readonly ManagedFields[] | undefined): Book {
  const book: Book = { managers: new Map(), entries: new Map(), times: new Map() };
  for (const field of fields ?? []) {
    const entry = {
      manager: field.manager,
      operation: field.operation,
      apiVersion: field.apiVersion,
      subresource: field.subresource ?? '',
    };
    const id = idOf(entry);
    book.entries.set(id, { id, ...entry });
    book.managers.set(id, FieldSet.fromFields(field.fieldsV1));
    if (field.time) book.times.set(id, field.time);
  }
  return book;
}

function close(book: Book): ManagedFields[] | undefined {
  const fields = [...book.managers].flatMap(([id, set]): ManagedFields[] => {
    const entry = book.entries.get(id);
    if (!entry) return [];
    const time = book.times.get(id);
    return [
      {
        manager: entry.manager,
        operation: entry.operation,
        apiVersion: entry.apiVersion,
        ...(time !== undefined && { time }),
        fieldsType: 'FieldsV1',
        fieldsV1: set.toFields(),
        ...(entry.subresource && { subresource: entry.subresource }),
      },
    ];
  });
  if (fields.length === 0) return undefined;
  const order = (field: ManagedFields) => [
    field.operation,
    field.time ?? '',
    field.manager,
    field.apiVersion,
    field.subresource ?? '',
  ];
  return fields.sort((a, b) => (order(a).join('\0') < order(b).join('\0') ? -1 : 1));
}

function entryOf(definition: Definition, writer: Writer, operation: 'Apply' | 'Update'): Entry {
  const entry = {
    manager: writer.manager || 'unknown',
    operation,
    apiVersion: groupVersionOf(definition),
    subresource: writer.subresource,
  };
  return { id: idOf(entry), ...entry };
}

function timeText(now: number): string {
  return new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
}

function withoutManagedFields(object: Draft): Json {
  const { managedFields: _, ...metadata } = object.metadata ?? {};
  return { ...object, metadata } as unknown as Json;
}

/** What a new object is compared with: a built-in kind has its plain structs from the start. */
function emptyObject(definition: Definition): Draft {
  if (!definition.custom) return decode(definition, {}).object;
  return { apiVersion: groupVersionOf(definition), kind: definition.kind, metadata: {} as Draft['metadata'] };
}

/** An entry list that a client sets to `[]` or `[{}]` asks to begin anew. */
function isReset(fields: readonly unknown[] | undefined): boolean {
  return fields !== undefined && (fields.length === 0 || (fields.length === 1 && equal(fields[0], {})));
}

function isDecodable(field: ManagedFields): boolean {
  return (
    (field.operation === 'Apply' || field.operation === 'Update') &&
    Boolean(field.apiVersion) &&
    field.fieldsType === 'FieldsV1'
  );
}

/** Records a create, update or patch: sets `metadata.managedFields` of `next`, without touching anything else. */
export function trackUpdate(definition: Definition, live: Draft | undefined, next: Draft, writer: Writer): void {
  const sent = next.metadata.managedFields;
  const reset = writer.subresource === '' && live !== undefined && isReset(sent);
  const usable =
    writer.subresource === '' && sent && sent.length > 0 && sent.every(isDecodable)
      ? sent
      : live?.metadata.managedFields;
  if (live && (reset || !usable || usable.length === 0)) {
    // Never tracked, or no longer: the first apply begins again.
    delete next.metadata.managedFields;
    return;
  }
  const book = open(usable);
  const entry = entryOf(definition, writer, 'Update');
  const current = 'current-operation';
  const managers = updateManagers(
    withoutManagedFields(live ?? emptyObject(definition)),
    withoutManagedFields(next),
    rootOf(definition),
    book.managers,
    current,
    reach(definition, writer.subresource),
  );
  const mine = managers.get(current)?.difference(neverOwned);
  managers.delete(current);
  if (mine && !mine.empty) {
    managers.set(entry.id, mine.union(managers.get(entry.id) ?? new FieldSet()));
    book.entries.set(entry.id, entry);
    book.times.set(entry.id, timeText(writer.now));
  }
  book.managers = managers;
  capUpdaters(book, definition);
  setManagedFields(next, close(book));
}

function setManagedFields(object: Draft, fields: ManagedFields[] | undefined): void {
  if (fields) object.metadata.managedFields = fields;
  else delete object.metadata.managedFields;
}

function capUpdaters(book: Book, definition: Definition): void {
  const updaters = [...book.managers.keys()].filter((id) => book.entries.get(id)?.operation === 'Update');
  const surplus = updaters.length - maximumUpdaters;
  if (surplus <= 0) return;
  const oldest = updaters
    .sort((a, b) => ((book.times.get(a) ?? '') < (book.times.get(b) ?? '') ? -1 : 1))
    .slice(0, surplus + 1);
  const bucket = entryOf(definition, { manager: oldUpdates, subresource: '', now: 0 }, 'Update');
  const time = book.times.get(oldest.at(-1) ?? '');
  const merged = oldest.reduce((all, id) => all.union(book.managers.get(id) ?? new FieldSet()), new FieldSet());
  for (const id of oldest) book.managers.delete(id);
  book.entries.set(bucket.id, bucket);
  book.managers.set(bucket.id, merged);
  if (time !== undefined) book.times.set(bucket.id, time);
}

export interface ApplyOptions extends Writer {
  force: boolean;
}

/** Server-side apply of `config` onto `live` (undefined: the object is created). Returns the merged object. */
export function applyObject(
  definition: Definition,
  live: Draft | undefined,
  config: Draft,
  options: ApplyOptions,
): Draft {
  if (config.metadata?.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
  const root = rootOf(definition);
  const problem = typeProblem(config as unknown as Json, root);
  if (problem)
    throw unclassified(`failed to create typed patch object (${objectText(definition, config)}): ${problem}`);
  const base = live ?? emptyObject(definition);
  const book = open(base.metadata.managedFields);
  if (live && book.managers.size === 0) beginTracking(definition, live, book, options);
  const entry = entryOf(definition, options, 'Apply');
  const liveJson = withoutManagedFields(base);
  const allowed = options.manager === 'kubectl' ? lastApplied(definition, base) : undefined;
  const run = (force: boolean) =>
    applyConfiguration(liveJson, config as unknown as Json, root, book.managers, entry.id, {
      force,
      relevant: reach(definition, options.subresource),
    });
  const result = applyUnlessConflicting(run, options.force, allowed, book);
  const mine = result.managers.get(entry.id)?.difference(neverOwned);
  if (mine && !mine.empty) result.managers.set(entry.id, mine);
  else result.managers.delete(entry.id);
  const unchanged = live && equal(result.object, liveJson);
  book.entries.set(entry.id, entry);
  if (!unchanged || !book.times.has(entry.id)) book.times.set(entry.id, timeText(options.now));
  book.managers = result.managers;
  const object = result.object as unknown as Draft;
  object.metadata = { ...object.metadata };
  setManagedFields(object, close(book));
  return object;
}

function applyUnlessConflicting(
  run: (force: boolean) => { object: Json; managers: Managers },
  force: boolean,
  allowed: FieldSet | undefined,
  book: Book,
): { object: Json; managers: Managers } {
  try {
    return run(force);
  } catch (error) {
    if (!(error instanceof FieldConflicts)) throw error;
    const conflicts = error.conflicts.filter(({ path }) => !allowed?.has(path));
    if (conflicts.length === 0) return run(true);
    throw conflictError(
      conflicts.map(({ manager, path }) => ({ manager: managerText(book, manager), path: pathText(path) })),
    );
  }
}

/** All there was before the first apply belongs to a manager of its own. */
function beginTracking(definition: Definition, live: Draft, book: Book, options: ApplyOptions): void {
  const entry = entryOf(definition, { ...options, manager: 'before-first-apply' }, 'Update');
  const nothing = withoutManagedFields(emptyObject(definition));
  const relevant = reach(definition, options.subresource);
  const managers = updateManagers(
    nothing,
    withoutManagedFields(live),
    rootOf(definition),
    new Map(),
    entry.id,
    relevant,
  );
  const all = managers.get(entry.id)?.difference(neverOwned);
  if (!all || all.empty) return;
  book.entries.set(entry.id, entry);
  book.managers.set(entry.id, all);
  book.times.set(entry.id, timeText(options.now));
}

const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';

/** What client-side `kubectl apply` set and nobody changed since: `kubectl apply --server-side` may take it over. */
function lastApplied(definition: Definition, live: Draft): FieldSet | undefined {
  const text = live.metadata.annotations?.[lastAppliedAnnotation];
  if (!text) return undefined;
  try {
    const config: unknown = JSON.parse(text);
    if (!isObject(config) || config.apiVersion !== groupVersionOf(definition)) return undefined;
    const changes = compare(config, withoutManagedFields(live), rootOf(definition));
    const set = toFieldSet(config, rootOf(definition));
    return set.difference(changes.modified).difference(changes.added).difference(changes.removed);
  } catch {
    // An annotation that is no configuration allows nothing.
    return undefined;
  }
}

function objectText(definition: Definition, object: Draft): string {
  const { namespace = '', name } = object.metadata;
  const { group, version, kind } = definition;
  return `${namespace}/${name}; ${group}/${version}, Kind=${kind}`;
}

function managerText(book: Book, id: string): string {
  const entry = book.entries.get(id);
  const name = JSON.stringify(entry?.manager ?? id);
  const through = entry?.subresource ? `${name} with subresource ${JSON.stringify(entry.subresource)}` : name;
  return entry?.operation === 'Update' ? `${through} using ${entry.apiVersion}` : through;
}

function conflictError(conflicts: readonly { manager: string; path: string }[]): ApiError {
  const causes = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${manager}`,
    field: path,
  }));
  return new ApiError(409, 'Conflict', conflictMessage(conflicts), { details: { causes } });
}

function conflictMessage(conflicts: readonly { manager: string; path: string }[]): string {
  const [first] = conflicts;
  if (conflicts.length === 1 && first) {
    return `Apply failed with 1 conflict: conflict with ${first.manager}: ${first.path}`;
  }
  const lines = [...new Set(conflicts.map(({ manager }) => manager))]
    .sort()
    .flatMap((manager) => [
      `conflicts with ${manager}:`,
      ...conflicts.filter((each) => each.manager === manager).map(({ path }) => `- ${path}`),
    ]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}
