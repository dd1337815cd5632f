import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { nextTurn, turnIsOver } from '../turns.ts';
import { crowdOf } from './admission.ts';
import type { Cache, CacheEvent } from './cluster.ts';
import { type Digest, digestOf } from './consistency.ts';
import type { KubeObject, Resource } from './resources.ts';
import { createSightings } from './sightings.ts';

/** The side of a cache that reflectors write to. */
export interface CacheWriter<T extends KubeObject> {
  /**
   * What a list gave for this namespace, or for all: what is not in it is gone. `compare`: the same resourceVersion does
   * not mean the same object. A long one is done in parts, which are told as they come: nobody else may write meanwhile what
   * is in this namespace.
   */
  replace(objects: readonly T[], namespace?: string, options?: { compare: boolean }): Promise<void>;
  /** A watch event. Changes that are none (the same resourceVersion) make no event. */
  put(object: T): void;
  remove(object: T): void;
  /** What is kept under the name of this object. */
  held(object: T): T | undefined;
  /** How many are kept of this namespace, or of all. */
  count(namespace?: string): number;
  /** What is kept of this namespace, or of all; null where that is not all that is wanted. */
  digest(namespace?: string): Digest | null;
  wants(object: T): boolean;
}

export interface CacheOptions<T extends KubeObject> {
  resource: Resource<T>;
  /** Objects that nobody wants are not kept. */
  wants: (object: T) => boolean;
  /** Whether the first list of every namespace is in. */
  synced: () => boolean;
  clock: Clock;
  log: Log;
}

export function createCache<T extends KubeObject>({ resource, wants, synced, clock, log }: CacheOptions<T>) {
  /** By namespace and name: no texts made for keys, which would be a copy of both for each object. */
  const places = new Map<string, Map<string, T>>();
  let size = 0;
  const indexes = new Map<string, Index<T>>();
  const sightings = createSightings(clock);
  let listeners: readonly ((event: CacheEvent<T>) => void)[] = [];

  const crowd = crowdOf(resource);
  const crowds = crowd && addIndex('crowd', (object) => [crowd.key(object)]);

  function addIndex(name: string, keys: (object: T) => readonly string[]): Index<T> {
    const present = indexes.get(name);
    if (present) return present;
    const index = createIndex((object: T) => guarded(() => keys(object), []));
    for (const object of all()) index.add(object);
    indexes.set(name, index);
    return index;
  }

  // Made when first asked: of most kinds nobody does.
  const byUid = () => addIndex('uid', (object) => [uidOf(object)]);
  const byOwner = () =>
    addIndex('owner', (object) => (object.metadata.ownerReferences ?? []).map((owner) => owner.uid));
  const withUid = (uid: string): T | undefined => {
    for (const object of byUid().get(uid)) return object;
    return undefined;
  };

  function* all(): Generator<T> {
    for (const named of places.values()) yield* named.values();
  }

  const heldAs = ({ metadata }: KubeObject): T | undefined => places.get(metadata.namespace ?? '')?.get(metadata.name);
  const list = (namespace?: string): Iterable<T> =>
    namespace === undefined ? all() : (places.get(namespace)?.values() ?? []);

  /** What modules gave us to call must not stop the watch. */
  function guarded<R>(call: () => R, otherwise: R): R {
    try {
      return call();
    } catch (error) {
      complain(error);
      return otherwise;
    }
  }

  function complain(error: unknown): void {
    log.error({ err: error, resource: resource.plural }, "a module's function for the cache failed");
  }

  function emit(event: CacheEvent<T>): void {
    for (const listener of listeners) {
      const answer: unknown = guarded(() => listener(event), undefined);
      // An async function passes for one that returns nothing; its rejection would end the process.
      if (answer instanceof Promise) answer.catch(complain);
    }
  }

  function store(object: T, previous: T | undefined): void {
    if (previous) for (const index of indexes.values()) index.remove(previous);
    const { namespace = '', name } = object.metadata;
    const named = places.get(namespace) ?? new Map<string, T>();
    places.set(namespace, named);
    if (!named.has(name)) size += 1;
    named.set(name, object);
    for (const index of indexes.values()) index.add(object);
  }

  /** `last` is what is told: the object as it was in the end, which the indexes do not know. */
  function drop(held: T, last: T = held): void {
    const { namespace = '', name } = held.metadata;
    const named = places.get(namespace);
    if (named?.delete(name)) size -= 1;
    if (named?.size === 0) places.delete(namespace);
    for (const index of indexes.values()) index.remove(held);
    emit({ type: 'DELETED', object: last });
  }

  function put(object: T, compare = false): void {
    sightings.saw(object);
    const held = heldAs(object);
    // The same name with another uid is another object: its predecessor's end was missed.
    if (held && uidOf(held) !== uidOf(object)) {
      sightings.lost(held);
      drop(held);
    }
    const previous = held && uidOf(held) === uidOf(object) ? held : undefined;
    if (previous && sameVersion(previous, object) && !(compare && !isDeepStrictEqual(previous, object))) return;
    if (!writer.wants(object)) {
      if (previous) drop(previous, object);
      return;
    }
    const surplus = previous ? null : surplusFor(object);
    if (surplus === object) return;
    store(object, previous);
    emit(previous ? { type: 'MODIFIED', object, previous } : { type: 'ADDED', object });
    if (surplus) drop(surplus);
  }

  /** Of a full crowd and its newcomer: the one that must go. */
  function surplusFor(newcomer: T): T | null {
    if (!crowd || !crowds) return null;
    const present = [...crowds.get(crowd.key(newcomer))];
    if (present.length < crowd.limit) return null;
    return present.reduce((oldest, object) => (crowd.time(object) < crowd.time(oldest) ? object : oldest), newcomer);
  }

  function remove(object: T): void {
    sightings.lost(object);
    const held = heldAs(object);
    // A late end of a predecessor says nothing about the object that has the name now.
    if (!held || uidOf(held) !== uidOf(object)) return;
    drop(held, object);
  }

  const writer: CacheWriter<T> = {
    put: (object) => put(object),
    remove,
    async replace(listed, namespace, { compare } = { compare: false }) {
      const present = new Set(listed.map(uidOf));
      for (const object of [...list(namespace)]) {
        if (present.has(uidOf(object))) continue;
        sightings.lost(object);
        drop(object);
        if (turnIsOver()) await nextTurn();
      }
      for (const object of listed) {
        put(object, compare);
        if (turnIsOver()) await nextTurn();
      }
    },
    held: heldAs,
    count: (namespace) => (namespace === undefined ? size : (places.get(namespace)?.size ?? 0)),
    digest: (namespace) => (crowd ? null : digestOf(list(namespace))),
    wants: (object) => guarded(() => wants(object), true),
  };

  const cache: Cache<T> = {
    resource,
    get synced() {
      return synced();
    },
    get size() {
      return size;
    },
    get: (namespace, name) => places.get(namespace ?? '')?.get(name),
    byUid: withUid,
    list,
    namespaces: () => places.keys(),
    byOwner: (uid) => byOwner().get(uid),
    index(name, keys) {
      const index = addIndex(`own:${name}`, keys);
      return (key) => index.get(key);
    },
    subscribe(listener) {
      const own = (event: CacheEvent<T>) => listener(event);
      listeners = [...listeners, own];
      return () => {
        listeners = listeners.filter((other) => other !== own);
      };
    },
    seen(object, { timeoutMs = 2000, deleted = false } = {}) {
      const held = withUid(uidOf(object));
      const now = deleted ? synced() && (!held || isTerminating(held)) : held && sameVersion(held, object);
      return now ? Promise.resolve(true) : sightings.wait(object, deleted, timeoutMs);
    },
  };

  return { cache, writer };
}

