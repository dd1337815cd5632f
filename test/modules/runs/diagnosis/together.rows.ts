import * as make from '../objects.ts';
import { type Row, ended, oneUnready, waiting } from './scenes.ts';

const { ago, container, deployment, pod, replicaSet, service, slice, unready } = make;

const crashing = (name: string) =>
  pod({
    name,
    ready: false,
    age: 300,
    container: { ...waiting('CrashLoopBackOff'), restartCount: 3, lastState: ended(1) },
  });
const withoutImage = (name: string) =>
  pod({ name, ready: false, age: 40, container: waiting('ImagePullBackOff', 'shop:2: not found') });

/** Several things at once: the most important first, each said. */
export const rows: Row[] = [
  [
    'a rolling update with one bad replica',
    'IMAGE_PULL',
    'DEGRADED',
    'RUNNING',
    {
      workload: deployment({
        replicas: 3,
        metadata: { generation: 2 },
        status: {
          observedGeneration: 2,
          replicas: 4,
          updatedReplicas: 1,
          conditions: [
            {
              type: 'Progressing',
              status: 'True',
              reason: 'ReplicaSetUpdated',
              lastUpdateTime: ago(40),
              lastTransitionTime: ago(3000),
            },
          ],
        },
      }),
      replicaSets: [replicaSet('web-2'), replicaSet('web-1')],
      pods: [pod({ name: 'web-1-a' }), pod({ name: 'web-1-b' }), pod({ name: 'web-1-c' }), withoutImage('web-2-a')],
    },
    /Pod web-2-a can't get its image/,
    /name and tag/,
    ['IMAGE_PULL', 'ROLLING_OUT'],
  ],
  [
    'a rolling update that is stuck at one bad replica',
    'CRASH_LOOP',
    'DEGRADED',
    'RUNNING',
    {
      workload: deployment({
        replicas: 2,
        status: {
          replicas: 3,
          updatedReplicas: 1,
          conditions: [
            { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', lastTransitionTime: ago(30) },
          ],
        },
      }),
      pods: [pod(), pod({ name: 'web-1-b' }), crashing('web-2-a')],
    },
    /Pod web-2-a restarted 3 times/,
    /logs/,
    ['CRASH_LOOP', 'ROLLOUT_STALLED', 'ROLLING_OUT'],
  ],
  [
    'two Pods with two faults',
    'IMAGE_PULL',
    'DEGRADED',
    'ERROR',
    {
      workload: deployment({ replicas: 2, status: unready }),
      pods: [crashing('web-1-a'), withoutImage('web-1-b')],
      slices: [slice([])],
    },
    /web-1-b can't get its image/,
    /name and tag/,
    ['IMAGE_PULL', 'CRASH_LOOP'],
  ],
  [
    'a crash behind a Service that selects something else',
    'CRASH_LOOP',
    'DEGRADED',
    'ERROR',
    {
      workload: deployment({ status: unready }),
      pods: [crashing('web-1-a')],
      service: service({ spec: { selector: { app: 'other' } } }),
      slices: [],
    },
    /web-1-a restarted/,
    /logs/,
    ['CRASH_LOOP', 'SELECTOR_MISMATCH'],
  ],
  [
    'a crash without a Service',
    'SERVICE_MISSING',
    'MISSING',
    'ERROR',
    { workload: deployment({ status: unready }), pods: [crashing('web-1-a')], service: null, slices: [] },
    /has no Service/,
    /Create a Service/,
    ['SERVICE_MISSING', 'CRASH_LOOP'],
  ],
  [
    'no readiness probe and the wrong port',
    'PORT_MISMATCH',
    'DEGRADED',
    'RUNNING',
    {
      workload: deployment({ containers: [{ name: 'main', image: 'shop:1', ports: [{ containerPort: 8080 }] }] }),
      service: service({ spec: { ports: [{ port: 80, targetPort: 8081 }] } }),
    },
    /leads to port 8081/,
    /containerPort/,
    ['PORT_MISMATCH', 'NO_READINESS_PROBE'],
  ],
  [
    'a paused rollout of a run that crashes',
    'CRASH_LOOP',
    'DEGRADED',
    'ERROR',
    {
      workload: deployment({ spec: { paused: true }, status: { ...unready, updatedReplicas: 0 } }),
      pods: [crashing('web-1-a')],
      slices: [slice([])],
    },
    /restarted/,
    /logs/,
    ['CRASH_LOOP', 'ROLLING_OUT'],
  ],
  [
    'a stopped run without a Service',
    'SCALED_TO_ZERO',
    'SUSPENDED',
    'STOPPED',
    { workload: deployment({ replicas: 0 }), pods: [], service: null, slices: [] },
    /is stopped/,
    /Resume it/,
    ['SCALED_TO_ZERO', 'SERVICE_MISSING'],
  ],
  [
    'a healthy sidecar beside a container that is out of memory',
    'OOM_KILLED',
    'DEGRADED',
    'ERROR',
    sidecarScene(),
    /Container main of Pod web-1-a was killed|restarted/,
    /memory/,
    ['OOM_KILLED'],
  ],
  [
    'one Pod without a node and one that is not ready',
    'UNSCHEDULABLE',
    'DEGRADED',
    'ERROR',
    {
      ...oneUnready({ age: 300 }),
      workload: deployment({ replicas: 2, status: unready }),
      pods: [
        pod({ ready: false, age: 300 }),
        pod({
          name: 'web-1-b',
          ready: false,
          age: 300,
          status: {
            phase: 'Pending',
            containerStatuses: [],
            conditions: [
              { type: 'PodScheduled', status: 'False', message: 'Insufficient cpu', lastTransitionTime: ago(300) },
            ],
          },
        }),
      ],
    },
    /No node can take Pod web-1-b/,
    /Ask for less/,
    ['UNSCHEDULABLE', 'READINESS_FAILING'],
  ],
];

function sidecarScene(): ReturnType<typeof oneUnready> {
  const killed = ended(137, { reason: 'OOMKilled' });
  const { pods: [main] = [], ...rest } = oneUnready({
    age: 300,
    container: { ...waiting('CrashLoopBackOff'), restartCount: 2, lastState: killed },
  });
  if (!main) throw new Error('no Pod');
  const sidecar = { name: 'proxy', image: 'proxy:1', ready: true, restartCount: 0, state: { running: {} } };
  return {
    ...rest,
    pods: [
      {
        ...main,
        spec: { ...main.spec, containers: [...main.spec.containers, container({ name: 'proxy' })] },
        status: { ...main.status, containerStatuses: [...(main.status?.containerStatuses ?? []), sidecar] },
      },
    ],
  };
}
