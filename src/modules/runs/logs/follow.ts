import { toSlipwayError } from '../../../k8s/api-error.ts';
import type { Context } from '../../../module.ts';
import { type RunView, Runs } from '../service.ts';
import { type LogLine, linesOf, timeOf } from './lines.ts';
import { type Queue, createQueue } from './queue.ts';
import { collectLines, hasNoLog, toLogLine } from './read.ts';
import { type LogArgs, type LogSource, authorizeLogs, checkNames, logOptions, sourcesOf } from './sources.ts';

/** Lines held for a client that reads slowly; when it is full, the cluster waits. */
const queueLimit = 500;
/** Between two attempts to open the log of a container that still runs. */
const retryMs = 1000;

/** What is known of one container's log: enough to go on where it stopped, without a line twice or none. */
interface Tail {
  source: LogSource;
  open: boolean;
  opened: boolean;
  stamp: string;
  /** Lines already sent with this stamp. */
  atStamp: number;
}

/** The lines of a run's containers: those there are, and with `follow` those that come, also of Pods that come. */
export async function followLogs(
  run: RunView,
  args: LogArgs & { follow?: boolean | null | undefined },
  context: Context,
): Promise<AsyncIterableIterator<LogLine>> {
  if (!(args.follow ?? true)) return present(run, args, context);
  await authorizeLogs(run, args, context);
  checkNames(run, args);
  const runs = context.use(Runs);
  const aborter = new AbortController();
  const timers = new Set<() => void>();
  const tails = new Map<string, Tail>();
  const queue = createQueue<LogLine>(queueLimit, () => {
    aborter.abort();
    unsubscribe();
    context.signal.removeEventListener('abort', leave);
    for (const cancel of timers) cancel();
  });
  const leave = () => queue.end();
  let gone = false;

  const follow = (tail: Tail): void => {
    tail.open = true;
    void pump(tail, run.namespace, args, context, queue, aborter.signal).then(() => {
      tail.open = false;
      if (aborter.signal.aborted) return;
      if (gone) return endWhenIdle();
      // Pods and containers that come later bring a change of the run; a broken stream does not.
      const cancel = context.clock.after(retryMs, () => {
        timers.delete(cancel);
        if (!tail.open && isRunning(tail)) follow(tail);
      });
      timers.add(cancel);
    });
  };
  const isRunning = (tail: Tail): boolean => {
    const now = runs.get(run.key);
    return now ? sourcesOf(now, args).some((source) => source.key === tail.source.key && source.running) : false;
  };
  const endWhenIdle = (): void => {
    if ([...tails.values()].every((tail) => !tail.open)) queue.end();
  };
  const sync = (now: RunView): void => {
    for (const source of sourcesOf(now, { ...args, previous: false })) {
      const tail = tails.get(source.key);
      if (!tail) {
        const fresh = { source, open: false, opened: false, stamp: '', atStamp: 0 };
        tails.set(source.key, fresh);
        follow(fresh);
      } else if (!tail.open && (source.running || source.restartCount !== tail.source.restartCount)) {
        tail.source = source;
        follow(tail);
      } else tail.source = source;
    }
  };
  const unsubscribe = runs.subscribe(({ key, after }) => {
    if (key !== run.key) return;
    gone = after === undefined;
    if (after) sync(after);
    else endWhenIdle();
  });
  context.signal.addEventListener('abort', leave, { once: true });
  sync(run);
  return queue;
}

/** Reads one log from where it stopped to its end. Never rejects: what must be said goes to the queue. */
async function pump(
  tail: Tail,
  namespace: string,
  args: LogArgs,
  context: Context,
  queue: Queue<LogLine>,
  signal: AbortSignal,
): Promise<void> {
  const { source } = tail;
  try {
    const first = logOptions(source, { ...args, previous: false }, signal);
    // Times in requests are whole seconds, so the lines of that second come again and are left out below.
    const { tailLines: _, ...again } = { ...first, sinceTime: tail.stamp || undefined };
    const options = { ...(tail.stamp ? withoutUndefined(again) : first), follow: true };
    const stream = await context.kube.podLogs(source.pod, namespace, options);
    tail.opened = true;
    const [from, known] = [tail.stamp, tail.atStamp];
    let same = 0;
    for await (const { stamp, line } of linesOf(stream)) {
      if (stamp && stamp < from) continue;
      if (stamp && stamp === from && ++same <= known) continue;
      tail.atStamp = stamp === tail.stamp ? tail.atStamp + 1 : 1;
      if (stamp) tail.stamp = stamp;
      const { pod, container } = source;
      if (!(await queue.put({ pod, container, at: timeOf(stamp), line }))) return;
    }
  } catch (error) {
    if (signal.aborted || hasNoLog(error)) return;
    const failure = toSlipwayError(error, { name: `logs of Pod ${source.pod}` });
    // What may pass is tried again; a missing right does not.
    if (!['UNAVAILABLE', 'TIMEOUT', 'RATE_LIMITED', 'INTERNAL'].includes(failure.code)) queue.end(failure);
    else context.log.debug({ err: error, pod: source.pod }, 'a followed log broke off');
  }
}

function withoutUndefined<T extends { sinceTime: string | undefined }>({ sinceTime, ...rest }: T) {
  return sinceTime === undefined ? rest : { ...rest, sinceTime };
}

async function present(run: RunView, args: LogArgs, context: Context): Promise<AsyncIterableIterator<LogLine>> {
  const lines = await collectLines(run, args, context);
  return (async function* () {
    for (const line of lines) yield toLogLine(line);
  })();
}
