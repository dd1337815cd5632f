import type { Clock } from '../../../clock.ts';
import type { Container, Pod } from '../../resources.ts';
import { firstPort } from './container-launch.ts';
import type { Tell } from './container-run.ts';
import type { Instance } from './instance.ts';
import type { ProbeResult } from './probe-actions.ts';
import { type ListeningFault, listeningFault, socketsOf, systemListeners } from './sockets.ts';

export interface ListeningWatchOptions {
  pod: Pod;
  container: Container;
  address: string;
  instance: Instance;
  clock: Clock;
  event: Tell;
}

/** Notices a program that listens on another address than it was given, or whose port somebody else has. */
export interface ListeningWatch {
  /** Passes a probe's result on; a success becomes a failure when it was another program that answered. */
  confirm(result: ProbeResult): ProbeResult;
  /** The program failed by itself: tells if somebody else had its port, for which most programs end at once. */
  failed(): void;
  stop(): void;
}

/** When to look, in ms after the start: a program needs a moment, and may come late. */
const looks = [2000, 5000, 10_000, 20_000, 40_000, 80_000];

/** To ask for all sockets of the system takes milliseconds, and probes may come each second. */
const confirmedMs = 10_000;

export function startListeningWatch(options: ListeningWatchOptions): ListeningWatch {
  const { pod, container, address, instance, clock, event } = options;
  const port = container.ports?.length ? firstPort(pod, container) : undefined;
  let next = 0;
  let cancel = () => {};
  /** Until then a success is taken as the program's own. */
  let confirmedUntil = 0;

  function fault(): ListeningFault | undefined {
    const pids = instance.pids();
    if (port === undefined || pids.length === 0) return undefined;
    return listeningFault({ host: address, port }, systemListeners(), socketsOf(pids));
  }

  function tell(found: ListeningFault): void {
    event('Warning', found.reason, `Container ${container.name}: ${found.message}`);
  }

  function look(): void {
    const found = fault();
    if (found) tell(found);
    schedule();
  }

  function schedule(): void {
    const at = looks[next];
    if (at === undefined || port === undefined) return;
    next += 1;
    cancel = clock.after(at - (looks[next - 2] ?? 0), look);
  }

  schedule();
  return {
    confirm(result) {
      if (result.ok && clock.now() < confirmedUntil) return result;
      const found = result.ok ? fault() : undefined;
      const isTaken = found?.reason === 'PortTaken';
      confirmedUntil = result.ok && !isTaken ? clock.now() + confirmedMs : 0;
      return isTaken ? { ok: false, message: found.message } : result;
    },
    failed() {
      const found = fault();
      if (found?.reason === 'PortTaken') tell(found);
    },
    stop: () => cancel(),
  };
}
