import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { InvokeConfig } from './config.ts';
import type { History } from './history.ts';

const hour = 3_600_000;

export interface TidyParts {
  history: History;
  config: InvokeConfig;
  clock: Clock;
  log: Log;
}

/**
 * Ends what killed servers left in progress, and drops what is too old: now and every hour. Resolves with the function
 * that stops it.
 */
export async function keepTidy({ history, config, clock, log }: TidyParts): Promise<() => void> {
  const longest = Math.max(config.maxTimeoutMs, config.streamTimeoutMs) + hour;
  let cancel = () => {};
  const tidy = async (before: number) => {
    try {
      const abandoned = await history.abandon(before);
      if (abandoned > 0) log.warn({ abandoned }, 'calls that a stopped server left in progress are now CANCELLED');
      await history.sweep();
    } catch (error) {
      log.error({ err: error }, 'the history could not be tidied up');
    }
  };
  const again = () => {
    cancel = clock.after(hour, () => void tidy(clock.now() - longest).finally(again));
  };
  // In a file of our own nobody else is calling; in a shared database another replica may be.
  await tidy(config.historyUrl.startsWith('sqlite:') ? clock.now() + 1 : clock.now() - longest);
  again();
  return () => cancel();
}