interface Index<T> {
  add(object: T): void;
  remove(object: T): void;
  get(key: string): Iterable<T>;
}

/** Objects by key, and within a key by uid. Most keys have one object, for which a Map would be the larger part. */
function createIndex<T extends KubeObject>(keys: (object: T) => readonly string[]): Index<T> {
  const entries = new Map<string, T | Map<string, T>>();
  return {
    add(object) {
      for (const key of keys(object)) {
        const under = entries.get(key);
        if (under instanceof Map) under.set(uidOf(object), object);
        else if (!under || uidOf(under) === uidOf(object)) entries.set(key, object);
        else entries.set(key, new Map([under, object].map((one) => [uidOf(one), one])));
      }
    },
    remove(object) {
      for (const key of keys(object)) {
        const under = entries.get(key);
        if (under instanceof Map) {
          under.delete(uidOf(object));
          if (under.size === 0) entries.delete(key);
        } else if (under && uidOf(under) === uidOf(object)) entries.delete(key);
      }
    },
    get(key) {
      const under = entries.get(key);
      return under instanceof Map ? under.values() : under ? [under] : [];
    },
  };
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** Every stored object has a uid; the name stands in where a server gives none. */
export function uidOf(object: KubeObject): string {
  return object.metadata.uid ?? keyOf(object);
}

/** resourceVersions are opaque: equal or not is all they say. */
function sameVersion(one: KubeObject, other: KubeObject): boolean {
  const version = one.metadata.resourceVersion;
  return version !== undefined && version === other.metadata.resourceVersion;
}

function isTerminating(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}
