import type { Container, ContainerState, ContainerStatus } from '../../resources.ts';
import { rfc3339 } from '../controllers/pod-state.ts';
import type { ContainerRun, Ended } from './container-run.ts';

export interface Waiting {
  reason: string;
  message?: string;
}

/** What a container is doing: exactly one of the three. */
export type ContainerPhase = { waiting: Waiting } | { running: ContainerRun } | { ended: Ended };

const idScheme = 'slipway://';

export function endedState({ exit, startedAt, at, id }: Ended): ContainerState {
  return {
    terminated: {
      exitCode: exit.code,
      reason: exit.reason ?? (exit.code === 0 ? 'Completed' : 'Error'),
      ...(exit.message !== undefined && { message: exit.message }),
      startedAt: rfc3339(startedAt),
      finishedAt: rfc3339(at),
      containerID: `${idScheme}${id}`,
    },
  };
}

/** The end of a run as the store remembers it. */
export function endedFrom(state: ContainerState | undefined, now: number): Ended | undefined {
  const known = state?.terminated;
  if (!known) return undefined;
  const at = Date.parse(known.finishedAt ?? '') || now;
  return {
    id: known.containerID?.replace(idScheme, '') ?? '',
    exit: {
      code: known.exitCode,
      ...(known.reason !== undefined && { reason: known.reason }),
      ...(known.message !== undefined && { message: known.message }),
    },
    startedAt: Date.parse(known.startedAt ?? '') || 0,
    at,
  };
}

function stateOf(phase: ContainerPhase): ContainerState {
  if ('waiting' in phase) return { waiting: phase.waiting };
  if ('ended' in phase) return endedState(phase.ended);
  return { running: { startedAt: rfc3339(phase.running.startedAt) } };
}

/** Pure: the containerStatus of a container. */
export function containerStatus(
  spec: Container,
  phase: ContainerPhase,
  restartCount: number,
  last: ContainerState | undefined,
): ContainerStatus {
  const running = 'running' in phase ? phase.running : undefined;
  const id = running?.id ?? ('ended' in phase ? phase.ended.id : undefined);
  return {
    name: spec.name,
    image: spec.image ?? '',
    imageID: '',
    ...(id !== undefined && { containerID: `${idScheme}${id}` }),
    ready: running?.ready ?? false,
    started: running?.started ?? false,
    restartCount,
    state: stateOf(phase),
    lastState: last ?? {},
  };
}
