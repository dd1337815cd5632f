import { isDeepStrictEqual } from 'node:util';
import { SlipwayError } from '../../errors.ts';
import type { Clock } from '../../clock.ts';
import type { Cache, Cluster } from '../../k8s/cluster.ts';
import { type KubeObject, type Resource, deployments, services } from '../../k8s/resources.ts';
import { createSharing } from '../../k8s/sharing.ts';
import type { Log } from '../../log.ts';
import { localPart } from '../../schema/ids.ts';
import { createAssembly } from './assembly.ts';
import { createMatcher } from './filter.ts';
import { createPast } from './past.ts';
import type { Millis, RunChange, RunSource, RunView, Runs } from './service.ts';
import { createSightings } from './sightings.ts';
import { type ViewSettings, runTypename, view } from './view.ts';

export interface RunsParts {
  cluster: Cluster;
  clock: Clock;
  log: Log;
  settings: ViewSettings;
  sources: readonly RunSource[];
  /** So long runs are judged before others get their turn. @default 4 */
  longestPassMs?: number;
}

/** The service with what its module needs to start and stop it. */
export interface RunningRuns extends Runs {
  /** False until every run was judged for the first time. */
  readonly started: boolean;
  stop(): void;
}

/** Keeps one view per run: what happens costs as much as the runs it touches, however many there are. */
export function createRuns({ cluster, clock, log, settings, sources, longestPassMs = 4 }: RunsParts): RunningRuns {
  const sightings = createSightings(settings.restartWindowMs, () => clock.now());
  const assembly = createAssembly(cluster, sources, sightings);
  const sharing = createSharing(1 << 15);
  const views = new Map<string, RunView>();
  const past = createPast(() => clock.now());
  const timers = new Map<string, () => void>();
  const listeners = new Set<(change: RunChange) => void>();
  const dirty = new Set<string>();
  let scheduled: NodeJS.Immediate | null = null;
  const known = Promise.withResolvers<void>();
  // Before the first lists of all kinds are in, what is missing might only not be listed yet.
  let [listed, started, stopped, revision] = [false, false, false, 0];

  const mark = (key: string): void => {
    if (stopped) return;
    dirty.add(key);
    scheduled ??= setImmediate(flush);
  };
  const share = ({ spec, status, pods }: RunView): void => [spec, status, pods].forEach((part) => sharing.share(part));
  const emit = (change: Omit<RunChange, 'revision'>): void => {
    revision++;
    for (const listener of listeners) {
      try {
        listener({ ...change, revision });
      } catch (error) {
        log.error({ err: error, run: change.key }, 'a listener to runs failed');
      }
    }
  };
  const update = (key: string): void => {
    timers.get(key)?.();
    timers.delete(key);
    const before = views.get(key);
    const collected = assembly.collect(key);
    if (!collected) {
      views.delete(key);
      past.forget(key);
      if (before) emit({ key, before });
      return;
    }
    const now = clock.now();
    const after = withSince(before, view(collected.objects, collected.identity, now, settings), now);
    // Most runs are well and alike: what they have in common, and what did not change of this one, is kept once.
    if (before) share(before);
    share(after);
    views.set(key, after);
    if (before) past.changed(before, after);
    if (after.changesAt !== null) {
      timers.set(
        key,
        clock.after(Math.max(1, after.changesAt - now), () => mark(key)),
      );
    }
    if (!before) emit({ key, after });
    else if (isAnother(before, after)) {
      emit({ key, before });
      emit({ key, after });
    } else if (!looksEqual(before, after)) emit({ key, before, after });
  };
  const judge = (key: string): void => {
    dirty.delete(key);
    try {
      update(key);
    } catch (error) {
      log.error({ err: error, run: key }, 'a run could not be judged');
    }
  };
  // One pass for all events of a tick: a rollout or a relist recomputes each run once. A long one is done in parts.
  const flush = (): void => {
    scheduled = null;
    const began = performance.now();
    for (const key of dirty) {
      judge(key);
      if (performance.now() - began > longestPassMs) break;
    }
    if (dirty.size > 0) scheduled ??= setImmediate(flush);
    else if (!started) {
      started = true;
      known.resolve();
    }
  };

  let stopWatching = () => {};
  // Answers may be reused while the revision is the same, and staleness is part of them.
  const stopFreshness = cluster.freshness.subscribe(() => void revision++);
  const begin = (): void => {
    if (stopped) return;
    listed = true;
    // Not sooner: what comes with the first lists is judged as a whole.
    stopWatching = assembly.watch(mark);
    for (const key of assembly.keys()) dirty.add(key);
    flush();
  };
  cluster.synced().then(begin, (error: unknown) => log.error({ err: error }, 'the cluster was not listed'));

  const whenKnown = (): Promise<boolean> => {
    if (started) return Promise.resolve(true);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const look = () => {
      if (!listed && cluster.freshness.state === 'STALE') resolve(false);
    };
    const forget = cluster.freshness.subscribe(look);
    look();
    void known.promise.then(() => resolve(true));
    return promise.finally(forget);
  };

  const byId = (id: string): RunView | undefined => {
    const local = localPart(runTypename, id);
    const run = local === null ? undefined : views.get(local);
    // The same bytes can be written in more than one way; only one of them is the id.
    return run?.id === id ? run : undefined;
  };

  return {
    get revision() {
      return revision;
    },
    get started() {
      return started;
    },
    known: () => known.promise,
    whenKnown,
    get: (key) => views.get(key),
    byId,
    byService(namespace, name) {
      const key = assembly.keyOfService(namespace, name);
      return key === null ? undefined : views.get(key);
    },
    all: () => views.values(),
    async visible(id, access, field = 'id') {
      if (!started && !(await whenKnown())) throw notKnown(cluster.freshness);
      const run = byId(id);
      if (run && (await access.allows('see', run))) return run;
      throw noSuchRun(field);
    },
    matcher: (filter, field = 'filter') => createMatcher(filter, field),
    now: () => past.now(),
    statusAt: (run, at) => past.at(run, at),
    includes: (scope, run) => scope.includes(run),
    subscribe(listener) {
      // A listener of its own for each call, so that the same function may subscribe twice.
      const own = (change: RunChange) => listener(change);
      listeners.add(own);
      return () => listeners.delete(own);
    },
    async after(written, key, options) {
      const cache = cacheOf(cluster, written);
      await cache?.seen(written, options);
      // What was written is in the cache now, so nothing is lost when its event came before.
      judge(key);
      return views.get(key);
    },
    stop() {
      stopped = true;
      stopWatching();
      assembly.stop();
      stopFreshness();
      for (const cancel of timers.values()) cancel();
      timers.clear();
      listeners.clear();
      if (scheduled) clearImmediate(scheduled);
    },
  };
}

