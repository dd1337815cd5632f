import type { Container, ContainerStatus, ContainerState, Pod } from '../../../src/k8s/resources.ts';

const prefix = 'kubelet.test/';

/**
 * What a test may ask of a Pod by annotation. `state` is one of these; with nothing said it is `running`.
 *
 * - `running`: ready. `not-ready`: running, the readiness probe fails.
 * - `waiting`: containers do not start; `reason` and `message` say why (default `ContainerCreating`).
 * - `crash-loop`: ended with exit code 1 and waits for the next try. `oom-killed`: the same after OOMKilled.
 * - `succeeded`, `failed`: the Pod is over. `pending`: not looked at yet.
 *
 * `restarts` counts the restarts, `pod-ip` is the address, `logs` the text of the log and
 * `previous-logs` that of the run before the last restart.
 */
export const annotations = {
  state: `${prefix}state`,
  reason: `${prefix}reason`,
  message: `${prefix}message`,
  restarts: `${prefix}restarts`,
  podIp: `${prefix}pod-ip`,
  logs: `${prefix}logs`,
  previousLogs: `${prefix}previous-logs`,
} as const;

type State = 'running' | 'not-ready' | 'waiting' | 'crash-loop' | 'oom-killed' | 'succeeded' | 'failed' | 'pending';

/** The status a kubelet would write; undefined when the Pod is to be left as it is. */
export function statusFor(pod: Pod, address: string, now: string): Pod['status'] | undefined {
  const { metadata, spec, status } = pod;
  const asked = metadata.annotations ?? {};
  const state = (asked[annotations.state] ?? 'running') as State;
  if (state === 'pending') return undefined;
  const started = status?.startTime ?? now;
  const context: Context = {
    state,
    reason: asked[annotations.reason] ?? 'ContainerCreating',
    message: asked[annotations.message],
    restarts: Number(asked[annotations.restarts] ?? (state === 'crash-loop' || state === 'oom-killed' ? 1 : 0)),
    started,
  };
  const ready = state === 'running';
  const running = ready || state === 'not-ready';
  const over = state === 'succeeded' || state === 'failed';
  return {
    phase: over ? (state === 'succeeded' ? 'Succeeded' : 'Failed') : state === 'waiting' ? 'Pending' : 'Running',
    startTime: started,
    hostIP: '127.0.0.1',
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: conditionsOf(pod, { ready: ready && !over, running, now }),
    containerStatuses: spec.containers.map((container) => containerStatus(container, context)),
    ...(spec.initContainers && {
      initContainerStatuses: spec.initContainers.map((container) => finished(container, started)),
    }),
  };
}

interface Context {
  state: State;
  reason: string;
  message: string | undefined;
  restarts: number;
  started: string;
}

function conditionsOf({ status }: Pod, { ready, now }: { ready: boolean; running: boolean; now: string }) {
  const before = status?.conditions ?? [];
  const condition = (type: string, holds: boolean) => {
    const wanted = holds ? ('True' as const) : ('False' as const);
    const present = before.find((each) => each.type === type);
    const lastTransitionTime = present?.status === wanted ? (present.lastTransitionTime ?? now) : now;
    return {
      type,
      status: wanted,
      lastTransitionTime,
      ...(!holds && { reason: 'ContainersNotReady', message: 'containers are not ready' }),
    };
  };
  return [
    condition('PodReadyToStartContainers', true),
    condition('Initialized', true),
    condition('Ready', ready),
    condition('ContainersReady', ready),
    condition('PodScheduled', true),
  ];
}

function containerStatus(container: Container, context: Context): ContainerStatus {
  const { state, reason, message, restarts, started } = context;
  const base = { ...identity(container), restartCount: restarts };
  const ended = (exitCode: number, why: string): ContainerState => ({
    terminated: { exitCode, reason: why, startedAt: started, finishedAt: started, containerID: idOf(container) },
  });
  const last = restarts > 0 ? { lastState: ended(1, 'Error') } : {};
  switch (state) {
    case 'running':
    case 'not-ready':
      return {
        ...base,
        ...last,
        ready: state === 'running',
        started: true,
        state: { running: { startedAt: started } },
      };
    case 'crash-loop':
    case 'oom-killed': {
      const lastState = state === 'oom-killed' ? ended(137, 'OOMKilled') : ended(1, 'Error');
      const waiting = { reason: 'CrashLoopBackOff', message: 'back-off restarting failed container' };
      return { ...base, ready: false, started: false, state: { waiting }, lastState };
    }
    case 'succeeded':
      return { ...base, ready: false, started: false, state: ended(0, 'Completed') };
    case 'failed':
      return { ...base, ready: false, started: false, state: ended(1, 'Error') };
    default:
      return { ...base, ready: false, started: false, state: { waiting: { reason, ...(message && { message }) } } };
  }
}

function finished(container: Container, at: string): ContainerStatus {
  const terminated = { exitCode: 0, reason: 'Completed', startedAt: at, finishedAt: at, containerID: idOf(container) };
  return { ...identity(container), ready: true, started: false, restartCount: 0, state: { terminated } };
}

const idOf = ({ name }: Container) => `test://${name}`;

function identity(container: Container) {
  const image = container.image ?? '';
  return { name: container.name, image, imageID: image, containerID: idOf(container) };
}
