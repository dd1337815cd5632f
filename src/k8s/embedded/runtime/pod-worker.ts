import type { Clock } from '../../../clock.ts';
import type { Container, ContainerStatus, Pod } from '../../resources.ts';

import { type ContainerPart, createContainer, type PodContainer, type RestartPolicy } from './container.ts';
import { type PodStatus, podStatus } from './pod-status.ts';
import type { Recovered } from './processes.ts';

export interface PodWorkerOptions {
  /** The Pod when it was first seen here, bound to this node. */
  pod: Pod;
  address: string;
  part: (pod: Pod, container: Container) => ContainerPart;
  clock: Clock;
  /** What an earlier server left of a container. */
  recovered: (container: string) => Recovered | undefined;
}

/** What to do after a round of work on a Pod. */
export interface PodRound {
  status: PodStatus;
  /** When to come back though nothing changes, in ms since the epoch. */
  checkAt?: number;
}

/** Runs one Pod: its init containers one after the other, then the others side by side. */
export interface PodWorker {
  readonly uid: string;
  readonly address: string;
  /** Some run is not over. */
  readonly running: boolean;
  /** Starts what is due. */
  advance(pod: Pod): Promise<PodRound>;
  /** Asks all containers to end, once; a shorter grace period later counts. */
  stop(graceMs: number): void;
  /** The status as it stands, without starting anything. */
  status(pod: Pod): PodStatus;
  /** Resolves when nothing of the Pod runs any more. */
  gone(): Promise<void>;
}

function waitingForInit(container: PodContainer): ContainerStatus {
  return { ...container.status(), state: { waiting: { reason: 'PodInitializing' } } };
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

export function createPodWorker(options: PodWorkerOptions): PodWorker {
  const { pod: first, address, clock } = options;
  const startTime = clock.now();
  const policy = (first.spec.restartPolicy ?? 'Always') as RestartPolicy;
  let stopDeadline = Infinity;

  function make(spec: Container, restart: RestartPolicy, statuses: ContainerStatus[] | undefined): PodContainer {
    return createContainer(options.part(first, spec), spec, restart, {
      podUid: first.metadata.uid ?? '',
      podName: first.metadata.name,
      namespace: first.metadata.namespace ?? '',
      status: statuses?.find((status) => status.name === spec.name),
      recovered: options.recovered(spec.name),
    });
  }

  // An init container is to succeed once, whatever the Pod's policy says of the others.
  const initPolicy = policy === 'Never' ? 'Never' : 'OnFailure';
  const init = (first.spec.initContainers ?? []).map((spec) =>
    make(spec, initPolicy, first.status?.initContainerStatuses),
  );
  const main = first.spec.containers.map((spec) => make(spec, policy, first.status?.containerStatuses));
  const all = [...init, ...main];

  async function advanceInit(pod: Pod): Promise<{ done: boolean; checkAt: number | undefined }> {
    for (const container of init) {
      const checkAt = await container.advance(pod, address);
      if (container.finished !== 0) return { done: false, checkAt };
    }
    return { done: true, checkAt: undefined };
  }

  const initialized = () => init.every((container) => container.finished === 0);

  function status(pod: Pod): PodStatus {
    const ready = initialized();
    return podStatus({
      pod,
      address,
      startTime,
      now: clock.now(),
      initContainers: init.map((container) => container.status()),
      containers: main.map((container) =>
        ready || container.running || stopDeadline < Infinity ? container.status() : waitingForInit(container),
      ),
    });
  }

  return {
    uid: first.metadata.uid ?? '',
    address,
    get running() {
      return all.some((container) => container.running);
    },
    async advance(pod) {
      const before = await advanceInit(pod);
      const failed = init.some((container) => (container.finished ?? 0) !== 0);
      const due =
        before.done && !failed ? await Promise.all(main.map((container) => container.advance(pod, address))) : [];
      const checkAt = earliest([before.checkAt, ...due]);
      return { status: status(pod), ...(checkAt !== undefined && { checkAt }) };
    },
    stop(graceMs) {
      const deadline = clock.now() + graceMs;
      if (deadline >= stopDeadline) return;
      stopDeadline = deadline;
      for (const container of all) container.stop(graceMs);
    },
    status,
    async gone() {
      await Promise.all(all.map((container) => container.gone()));
    },
  };
}

/** How long the containers of a Pod that is being deleted still have. */
export function graceLeft(pod: Pod, now: number): number {
  const seconds = pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  const end = Date.parse(pod.metadata.deletionTimestamp ?? '');
  // The time stamp is the end of the grace period, in whole seconds.
  return Number.isNaN(end) ? seconds * 1000 : Math.min(seconds * 1000, Math.max(0, end + 999 - now));
}
