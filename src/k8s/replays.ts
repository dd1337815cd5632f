const remembered = 1024;

/** What a watch has brought of late: a server may send it again after a resume, and that must not undo what came since. */
export interface Replays {
  /** True the first time. */
  isNew(change: string): boolean;
  clear(): void;
}

export function createReplays(): Replays {
  const changes = new Set<string>();
  return {
    isNew(change) {
      if (changes.has(change)) return false;
      changes.add(change);
      if (changes.size > remembered) {
        const [oldest] = changes;
        if (oldest !== undefined) changes.delete(oldest);
      }
      return true;
    },
    clear: () => changes.clear(),
  };
}

const decimal = /^[1-9]\d*$/;

/**
 * True when a resourceVersion is surely older than another of the same kind: they rise, except after a restore of etcd.
 * It is only used to notice a server that has gone back in time, never to put objects in order.
 */
export function isOlder(version: string, than: string): boolean {
  if (!decimal.test(version) || !decimal.test(than)) return false;
  return version.length === than.length ? version < than : version.length < than.length;
}
