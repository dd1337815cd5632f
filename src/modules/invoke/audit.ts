import type { Log } from '../../log.ts';
import type { RunView } from '../runs/service.ts';
import type { Entry } from './entry.ts';

/** One log line for each call, made or refused: who, what and how it went; no bodies, headers or query. */
export function audit(log: Log, mutation: string, run: RunView, entry: Entry): void {
  const { request, response, timings } = entry;
  const [path] = request.url.replace(/^[a-z]+:\/\/[^/?#]*/i, '').split(/[?#]/, 1);
  log.info(
    {
      audit: mutation,
      decision: entry.outcome === 'REFUSED' ? 'refuse' : 'allow',
      caller: entry.caller,
      run: run.uid,
      serviceRun: run.key,
      method: request.method,
      path,
      outcome: entry.outcome,
      errorCode: entry.errorCode,
      status: response?.status ?? null,
      requestBytes: request.bodyBytes,
      responseBytes: response?.bodyBytes ?? null,
      ms: timings.totalMs === null ? null : Math.round(timings.totalMs),
    },
    'invocation',
  );
}
