import type { Clock } from '../../../clock.ts';
import type { Container, ContainerState, ContainerStatus, Pod } from '../../resources.ts';
import { createBackOff, goDuration } from './back-off.ts';
import { imageKind, type Launch, type LaunchPart, launchContainer, prepareLaunch } from './container-launch.ts';
import { type ContainerRun, type Ended, startRun, type Tell } from './container-run.ts';
import { type ContainerPhase, containerStatus, endedFrom, endedState } from './container-status.ts';
import { ContainerConfigError } from './environment.ts';
import { createImagePull } from './image-pull.ts';
import type { Instance } from './instance.ts';
import type { LogFile } from './log-file.ts';
import type { LogStore } from './log-store.ts';
import { type Recovered, unknownExit } from './processes.ts';

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

export interface ContainerPart extends LaunchPart {
  clock: Clock;
  logs: LogStore;
  /** About the container's Pod. */
  event: Tell;
  /** Its status is different now. */
  changed: () => void;
}

/** A container as the store and the process records know it. */
export interface ContainerBefore {
  podUid: string;
  podName: string;
  namespace: string;
  status: ContainerStatus | undefined;
  recovered: Recovered | undefined;
}

/** One container of a Pod: its present run, what is known of the last, and when the next is due. */
export interface PodContainer {
  readonly name: string;
  readonly running: boolean;
  /** The exit code of a container that will not run again; undefined for any other. */
  readonly finished: number | undefined;
  status(): ContainerStatus;
  /** Starts it when that is due; resolves with when to come back, in ms since the epoch, if time alone decides. */
  advance(pod: Pod, address: string): Promise<number | undefined>;
  /** Ends it: SIGTERM now, SIGKILL after the grace period. It is not started again. */
  stop(graceMs: number): void;
  /** Resolves when no run is left. */
  gone(): Promise<void>;
}

const configRetryMs = 10_000;

