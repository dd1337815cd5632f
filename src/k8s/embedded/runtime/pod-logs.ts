import type { EmbeddedApi } from '../api/service.ts';
import type { LogStore } from './log-store.ts';

/** Answers the log subresource of Pods from the log files; a container that has not run yet has an empty log. */
export function servePodLogs(api: EmbeddedApi, logs: LogStore): void {
  api.servePodLogs({
    async *read({ uid }, { container = '', previous = false, sinceTime, tailLines, timestamps, follow, signal }) {
      const run = logs.latest(uid, container, previous);
      if (run === undefined) return;
      const since = sinceTime === undefined ? undefined : Date.parse(sinceTime);
      yield* logs.read(uid, container, run, { since, tailLines, timestamps, signal, follow: follow && !previous });
    },
  });
}
