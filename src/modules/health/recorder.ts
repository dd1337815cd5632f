import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { HealthStatus, RunView, Runs } from '../runs/service.ts';
import type { RunTransition, TransitionStore } from './transitions.ts';

type Observation =
  | { uid: string; gone: true }
  | { uid: string; gone: false; at: number; seenAt: number; to: HealthStatus; message: string | null };

/** What a run was last told to have become, and when. */
type Last = Pick<RunTransition, 'at' | 'to'>;

export interface Recorder {
  /** Resolves when all that was seen so far is written. */
  written(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Writes down each change of health. What a run was last is looked up before its first transition, so that a restart
 * of the server invents none.
 */
export function startRecorder(
  runs: Pick<Runs, 'all' | 'subscribe'>,
  store: TransitionStore,
  clock: Clock,
  log: Log,
): Recorder {
  const last = new Map<string, Last>();
  let seen: Observation[] = [];
  let writing = Promise.resolve();

  function observe(observation: Observation): void {
    seen.push(observation);
    if (seen.length === 1) writing = writing.then(write);
  }

  function observeRun({ uid, status }: RunView): void {
    observe({ uid, gone: false, at: status.since, seenAt: clock.now(), to: status.health, message: status.message });
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
      for (const { at, to } of newest) last.set(uid, { at, to });
    }
  }

  function transitions(batch: readonly Observation[]): RunTransition[] {
    const found: RunTransition[] = [];
    for (const seen of batch) {
      const { uid } = seen;
      const before = last.get(uid);
      if (seen.gone) last.delete(uid);
      else if (before?.to !== seen.to) {
        const { to, message } = seen;
        const at = before ? afterLast(before, seen) : seen.at;
        found.push({ uid, at, from: before?.to ?? null, to, message });
        last.set(uid, { at, to });
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

/**
 * A transition comes after the one before it. The cluster's times may say otherwise: they are whole seconds, and of what
 * changed while no server looked there may be only an older one.
 */
function afterLast(last: Last, { at, seenAt }: { at: number; seenAt: number }): number {
  if (at > last.at) return at;
  return last.at - at < 1000 ? last.at + 1 : Math.max(last.at + 1, seenAt - (seenAt % 1000));
}
