import { isDeepStrictEqual } from 'node:util';
import DataLoader from 'dataloader';
import type { Clock } from '../../clock.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import type { Log } from '../../log.ts';
import { type Stream, createStream } from '../../schema/stream.ts';
import type { RunView, Runs } from '../runs/service.ts';
import type { HealthConfig } from './config.ts';
import { startRecorder } from './recorder.ts';
import type { Health, HealthTransition } from './service.ts';
import type { TransitionStore } from './transitions.ts';

// Not at once: which runs are still there is known when the cluster's lists are in.
const firstPruneMs = 60_000;
const pruneEveryMs = 3_600_000;
const dayMs = 86_400_000;

/** Every run, then every change of its status. */
export function createHealthStream(
  runs: Pick<Runs, 'all' | 'subscribe' | 'includes' | 'known'>,
  cluster: Pick<Cluster, 'freshness'>,
  clock: Clock,
): Stream<RunView> {
  return createStream<RunView>({
    source: runs,
    known: () => runs.known(),
    id: (run) => run.id,
    uid: (run) => run.uid,
    changed: (before, after) =>
      !isDeepStrictEqual({ ...before.status, observedAt: 0 }, { ...after.status, observedAt: 0 }),
    terminal: ({ status: { state } }) => (state === 'ERROR' || state === 'COMPLETED' ? state : null),
    includes: (scope, run) => runs.includes(scope, run),
    freshness: cluster.freshness,
    clock,
  });
}

interface Parts {
  runs: Pick<Runs, 'all' | 'get' | 'known' | 'subscribe'>;
  store: TransitionStore;
  config: HealthConfig;
  clock: Clock;
  log: Log;
}

/** Keeps the transitions of all runs in the store. */
export function startHistory({ runs, store, config, clock, log }: Parts): {
  transitions: Health['transitions'];
  stop(): Promise<void>;
} {
  const recorder = startRecorder(runs, store, clock, log);
  const byRun = new DataLoader<{ uid: string; last: number }, HealthTransition[]>(
    async (wanted) => {
      await recorder.written();
      const most = Math.max(...wanted.map(({ last }) => last));
      const newest = await store.newest([...new Set(wanted.map(({ uid }) => uid))], most);
      return wanted.map(({ uid, last }) => newest.get(uid)?.slice(-last) ?? []);
    },
    { cache: false },
  );

  let [stopped, known] = [false, false];
  void runs.known().then(() => (known = true));
  let pruning = Promise.resolve();
  async function prune(): Promise<void> {
    // A run that was not judged yet is not gone.
    if (known) await drop();
    if (!stopped) cancel = clock.after(pruneEveryMs, begin);
  }
  async function drop(): Promise<void> {
    const live = new Set(Array.from(runs.all(), ({ uid }) => uid));
    const before = clock.now() - config.historyDays * dayMs;
    try {
      await store.prune({ before, perRun: config.historyPerRun, live: (uid) => live.has(uid) });
    } catch (error) {
      log.error({ err: error }, 'old health transitions could not be removed');
    }
  }
  function begin(): void {
    pruning = prune();
  }
  let cancel = clock.after(firstPruneMs, begin);

  return {
    transitions: async (runKey, last) => {
      const run = runs.get(runKey);
      return run ? byRun.load({ uid: run.uid, last }) : [];
    },
    async stop() {
      stopped = true;
      cancel();
      await Promise.all([recorder.stop(), pruning]);
      await store.close();
    },
  };
}
