import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Definition, Draft } from './definition.ts';
import { deepFreeze } from './json.ts';
import { expired, qualified, tooLargeVersion } from './status.ts';

/** One committed change. Objects in the store are frozen and shared. */
export interface Change {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  version: number;
  object: Draft;
  /** The state before; undefined for ADDED. */
  previous: Draft | undefined;
}

export type ChangeListener = (change: Change) => void;

/** The objects of one kind. */
export interface Collection {
  readonly definition: Definition;
  get(namespace: string | undefined, name: string): Draft | undefined;
  /** In the order of namespace and name. */
  list(namespace?: string): Draft[];
  /** As it was at an earlier version; throws Expired when that is no longer known. */
  listAt(version: number, namespace?: string): Draft[];
  /** Changes after a version, oldest first; throws Expired when some are no longer known. */
  since(version: number): Change[];
  /** Every change from now on, in order, after its commit. */
  subscribe(listener: ChangeListener): () => void;
  put(object: Draft): Draft;
  /** `last`: the state that goes out with DELETED, when it is not the present one. */
  remove(object: Draft, last?: Draft): Draft;
}

export interface Store {
  /** The version of the last change. */
  readonly version: number;
  collection(definition: Definition): Collection;
  /** The position in the stream of changes up to which listeners have been told. */
  close(): void;
}

export interface StoreOptions {
  dataDir: string;
  definitions: readonly Definition[];
  /** How many changes of a kind are kept for watches. @default 2000 */
  history?: number;
  onListenerError: (error: unknown) => void;
}

/** Opens `<dataDir>/cluster.db`. Every change is on disk before anybody hears of it, so a killed process loses nothing. */
export function openStore(options: StoreOptions): Store {
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  const log = openLog(join(options.dataDir, 'cluster.db'));
  let version = log.version();
  const deliver = createDelivery(options.onListenerError);
  const next = () => ++version;
  const collections = new Map(
    options.definitions.map((definition) => {
      const key = qualified(definition);
      return [
        key,
        createCollection(definition, {
          log,
          next,
          deliver,
          opened: version,
          history: options.history ?? 2000,
          current: () => version,
        }),
      ];
    }),
  );
  for (const { resource, json } of log.objects()) collections.get(resource)?.load(JSON.parse(json) as Draft);
  return {
    get version() {
      return version;
    },
    collection(definition) {
      const found = collections.get(qualified(definition));
      if (!found) throw new Error(`no collection of ${qualified(definition)}`);
      return found;
    },
    close: () => log.close(),
  };
}

interface WriteLog {
  version(): number;
  objects(): Iterable<{ resource: string; json: string }>;
  put(resource: string, object: Draft, version: number): void;
  remove(resource: string, object: Draft, version: number): void;
  close(): void;
}

function openLog(file: string): WriteLog {
  const database = new DatabaseSync(file);
  // An exclusive lock: a second server on the same folder fails here instead of spoiling both.
  database.exec(`
    PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS objects (
      resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, json TEXT NOT NULL,
      PRIMARY KEY (resource, namespace, name)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS meta (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);
    INSERT OR IGNORE INTO meta (id, version) VALUES (1, 1);
  `);
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const rollback = database.prepare('ROLLBACK');
  const upsert = database.prepare(
    'INSERT OR REPLACE INTO objects (resource, namespace, name, json) VALUES (?, ?, ?, ?)',
  );
  const remove = database.prepare('DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?');
  const mark = database.prepare('UPDATE meta SET version = ?');
  const within = (version: number, write: () => void) => {
    begin.run();
    try {
      write();
      mark.run(version);
      commit.run();
    } catch (error) {
      rollback.run();
      throw error;
    }
  };
  const place = (object: Draft) => [object.metadata.namespace ?? '', object.metadata.name] as const;
  return {
    version: () => Number(database.prepare('SELECT version FROM meta').get()?.version ?? 1),
    objects: () => database.prepare('SELECT resource, json FROM objects').all() as { resource: string; json: string }[],
    put: (resource, object, version) => within(version, () => upsert.run(resource, ...place(object), jsonOf(object))),
    remove: (resource, object, version) => within(version, () => remove.run(resource, ...place(object))),
    close: () => database.close(),
  };
}

const texts = new WeakMap<object, string>();