function cacheOf(cluster: Cluster, object: KubeObject): Cache<KubeObject> | null {
  const kinds: readonly Resource[] = [deployments, services];
  const resource = kinds.find((candidate) => candidate.kind === object.kind);
  return resource ? cluster.cache(resource) : null;
}

/** Absent and not visible are the same answer. */
export function noSuchRun(field: string): SlipwayError {
  return new SlipwayError('NOT_FOUND', 'There is no such service run, or you may not see it.', { field });
}

/** Why nothing can be said of the runs yet. */
export function notListed(freshness: Pick<Cluster['freshness'], 'watches'>): string {
  const why = freshness.watches().find(({ synced, error }) => !synced && error !== null)?.error;
  return `the cluster has not been listed yet${why ? `: ${why}` : ''}.`;
}

/** To whoever asks for one of them: whether it is there can't be said. */
export function notKnown(freshness: Pick<Cluster['freshness'], 'watches'>): SlipwayError {
  const message = `The runs are not known: ${notListed(freshness)} Try again in a moment.`;
  return new SlipwayError('UNAVAILABLE', message, { reason: 'NOT_LISTED' });
}

/** Deleted and made again under the same key: two runs, never a change of one. */
function isAnother(before: RunView, after: RunView): boolean {
  const [old, now] = [before.objects, after.objects];
  if (old.workload && now.workload) return old.workload.metadata.uid !== now.workload.metadata.uid;
  return before.uid !== after.uid && !old.workload && !now.workload;
}

/** The cluster's times may be older than what was seen: a Service that is gone says no longer since when. */
const contradictionMs = 5000;

/**
 * Health has its value since when the objects say, unless this server saw another value after that: then since now. While it
 * stays the same it does not begin anew, though one reason takes the place of another.
 */
function withSince(before: RunView | undefined, after: RunView, now: Millis): RunView {
  if (!before || isAnother(before, after)) return after;
  const [was, is] = [before.status, after.status];
  if (was.health === is.health) return is.since === was.since ? after : withStatusSince(after, was.since);
  const told = is.since > was.since || (is.since === was.since && now - is.since < contradictionMs);
  // Whole seconds, as Kubernetes' own times are.
  return told ? after : withStatusSince(after, Math.max(was.since, now - (now % 1000)));
}

function withStatusSince(run: RunView, since: Millis): RunView {
  return { ...run, status: { ...run.status, since } };
}

/** Nothing that callers see is different: the raw objects and the times of looking and of looking again don't count. */
function looksEqual(before: RunView, after: RunView): boolean {
  const seen = (run: RunView) => ({ ...run, objects: null, changesAt: 0, status: { ...run.status, observedAt: 0 } });
  return isDeepStrictEqual(seen(before), seen(after));
}
