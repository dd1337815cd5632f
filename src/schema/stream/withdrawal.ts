import { Auth } from '../../auth.ts';
import type { Place, Verb } from '../../caller.ts';
import type { Context } from '../../module.ts';

const everyMs = 4_000;

/**
 * Hands on what `source` gives for as long as the caller has the right that opened it. No decision, no access: then the
 * connection is ended (4403) and the source left.
 */
export function whileAllowed<T>(
  source: AsyncIterableIterator<T>,
  context: Context,
  verb: Verb,
  place: Place,
): AsyncIterableIterator<T> {
  const { caller, clock } = context;
  if (caller.local) return source;
  let over = false;
  let cancel = wait();
  const stop = (): void => {
    over = true;
    cancel();
  };

  function wait(): () => void {
    return clock.after(everyMs, () => void look());
  }

  async function look(): Promise<void> {
    // The context's own access is that of one request: it may remember.
    const access = context.use(Auth).access(caller);
    const allowed = await access.allows(verb, place).catch(() => false);
    if (over) return;
    if (allowed) {
      cancel = wait();
      return;
    }
    stop();
    context.end(4403, 'Rights have changed, subscribe again');
    await source.return?.();
  }

  return {
    async next() {
      try {
        const result = await source.next();
        if (result.done) stop();
        return result;
      } catch (error) {
        stop();
        throw error;
      }
    },
    return(value) {
      stop();
      return source.return?.(value) ?? Promise.resolve({ value: undefined, done: true });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
