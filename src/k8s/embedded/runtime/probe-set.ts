import type { Clock } from '../../../clock.ts';
import type { Container } from '../../resources.ts';
import type { ProbeResult } from './probe-actions.ts';
import { startProber, type ProbeKind } from './prober.ts';

export interface ProbeSetOptions {
  container: Container;
  clock: Clock;
  /** What was known before, for a container that was taken over. */
  initial: { started: boolean; ready: boolean };
  run: (kind: ProbeKind, signal: AbortSignal) => Promise<ProbeResult>;
  /** `started` or `ready` changed. */
  changed: () => void;
  failed: (kind: ProbeKind, message: string) => void;
  /** The startup or liveness probe gave the container up. */
  unhealthy: (kind: ProbeKind) => void;
}

/** The probes of one running container: startup first, then readiness and liveness. */
export interface ProbeSet {
  readonly started: boolean;
  readonly ready: boolean;
  stop(): void;
}

export function startProbes(options: ProbeSetOptions): ProbeSet {
  const { container, clock } = options;
  const stops: (() => void)[] = [];
  let started = container.startupProbe === undefined || options.initial.started;
  let ready = container.readinessProbe === undefined || options.initial.ready;

  function begin(kind: ProbeKind, initial: boolean, changed: (ok: boolean) => void): void {
    const probe = {
      Startup: container.startupProbe,
      Readiness: container.readinessProbe,
      Liveness: container.livenessProbe,
    }[kind];
    if (!probe) return;
    const run = (signal: AbortSignal) => options.run(kind, signal);
    stops.push(
      startProber({ kind, probe, clock, initial, run, changed, failed: (message) => options.failed(kind, message) }),
    );
  }

  function begun(): void {
    begin('Readiness', ready, (ok) => {
      ready = ok;
      options.changed();
    });
    begin('Liveness', true, (ok) => {
      if (!ok) options.unhealthy('Liveness');
    });
  }

  function stop(): void {
    for (const end of stops.splice(0)) end();
  }

  if (started) begun();
  else {
    begin('Startup', false, (ok) => {
      if (!ok) return options.unhealthy('Startup');
      stop();
      started = true;
      begun();
      options.changed();
    });
  }

  return {
    get started() {
      return started;
    },
    get ready() {
      return started && ready;
    },
    stop,
  };
}
