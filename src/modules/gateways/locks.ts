/** One at a time for each key; a task waits for all of its keys. */
export interface Locks {
  run<T>(keys: readonly string[], task: () => Promise<T>): Promise<T>;
}

export function createLocks(): Locks {
  const last = new Map<string, Promise<void>>();
  return {
    async run(keys, task) {
      const before = keys.flatMap((key) => last.get(key) ?? []);
      // Joined to every queue in one step, so two tasks never wait for each other.
      const turn = Promise.all(before).then(task);
      const done = turn.then(
        () => undefined,
        () => undefined,
      );
      for (const key of keys) last.set(key, done);
      try {
        return await turn;
      } finally {
        for (const key of keys) if (last.get(key) === done) last.delete(key);
      }
    },
  };
}
