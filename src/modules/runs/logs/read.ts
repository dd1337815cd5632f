import { ApiError, toSlipwayError } from '../../../k8s/api-error.ts';
import type { Context } from '../../../module.ts';
import type { RunView } from '../service.ts';
import { type LogLine, type StampedLine, linesOf, timeOf } from './lines.ts';
import { type LogArgs, type LogSource, authorizeLogs, checkNames, logOptions, sourcesOf } from './sources.ts';

/** A log is a field of an answer: more than this goes by the subscription. */
const mostCharacters = 1_000_000;

type SourcedLine = StampedLine & { source: LogSource };

/** The logs of all containers asked for, merged by time. */
export async function collectLines(run: RunView, args: LogArgs, context: Context): Promise<SourcedLine[]> {
  await authorizeLogs(run, args, context);
  checkNames(run, args);
  const found = await Promise.all(sourcesOf(run, args).map((source) => linesOfSource(source, run, args, context)));
  // Sorting is stable: lines of one container with the same time stay in order.
  return found.flat().sort((a, b) => (a.stamp < b.stamp ? -1 : a.stamp > b.stamp ? 1 : 0));
}

async function linesOfSource(source: LogSource, run: RunView, args: LogArgs, context: Context): Promise<SourcedLine[]> {
  const lines: SourcedLine[] = [];
  try {
    const options = logOptions(source, args, context.signal);
    const stream = await context.kube.podLogs(source.pod, run.namespace, options);
    for await (const line of linesOf(stream)) lines.push({ ...line, source });
  } catch (error) {
    if (!hasNoLog(error)) throw toSlipwayError(error, { name: `logs of Pod ${source.pod}` });
  }
  return lines;
}

/** A container that has not started, or a Pod that is gone by now, has no log: the others still have. */
export function hasNoLog(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 400 || error.status === 404);
}

/** The text of the `logs` field. */
export async function readLogs(run: RunView, args: LogArgs, context: Context): Promise<string> {
  const lines = await collectLines(run, args, context);
  const several = new Set(lines.map(({ source }) => source.key)).size > 1;
  const text: string[] = [];
  let left = mostCharacters;
  for (const { line, source } of lines.reverse()) {
    const shown = several ? `${source.pod}/${source.container}: ${line}` : line;
    left -= shown.length + 1;
    if (left < 0) {
      text.push('[earlier lines are left out]');
      break;
    }
    text.push(shown);
  }
  return text.length > 0 ? `${text.reverse().join('\n')}\n` : '';
}

export function toLogLine({ stamp, line, source }: SourcedLine): LogLine {
  return { pod: source.pod, container: source.container, at: timeOf(stamp), line };
}
