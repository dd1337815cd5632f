import type { Cache, CacheEvent } from '../../src/k8s/cluster.ts';
import type { KubeObject } from '../../src/k8s/resources.ts';
import { type Life, stateOf } from './api-server/store.ts';

/** What of the server's record the oracle judges by. */
export interface Truth {
  /** All that ever was, by uid, in order. */
  readonly lives: ReadonlyMap<string, readonly Life[]>;
  /** The moments of which whole lists were given: a list may skip what was before it. */
  readonly listed: readonly number[];
  /** The moments at which a backup was restored: what was undone before anybody was told may never be told. */
  readonly restored: readonly number[];
}

interface State {
  moment: number;
  state: string | null;
}

/** Only a list may leave out what was before it: one of just this state, or from when there was nothing to tell. */
function tellsNothingElse(life: readonly State[], list: number, told: State): boolean {
  const state = life.findLast(({ moment }) => moment <= list)?.state ?? null;
  return state === told.state || (state === null && list < told.moment);
}

/**
 * Compares each event of a cache with what the server really held: nothing may be invented, come twice, come back or go
 * back in time, and nothing may be skipped but by a list.
 */
export function watchWithOracle<T extends KubeObject>(
  cache: Pick<Cache<T>, 'subscribe'>,
  truth: Truth,
  wants: (object: T) => boolean = () => true,
) {
  const present = new Map<string, T>();
  const names = new Map<string, string>();
  const last = new Map<string, number>();
  const problems: string[] = [];
  const ended = new Map<string, number>();
  const counts = { ADDED: 0, MODIFIED: 0, DELETED: 0 };

  function lifeOf(uid: string): State[] {
    // What nobody wants is as good as not there.
    return (truth.lives.get(uid) ?? []).map(({ moment, state, object }) => ({
      moment,
      state: object !== null && wants(object as T) ? state : null,
    }));
  }

  /** Finds the state in the server's record, from where the last event of this uid was found. */
  function follow(uid: string, state: string | null, what: string): void {
    const from = last.get(uid) ?? 0;
    const life = lifeOf(uid);
    const at = life.findIndex((one) => one.moment > from && one.state === state);
    const found = life[at];
    if (!found) {
      problems.push(`${what}: the server held no such state any more, or never`);
      return;
    }
    for (const [index, { moment, state: held }] of life.slice(0, at).entries()) {
      if (moment <= from || held === null) continue;
      const over = life[index + 1]?.moment ?? Number.POSITIVE_INFINITY;
      const excused = truth.listed.some((list) => list >= over && tellsNothingElse(life, list, found));
      if (!excused && !truth.restored.some((later) => later >= moment))
        problems.push(`${what}: the change of ${moment} was lost`);
    }
    last.set(uid, found.moment);
  }

  function judge(event: CacheEvent<T>): void {
    const { type, object } = event;
    const { uid = '', name, namespace } = object.metadata;
    const key = `${namespace}/${name}`;
    const what = `${type} ${name} ${uid}`;
    counts[type] += 1;
    const held = present.get(uid);
    if (type === 'ADDED') {
      if (held) problems.push(`${what}: it is there already`);
      if (names.has(key)) problems.push(`${what}: ${names.get(key)} still has the name`);
    } else if (!held) problems.push(`${what}: it is not there`);
    if (type === 'MODIFIED' && event.previous !== held) problems.push(`${what}: its previous is another`);
    if (type === 'DELETED') {
      ended.set(uid, (ended.get(uid) ?? 0) + 1);
      follow(uid, null, what);
      present.delete(uid);
      names.delete(key);
      return;
    }
    follow(uid, stateOf(object), what);
    present.set(uid, object);
    names.set(key, uid);
  }

  cache.subscribe(judge);
  return {
    problems,
    counts,
    /** Uids that the cache told of and that the server does not hold any more, without the end being told. */
    missedEnds: (): string[] =>
      [...present.keys()].filter((uid) => lifeOf(uid).at(-1)?.state === null || !truth.lives.has(uid)),
    present: () => [...present.values()],
  };
}
