import { SlipwayError, invalid } from '../../../errors.ts';
import type { LogOptions } from '../../../k8s/cluster.ts';
import type { Context } from '../../../module.ts';
import type { RunView } from '../service.ts';

export interface LogArgs {
  pod?: string | null | undefined;
  container?: string | null | undefined;
  previous?: boolean | null | undefined;
  tailLines?: number | null | undefined;
  since?: Date | null | undefined;
}

/** One container of one Pod. */
export interface LogSource {
  /** Stays the same over restarts of the container. */
  key: string;
  pod: string;
  container: string;
  restartCount: number;
  running: boolean;
}

export const mostTailLines = 5000;

/** Checks the arguments and the caller's right to read logs. */
export async function authorizeLogs(run: RunView, { tailLines }: LogArgs, context: Context): Promise<void> {
  if (typeof tailLines === 'number' && (tailLines < 1 || tailLines > mostTailLines)) {
    const message = `"tailLines" must be from 1 to ${mostTailLines}, not ${tailLines}.`;
    throw invalid('tailLines', message, 'OUT_OF_RANGE');
  }
  if (await context.access.allows('logs', run)) return;
  throw new SlipwayError('FORBIDDEN', `You may not read the logs of run ${run.name}.`);
}

/** The containers whose logs are asked for; a name that fits none is INVALID. */
export function sourcesOf(run: RunView, { pod, container, previous }: LogArgs): LogSource[] {
  return run.pods
    .filter((candidate) => !pod || candidate.name === pod)
    .flatMap((of) =>
      of.containers.map((each) => ({
        key: `${of.uid}/${each.name}`,
        pod: of.name,
        container: each.name,
        restartCount: each.restartCount,
        running: each.state === 'running',
      })),
    )
    .filter((source) => !container || source.container === container)
    .filter((source) => !previous || source.restartCount > 0);
}

/** Says which name is wrong before the cluster is asked; a run without Pods has no logs, which is no error. */
export function checkNames(run: RunView, { pod, container }: LogArgs): void {
  if (run.pods.length === 0) return;
  if (pod && !run.pods.some(({ name }) => name === pod)) {
    const names = run.pods.map(({ name }) => name).join(', ');
    throw invalid('pod', `Run ${run.name} has no Pod ${pod}, but ${names}.`, 'NO_SUCH_POD');
  }
  const containers = new Set(run.pods.flatMap((of) => of.containers.map(({ name }) => name)));
  if (container && !containers.has(container)) {
    const message = `Run ${run.name} has no container ${container}, but ${[...containers].join(', ')}.`;
    throw invalid('container', message, 'NO_SUCH_CONTAINER');
  }
}

export function logOptions(
  source: LogSource,
  { previous, tailLines, since }: LogArgs,
  signal: AbortSignal,
): LogOptions {
  return {
    container: source.container,
    timestamps: true,
    tailLines: tailLines ?? 200,
    signal,
    ...(previous && { previous }),
    ...(since && { sinceTime: since.toISOString() }),
  };
}
