import type { Log } from '../../log.ts';
import type { HealthStatus, RunView, Runs } from '../runs/service.ts';
import type { RunTransition, TransitionStore } from './transitions.ts';

type Observation =
  | { uid: string; gone: true }
  | { uid: string; gone: false; at: number; to: HealthStatus; message: string | null };

export interface Recorder {
  /** Resolves when all that was seen so far is written. */
  written(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Writes down each change of health. What a run was last is looked up before its first transition, so that a restart
 * of the server invents none.
 */
export function startRecorder(runs: Pick<Runs, 'all' | 'subscribe'>, store: TransitionStore, log: Log): Recorder {
  const last = new Map<string, HealthStatus>();
  let seen: Observation[] = [];
  let writing = Promise.resolve();

  function observe(observation: Observation): void {
    seen.push(observation);
    if (seen.length === 1) writing = writing.then(write);
  }

  function observeRun({ uid, status }: RunView): void {
    observe({ uid, gone: false, at: status.since, to: status.health, message: status.message });
  }

  async function write(): Promise<void> {
    const batch = seen;
    seen = [];
    try {
      await lookUp(batch);
      await store.add(transitions(batch));
    } catch (error) {
      log.error({ err: error, count: batch.length }, 'health transitions could not be written');
    }
  }

  async function lookUp(batch: readonly Observation[]): Promise<void> {
    const unknown = new Set(batch.map(({ uid }) => uid).filter((uid) => !last.has(uid)));
    for (const [uid, newest] of await store.newest([...unknown], 1)) {
      for (const { to } of newest) last.set(uid, to);
    }
  }

  function transitions(batch: readonly Observation[]): RunTransition[] {
    const found: RunTransition[] = [];
    for (const seen of batch) {
      if (seen.gone) last.delete(seen.uid);
      else if (last.get(seen.uid) !== seen.to) {
        const { uid, at, to, message } = seen;
        found.push({ uid, at, from: last.get(uid) ?? null, to, message });
        last.set(uid, to);
      }
    }
    return found;
  }

  for (const run of runs.all()) observeRun(run);
  const unsubscribe = runs.subscribe(({ before, after }) => {
    if (before && before.uid !== after?.uid) observe({ uid: before.uid, gone: true });
    if (after && (before?.uid !== after.uid || before.status.health !== after.status.health)) observeRun(after);
  });

  return {
    written: () => writing,
    async stop() {
      unsubscribe();
      await writing;
    },
  };
}
