import type { Clock } from '../clock.ts';
import type { KubeObject } from './resources.ts';

interface Waiter {
  version: string | undefined;
  deleted: boolean;
  resolve(seen: boolean): void;
}

/** At least so many. */
const remembered = 2048;

/** What a cache has seen of late, so that a write can be awaited though a later one came first. */
export function createSightings(clock: Clock) {
  const versions = createMemory();
  const gone = createMemory();
  const waiters = new Map<string, Set<Waiter>>();

  function answer(uid: string, when: (waiter: Waiter) => boolean): void {
    for (const waiter of [...(waiters.get(uid) ?? [])]) if (when(waiter)) waiter.resolve(true);
  }

  return {
    saw({ metadata }: KubeObject): void {
      const { uid = '', resourceVersion, deletionTimestamp } = metadata;
      versions.add(`${uid}/${resourceVersion}`);
      answer(uid, ({ deleted, version }) => (deleted ? deletionTimestamp !== undefined : version === resourceVersion));
    },

    /** The object is gone: whatever was written to it has been seen. */
    lost({ metadata: { uid = '' } }: KubeObject): void {
      gone.add(uid);
      answer(uid, () => true);
    },

    wait({ metadata }: KubeObject, deleted: boolean, timeoutMs: number): Promise<boolean> {
      const { uid = '', resourceVersion: version } = metadata;
      if (gone.has(uid) || (!deleted && versions.has(`${uid}/${version}`))) return Promise.resolve(true);
      return new Promise((resolve) => {
        const present = waiters.get(uid) ?? new Set();
        waiters.set(uid, present);
        const cancel = clock.after(timeoutMs, () => waiter.resolve(false));
        const waiter: Waiter = {
          version,
          deleted,
          resolve(seen) {
            cancel();
            present.delete(waiter);
            if (present.size === 0 && waiters.get(uid) === present) waiters.delete(uid);
            resolve(seen);
          },
        };
        present.add(waiter);
      });
    },
  };
}

/** The newest values, up to twice as many as must be. A Set from which the oldest is taken each time is slow in V8. */
function createMemory() {
  let [newer, older] = [new Set<string>(), new Set<string>()];
  return {
    add(value: string): void {
      newer.add(value);
      if (newer.size >= remembered) [newer, older] = [new Set(), newer];
    },
    has: (value: string) => newer.has(value) || older.has(value),
  };
}
