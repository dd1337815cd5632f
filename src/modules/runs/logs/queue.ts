/** A bounded queue between several writers and one reader. */
export interface Queue<T> extends AsyncIterableIterator<T> {
  /** Resolves when there is room: true when the item was taken in, false when nobody reads any more. */
  put(item: T): Promise<boolean>;
  /** The reader gets what is left, then the end or the error. */
  end(error?: unknown): void;
  return(): Promise<IteratorResult<T>>;
}

/**
 * A full queue makes its writers wait, and through them the cluster. `closed` runs once, at the end or as soon as the reader
 * leaves, also while it waits.
 */
export function createQueue<T>(limit: number, closed: () => void): Queue<T> {
  const items: T[] = [];
  const writers: (() => void)[] = [];
  let reader: { resolve: (result: IteratorResult<T>) => void; reject: (error: unknown) => void } | null = null;
  let finished: { error?: unknown } | null = null;
  let left = false;

  const isFull = (): boolean => items.length >= limit && !left && !finished;
  const done = { done: true as const, value: undefined };
  const settle = (): void => {
    if (!reader) return;
    const { resolve, reject } = reader;
    const [item] = items.splice(0, 1);
    if (item !== undefined) resolve({ done: false, value: item });
    else if (finished && 'error' in finished) {
      const { error } = finished;
      finished = {};
      reject(error);
    } else if (finished || left) resolve(done);
    else return;
    reader = null;
    writers.shift()?.();
  };
  const release = (): void => {
    for (const wake of writers.splice(0)) wake();
  };

  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async put(item) {
      while (isFull()) await new Promise<void>((resolve) => writers.push(resolve));
      if (left || finished) return false;
      items.push(item);
      settle();
      return true;
    },
    end(error) {
      if (finished || left) return;
      finished = error === undefined ? {} : { error };
      closed();
      release();
      settle();
    },
    next: () =>
      new Promise<IteratorResult<T>>((resolve, reject) => {
        reader = { resolve, reject };
        settle();
      }),
    async return() {
      if (!left) {
        left = true;
        items.length = 0;
        if (!finished) closed();
        release();
        settle();
      }
      return done;
    },
  };
}
