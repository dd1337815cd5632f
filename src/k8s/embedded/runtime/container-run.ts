import type { Clock } from '../../../clock.ts';
import type { Container, Pod } from '../../resources.ts';
import type { Launch } from './container-launch.ts';
import type { Exit, Instance } from './instance.ts';
import { startListeningWatch } from './listening-watch.ts';
import type { LogFile } from './log-file.ts';
import { lastText } from './log-reader.ts';
import { runProbe } from './probe-actions.ts';
import { startProbes } from './probe-set.ts';
import { startMemoryWatch } from './memory-watch.ts';
import type { ProbeKind } from './prober.ts';

export type Tell = (type: 'Normal' | 'Warning', reason: string, message: string) => void;

/** A run that is over. */
export interface Ended {
  id: string;
  exit: Exit;
  /** In ms since the epoch; 0 when it never began. */
  startedAt: number;
  at: number;
}

/** One run of a container under its probes. */
export interface ContainerRun {
  readonly id: string;
  readonly startedAt: number;
  readonly started: boolean;
  readonly ready: boolean;
  readonly ended: Promise<Ended>;
  /** SIGTERM now and SIGKILL after the grace period; 0: SIGKILL now. */
  terminate(graceMs: number): void;
}

export interface ContainerRunOptions {
  pod: Pod;
  spec: Container;
  address: string;
  instance: Instance;
  log: LogFile;
  /** Where exec probes run; undefined where they can't. */
  launch: Pick<Launch, 'env' | 'cwd'> | undefined;
  /** What was known of a run that is taken over. */
  initial: { started: boolean; ready: boolean };
  clock: Clock;
  event: Tell;
  /** `started` or `ready` changed. */
  changed: () => void;
}

const messageBytes = 2048;

/** What `terminationMessagePolicy: FallbackToLogsOnError` asks for. */
function lastWords(spec: Container, exit: Exit, log: LogFile): string | undefined {
  const { terminationMessagePolicy } = spec as { terminationMessagePolicy?: string };
  const asked = exit.code !== 0 && terminationMessagePolicy === 'FallbackToLogsOnError';
  return asked ? lastText(log.path, messageBytes) : undefined;
}

function probesOf(options: ContainerRunOptions, terminate: (graceMs: number) => void) {
  const { pod, spec, address, instance, launch, clock, event } = options;
  const listening = startListeningWatch({ pod, container: spec, address, instance, clock, event });
  const target = { pod, container: spec, address, exec: launch, clock };
  const definitions = { Startup: spec.startupProbe, Readiness: spec.readinessProbe, Liveness: spec.livenessProbe };
  const graceMs = (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
  const probes = startProbes({
    container: spec,
    clock,
    initial: options.initial,
    run: async (kind, signal) => {
      const result = await runProbe(definitions[kind] ?? {}, target, signal);
      return kind === 'Liveness' ? result : listening.confirm(result);
    },
    changed: options.changed,
    failed: (_kind, message) => event('Warning', 'Unhealthy', message),
    unhealthy: (kind: ProbeKind) => {
      event('Normal', 'Killing', `Container ${spec.name} failed ${kind.toLowerCase()} probe, will be restarted`);
      terminate(graceMs);
    },
  });
  return {
    get started() {
      return probes.started;
    },
    get ready() {
      return probes.ready;
    },
    failed: () => listening.failed(),
    stop() {
      probes.stop();
      listening.stop();
    },
  };
}

export function startRun(options: ContainerRunOptions): ContainerRun {
  const { spec, instance, log, clock } = options;
  let cancelKill = () => {};
  let outOfMemory = false;
  let asked = false;

  function terminate(graceMs: number): void {
    asked = true;
    probes.stop();
    cancelKill();
    if (graceMs <= 0) return instance.kill();
    instance.terminate();
    cancelKill = clock.after(graceMs, () => instance.kill());
  }

  function killed(exit: Exit): Exit {
    return outOfMemory ? { code: 137, reason: 'OOMKilled' } : exit;
  }

  async function end(): Promise<Ended> {
    const exit = killed(await instance.ended);
    probes.stop();
    if (!asked && exit.code !== 0) probes.failed();
    unwatchMemory();
    cancelKill();
    log.end();
    const message = exit.message ?? lastWords(spec, exit, log);
    const shown = message === undefined ? exit : { ...exit, message };
    return { id: instance.id, exit: shown, startedAt: instance.startedAt, at: clock.now() };
  }

  const probes = probesOf(options, terminate);
  const unwatchMemory = startMemoryWatch({ container: spec, instance, clock }, () => {
    outOfMemory = true;
    terminate(0);
  });
  return {
    id: instance.id,
    startedAt: instance.startedAt,
    get started() {
      return probes.started;
    },
    get ready() {
      return probes.ready;
    },
    ended: end(),
    terminate,
  };
}
