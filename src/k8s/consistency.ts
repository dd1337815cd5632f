import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { KubeList, ListOptions } from './cluster.ts';
import { sleep, within } from './deadline.ts';
import type { KubeObject } from './resources.ts';

const pageSize = 500;
const pageTimeoutMs = 60_000;

/** What can be compared of many objects: how many there are, and which, in which versions, in any order. */
export interface Digest {
  count: number;
  hash: number;
}

/** What a cache holds, and up to which version of the server that is. */
export interface Held extends Digest {
  resourceVersion: string;
}

export interface ConsistencyOptions<T extends KubeObject> {
  /** One page of the kind. */
  page: (options: ListOptions) => Promise<KubeList<T>>;
  wants: (object: T) => boolean;
  /** Null while there is nothing to compare: the watch is down. */
  held: () => Held | null;
  everyMs: number;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  signal: AbortSignal;
  log: Log;
  /** The two were compared. */
  compared: (equal: boolean) => void;
}

/**
 * Every so often compares what a cache holds with a list of the very version that it holds: a change that no watch told, or
 * that we lost, shows by that. Only the number of objects and a hash of their versions are kept of the list.
 */
export async function watchConsistency<T extends KubeObject>(options: ConsistencyOptions<T>): Promise<void> {
  const { held, everyMs, clock, random, signal, log, compared } = options;
  // Not all kinds, nor all replicas, at once.
  await sleep(clock, everyMs * (0.5 + random() / 2), signal);
  while (!signal.aborted) {
    const now = held();
    if (now) {
      try {
        const there = await digestAt(options, now.resourceVersion);
        const equal = there.count === now.count && there.hash === now.hash;
        if (!equal) log.error({ held: now.count, listed: there.count }, 'the cache is not what the API server holds');
        compared(equal);
      } catch (error) {
        // The server may not keep that version any more, or be away: the next time will tell.
        if (!signal.aborted) log.debug({ err: error }, 'the cache could not be compared with a list');
      }
    }
    await sleep(clock, everyMs, signal);
  }
}

async function digestAt<T extends KubeObject>(options: ConsistencyOptions<T>, version: string): Promise<Digest> {
  const { page, wants, clock, signal } = options;
  const of = createDigest();
  let next: string | undefined;
  do {
    const where = next === undefined ? { at: version } : { continue: next };
    const part = await within({ clock, signal, ms: pageTimeoutMs }, (signal) =>
      page({ limit: pageSize, ...where, signal }),
    );
    for (const object of part.items) if (wants(object)) of.add(object);
    next = part.metadata.continue || undefined;
  } while (next !== undefined && !signal.aborted);
  return of.digest;
}

export function digestOf(objects: Iterable<KubeObject>): Digest {
  const of = createDigest();
  for (const object of objects) of.add(object);
  return of.digest;
}

function createDigest() {
  const digest: Digest = { count: 0, hash: 0 };
  return {
    digest,
    add({ metadata: { uid, namespace, name, resourceVersion } }: KubeObject): void {
      digest.count += 1;
      // A sum does not depend on the order.
      digest.hash = (digest.hash + hashOf(`${uid ?? `${namespace}/${name}`} ${resourceVersion}`)) % 2 ** 52;
    },
  };
}

/** FNV-1a twice with different beginnings: 52 bits of it. */
function hashOf(text: string): number {
  let [one, other] = [0x811c9dc5, 0x7ee3623a];
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    one = Math.imul(one ^ code, 0x01000193);
    other = Math.imul(other ^ code, 0x01000193);
  }
  return (one >>> 0) * 2 ** 20 + ((other >>> 0) & 0xfffff);
}