/** The object as JSON; made once for storing and for every watcher. */
export function jsonOf(object: object): string {
  const present = texts.get(object);
  if (present !== undefined) return present;
  const text = JSON.stringify(object);
  texts.set(object, text);
  return text;
}

type Deliver = (change: Change, listeners: ReadonlySet<ChangeListener>) => void;

/** Tells listeners after the commit and one change at a time, also when a listener causes the next change. */
function createDelivery(onError: (error: unknown) => void): Deliver {
  const queue: { change: Change; listeners: ReadonlySet<ChangeListener> }[] = [];
  let scheduled = false;
  const drain = () => {
    scheduled = false;
    for (let entry = queue.shift(); entry; entry = queue.shift()) {
      for (const listener of entry.listeners) {
        try {
          listener(entry.change);
        } catch (error) {
          onError(error);
        }
      }
    }
  };
  return (change, listeners) => {
    queue.push({ change, listeners });
    if (!scheduled) queueMicrotask(drain);
    scheduled = true;
  };
}

interface Shared {
  log: WriteLog;
  next: () => number;
  current: () => number;
  deliver: Deliver;
  /** The version at which this process opened the store: what came before is not in any history. */
  opened: number;
  history: number;
}

const keyOf = (namespace: string | undefined, name: string) => `${namespace ?? ''}/${name}`;
const keyOfObject = (object: Draft) => keyOf(object.metadata.namespace, object.metadata.name);

function createCollection(definition: Definition, shared: Shared): Collection & { load(object: Draft): void } {
  const resource = qualified(definition);
  const objects = new Map<string, Draft>();
  const history: Change[] = [];
  /** Changes up to this version are forgotten. */
  let forgotten = shared.opened;
  const listeners = new Set<ChangeListener>();

  const record = (change: Change) => {
    history.push(change);
    // Trimmed in blocks: shifting one by one would move the whole array for every write.
    if (history.length > shared.history * 1.5) {
      const dropped = history.splice(0, history.length - shared.history);
      forgotten = dropped.at(-1)?.version ?? forgotten;
    }
    shared.deliver(change, listeners);
  };
  const stamp = (object: Draft, version: number) =>
    deepFreeze({ ...object, metadata: { ...object.metadata, resourceVersion: String(version) } });
  const known = (version: number) => {
    if (version > shared.current()) throw tooLargeVersion(version, shared.current());
    if (version < forgotten) throw expired(`too old resource version: ${version} (${forgotten})`);
  };
  const sorted = (found: Iterable<Draft>, namespace: string | undefined) =>
    [...found]
      .filter((object) => namespace === undefined || object.metadata.namespace === namespace)
      .sort((a, b) => (keyOfObject(a) < keyOfObject(b) ? -1 : 1));

  return {
    definition,
    load: (object) => void objects.set(keyOfObject(object), deepFreeze(object)),
    get: (namespace, name) => objects.get(keyOf(namespace, name)),
    list: (namespace) => sorted(objects.values(), namespace),
    listAt(version, namespace) {
      known(version);
      const then = new Map(objects);
      for (const change of history.toReversed()) {
        if (change.version <= version) break;
        if (change.previous) then.set(keyOfObject(change.object), change.previous);
        else then.delete(keyOfObject(change.object));
      }
      return sorted(then.values(), namespace);
    },
    since(version) {
      known(version);
      return history.filter((change) => change.version > version);
    },
    subscribe(listener) {
      // A change that is committed but not yet delivered is older than this subscription.
      const from = shared.current();
      const fresh: ChangeListener = (change) => {
        if (change.version > from) listener(change);
      };
      listeners.add(fresh);
      return () => void listeners.delete(fresh);
    },
    put(object) {
      const key = keyOfObject(object);
      const previous = objects.get(key);
      const version = shared.next();
      const stored = stamp(object, version);
      shared.log.put(resource, stored, version);
      objects.set(key, stored);
      record({ type: previous ? 'MODIFIED' : 'ADDED', version, object: stored, previous });
      return stored;
    },
    remove(object, last = object) {
      const key = keyOfObject(object);
      const previous = objects.get(key);
      const version = shared.next();
      const gone = stamp(last, version);
      shared.log.remove(resource, object, version);
      objects.delete(key);
      record({ type: 'DELETED', version, object: gone, previous });
      return gone;
    },
  };
}
