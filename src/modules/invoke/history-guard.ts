import { SlipwayError } from '../../errors.ts';
import type { History } from './history.ts';

/** What callers ask of the history is UNAVAILABLE while its database is: no error of the database reaches them. */
export function guardHistory(history: History): History {
  const guard =
    <A extends unknown[], R>(ask: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      try {
        return await ask(...args);
      } catch (error) {
        if (error instanceof SlipwayError) throw error;
        throw new SlipwayError('UNAVAILABLE', 'The history of calls can not be reached now. Try again later.', {
          reason: 'HISTORY_UNAVAILABLE',
          cause: error,
        });
      }
    };
  return {
    ...history,
    get: guard(history.get),
    bodies: guard(history.bodies),
    page: guard(history.page),
    delete: guard(history.delete),
    claim: guard(history.claim),
    claimed: guard(history.claimed),
  };
}