export function createContainer(
  part: ContainerPart,
  spec: Container,
  policy: RestartPolicy,
  before: ContainerBefore,
): PodContainer {
  const { clock, logs, event } = part;
  const { podUid } = before;
  const backOff = createBackOff();
  const pull = createImagePull({ image: spec.image ?? '', clock, event });
  let phase: ContainerPhase = { waiting: { reason: 'ContainerCreating' } };
  let restarts = before.status?.restartCount ?? 0;
  let last: ContainerState | undefined = before.status?.lastState;
  let ended: Ended | undefined;
  /** Set once the container is to end. */
  let stopGraceMs: number | undefined;
  let fresh = true;
  let starting: Promise<unknown> = Promise.resolve();
  let over: Promise<unknown> = Promise.resolve();

  const isFinal = ({ exit }: Ended) => policy === 'Never' || (policy === 'OnFailure' && exit.code === 0);

  function end(how: Ended): void {
    ended = how;
    phase = { ended: how };
    part.changed();
  }

  function watchOver(run: ContainerRun): void {
    phase = { running: run };
    if (stopGraceMs !== undefined) run.terminate(stopGraceMs);
    over = run.ended.then(end);
  }

  function wait(reason: string, message: string): void {
    phase = { waiting: { reason, message } };
  }

  /** Takes up what an earlier server left: a living run, or how the last one ended. */
  function resume(pod: Pod, address: string): void {
    fresh = false;
    const { recovered, status } = before;
    if (recovered) restarts = recovered.record.run;
    if (recovered?.instance) {
      const initial = { started: status?.started ?? false, ready: status?.ready ?? false };
      const log = logs.open(podUid, spec.name, restarts);
      watchOver(runOf(pod, address, recovered.instance, log, launchOrNone(pod, address), initial));
      return;
    }
    ended = recovered
      ? { id: recovered.record.id, exit: unknownExit(), startedAt: recovered.record.startedAt, at: clock.now() }
      : endedFrom(status?.state, clock.now());
    if (ended) phase = { ended };
  }

  function launchOrNone(pod: Pod, address: string): Launch | undefined {
    try {
      return prepareLaunch(part, pod, spec, address);
    } catch {
      // Only exec probes need it, and they say then that they can't run.
      return undefined;
    }
  }

  function runOf(
    pod: Pod,
    address: string,
    instance: Instance,
    log: LogFile,
    launch: Launch | undefined,
    initial: { started: boolean; ready: boolean },
  ): ContainerRun {
    const marks = part.processes.marks(podUid, instance.id);
    const exec =
      launch && instance.pids().length > 0 ? { env: { ...launch.env, ...marks }, cwd: launch.cwd } : undefined;
    const { changed } = part;
    return startRun({ pod, spec, address, instance, log, launch: exec, initial, clock, event, changed });
  }

  /** When the next run is due if that is later; shows the wait as CrashLoopBackOff. */
  function heldBack(now: number): number | undefined {
    const left = ended ? backOff.remaining(ended.at, now) : 0;
    if (!ended || left === 0) return undefined;
    if ('ended' in phase) {
      last = endedState(ended);
      const pod = `${before.podName}_${before.namespace}(${podUid})`;
      event('Warning', 'BackOff', `Back-off restarting failed container ${spec.name} in pod ${pod}`);
      wait(
        'CrashLoopBackOff',
        `back-off ${goDuration(backOff.delayMs)} restarting failed container=${spec.name} pod=${pod}`,
      );
    }
    return now + left;
  }

  async function start(pod: Pod, address: string, launch: Launch): Promise<void> {
    const now = clock.now();
    if (ended) {
      backOff.restarted(ended.at, now);
      last = endedState(ended);
      restarts += 1;
      ended = undefined;
    }
    const log = logs.open(podUid, spec.name, restarts);
    event('Normal', 'Pulled', `Container image "${spec.image}" already present on machine`);
    event('Normal', 'Created', `Created container: ${spec.name}`);
    try {
      const instance = await launchContainer(part, launch, { podUid, container: spec, run: restarts, log, now });
      event('Normal', 'Started', `Started container ${spec.name}`);
      watchOver(runOf(pod, address, instance, log, launch, { started: false, ready: false }));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      event('Warning', 'Failed', `Error: ${message}`);
      log.write(message);
      log.end();
      end({
        id: `${podUid}/${restarts}`,
        exit: { code: 128, reason: 'StartError', message },
        startedAt: 0,
        at: clock.now(),
      });
    }
  }

  async function advance(pod: Pod, address: string): Promise<number | undefined> {
    if (fresh) resume(pod, address);
    if (stopGraceMs !== undefined) return undefined;
    if ('running' in phase || (ended && isFinal(ended))) return undefined;
    if (imageKind(spec.image, part.images) === 'none') {
      const { reason, message, checkAt } = pull.attempt();
      wait(reason, message);
      return checkAt;
    }
    const due = heldBack(clock.now());
    if (due !== undefined) return due;
    try {
      const launch = prepareLaunch(part, pod, spec, address);
      starting = start(pod, address, launch);
      await starting;
      return undefined;
    } catch (error) {
      if (!(error instanceof ContainerConfigError)) throw error;
      if ('waiting' in phase && phase.waiting.message !== error.message)
        event('Warning', 'Failed', `Error: ${error.message}`);
      wait('CreateContainerConfigError', error.message);
      return clock.now() + configRetryMs;
    }
  }

  return {
    name: spec.name,
    advance,
    get running() {
      return 'running' in phase;
    },
    get finished() {
      return ended && 'ended' in phase && (stopGraceMs !== undefined || isFinal(ended)) ? ended.exit.code : undefined;
    },
    status: () => containerStatus(spec, phase, restarts, last),
    stop(graceMs) {
      stopGraceMs = graceMs;
      if (!('running' in phase)) return;
      event('Normal', 'Killing', `Stopping container ${spec.name}`);
      phase.running.terminate(graceMs);
    },
    async gone() {
      await starting;
      await over;
    },
  };
}
