import type { Clock } from '../../../clock.ts';

/** Work by key: one run at a time per key, changes during a run cause one more, failures are tried again later. */
export interface WorkQueue {
  add(key: string): void;
  /** Adds the key after `ms`, unless it is due earlier anyway. */
  addAfter(key: string, ms: number): void;
  /** Resolves when no work is under way or due at once. */
  idle(): Promise<void>;
  /** Takes no more work and resolves when the present work is done. */
  stop(): Promise<void>;
}

export interface WorkQueueOptions {
  clock: Clock;
  work: (key: string) => Promise<void>;
  /** Told of every failure; the key is tried again by itself. */
  failed: (key: string, error: unknown) => void;
}

const firstRetryMs = 5;
const maxRetryMs = 30_000;

export function createWorkQueue({ clock, work, failed }: WorkQueueOptions): WorkQueue {
  const dirty = new Set<string>();
  const active = new Map<string, Promise<void>>();
  const timers = new Map<string, { at: number; cancel: () => void }>();
  const failures = new Map<string, number>();
  let stopped = false;

  async function attempt(key: string): Promise<void> {
    try {
      await work(key);
      failures.delete(key);
    } catch (error) {
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      failed(key, error);
      addAfter(key, Math.min(firstRetryMs * 2 ** count, maxRetryMs));
    }
  }

  async function run(key: string): Promise<void> {
    // What caused the work finishes first, so several changes in one go are one run.
    await Promise.resolve();
    while (!stopped && dirty.delete(key)) await attempt(key);
    active.delete(key);
  }

  function add(key: string): void {
    if (stopped) return;
    dirty.add(key);
    if (!active.has(key)) active.set(key, run(key));
  }

  function addAfter(key: string, ms: number): void {
    if (stopped) return;
    const at = clock.now() + ms;
    const present = timers.get(key);
    if (present && present.at <= at) return;
    present?.cancel();
    const cancel = clock.after(ms, () => {
      timers.delete(key);
      add(key);
    });
    timers.set(key, { at, cancel });
  }

  return {
    add,
    addAfter,
    async idle() {
      while (active.size > 0) await Promise.all(active.values());
    },
    async stop() {
      stopped = true;
      for (const timer of timers.values()) timer.cancel();
      timers.clear();
      await Promise.all(active.values());
    },
  };
}
