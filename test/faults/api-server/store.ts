import type { KubeObject } from '../../../src/k8s/resources.ts';

/** A change as a watch tells it. */
export interface Change {
  version: number;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: KubeObject;
  /** As it was before. */
  previous: KubeObject | undefined;
}

/** What the server held of one uid from one moment on; null: nothing. Moments only rise, versions may go back. */
export interface Life {
  moment: number;
  state: string | null;
  object: KubeObject | null;
}

/** A copy of everything, as an etcd backup is. */
export interface Backup {
  version: number;
  kinds: Map<string, KubeObject[]>;
}

/** An object as it is now; stored ones are never changed in place. */
export interface Held {
  object: KubeObject;
  state: string;
}

interface KindStore {
  objects: Map<string, KubeObject>;
  /** By uid. */
  held: Map<string, Held>;
  history: Change[];
  listeners: Set<(change: Change) => void>;
}

/** The objects of all kinds with one row of versions, as etcd has them, and a record of all that ever was. */
export function createStore() {
  const kinds = new Map<string, KindStore>();
  const lives = new Map<string, Life[]>();
  const restored: number[] = [];
  let version = 1000;
  let oldest = 0;
  let moment = 0;

  function kindOf(path: string): KindStore {
    const present = kinds.get(path);
    if (present) return present;
    const made: KindStore = { objects: new Map(), held: new Map(), history: [], listeners: new Set() };
    kinds.set(path, made);
    return made;
  }

  /** Takes the object over: it is never changed again. */
  function live(kind: KindStore, object: KubeObject, gone: boolean): void {
    const uid = object.metadata.uid ?? '';
    const life = lives.get(uid) ?? [];
    lives.set(uid, life);
    moment += 1;
    if (gone) {
      kind.held.delete(uid);
      life.push({ moment, state: null, object: null });
      return;
    }
    const held = { object, state: stateOf(object) };
    kind.held.set(uid, held);
    life.push({ moment, ...held });
  }

  function commit(path: string, type: Change['type'], given: KubeObject, previous?: KubeObject): KubeObject {
    const kind = kindOf(path);
    version += 1;
    const object = { ...given, metadata: { ...given.metadata, resourceVersion: String(version) } };
    live(kind, object, type === 'DELETED');
    const change = { version, type, object, previous };
    kind.history.push(change);
    for (const listener of [...kind.listeners]) listener(change);
    return object;
  }

  return {
    lives,
    restored,
    get version() {
      return version;
    },
    get moment() {
      return moment;
    },
    /** Watches from before this version get 410. */
    get oldest() {
      return oldest;
    },
    all: (path: string): KubeObject[] => [...kindOf(path).objects.values()],
    /** All as it was at a version that is not compacted. */
    at(path: string, then: number): KubeObject[] {
      const objects = new Map(kindOf(path).objects);
      for (const { version, object, previous } of kindOf(path).history.toReversed()) {
        if (version <= then) break;
        if (previous) objects.set(keyOf(previous), previous);
        else objects.delete(keyOf(object));
      }
      return [...objects.values()];
    },
    held: (path: string): ReadonlyMap<string, Held> => kindOf(path).held,
    get: (path: string, key: string) => kindOf(path).objects.get(key),
    since: (path: string, from: number): Change[] => kindOf(path).history.filter((change) => change.version > from),
    subscribe(path: string, listener: (change: Change) => void): () => void {
      const { listeners } = kindOf(path);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    put(path: string, object: KubeObject): KubeObject {
      const { objects } = kindOf(path);
      const key = keyOf(object);
      const stored = commit(path, objects.has(key) ? 'MODIFIED' : 'ADDED', object, objects.get(key));
      objects.set(key, stored);
      return stored;
    },
    remove(path: string, key: string): KubeObject {
      const { objects } = kindOf(path);
      const object = objects.get(key);
      if (!object) throw new Error(`no object ${key}`);
      objects.delete(key);
      return commit(path, 'DELETED', object, object);
    },
    compact(): void {
      for (const kind of kinds.values()) kind.history.length = 0;
      oldest = version;
    },
    backup: (): Backup => ({
      version,
      kinds: new Map([...kinds].map(([path, { objects }]) => [path, [...objects.values()]])),
    }),
    /** Versions go back and will be used again. */
    restore(backup: Backup): void {
      for (const [path, kind] of kinds) {
        const before = new Map([...kind.objects.values()].map((object) => [object.metadata.uid, object]));
        const after = backup.kinds.get(path) ?? [];
        kind.objects = new Map(after.map((object) => [keyOf(object), object]));
        const kept = new Set(after.map((object) => object.metadata.uid));
        for (const [uid, object] of before) if (!kept.has(uid)) live(kind, object, true);
        for (const object of after) {
          const old = before.get(object.metadata.uid);
          if (!old || stateOf(old) !== stateOf(object)) live(kind, object, false);
        }
        kind.history.length = 0;
      }
      version = backup.version;
      oldest = version;
      restored.push(moment);
    },
  };
}

export type Store = ReturnType<typeof createStore>;

export function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** An object as text, whatever the order of its keys. */
export function stateOf(object: unknown): string {
  return JSON.stringify(sortKeys(object));
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}
