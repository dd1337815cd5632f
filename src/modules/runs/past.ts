import type { HealthStatus, Millis, RunView } from './service.ts';

/** As long as somebody may take to page through a list. */
const keptMs = 15 * 60_000;
/** Of one run; a run that changes more often is shown where it was then. */
const mostEntries = 50;

type Then = Pick<RunView['status'], 'health' | 'since'>;

/** The health that runs had a short time ago. */
export interface Past {
  /** A time for `at`: what happens from now on comes after it, also within the same millisecond. */
  now(): Millis;
  changed(before: RunView, after: RunView): void;
  forget(key: string): void;
  at(run: RunView, at: Millis): Then;
}

export function createPast(clock: () => Millis): Past {
  const entries = new Map<string, { until: Millis; health: HealthStatus; since: Millis }[]>();
  let latest = 0;
  return {
    now() {
      latest = Math.max(latest, clock());
      return latest;
    },
    changed({ key, status: { health, since } }, { status: after }) {
      if (after.health === health && after.since === since) return;
      const until = Math.max(clock(), latest + 1);
      const kept = (entries.get(key) ?? []).filter((entry) => entry.until > until - keptMs).slice(1 - mostEntries);
      entries.set(key, [...kept, { until, health, since }]);
    },
    forget: (key) => void entries.delete(key),
    at: (run, at) => entries.get(run.key)?.find(({ until }) => until > at) ?? run.status,
  };
}
