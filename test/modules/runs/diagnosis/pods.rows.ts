import { ago, deployment, pod, slice, unready, warning } from '../objects.ts';
import { type Row, oneUnready, seen, waiting } from './scenes.ts';

export const rows: Row[] = [
  [
    'a Pod that fits on no node, at first',
    'UNSCHEDULABLE',
    'PROGRESSING',
    'PENDING',
    oneUnready({ age: 10, status: pendingFor(10, '0/3 nodes are available: 3 Insufficient nvidia.com/gpu') }),
    /No node can take Pod web-1-a: 0\/3 nodes are available: 3 Insufficient nvidia.com\/gpu\./,
    /Ask for less/,
  ],
  [
    'a Pod that fits on no node, for long',
    'UNSCHEDULABLE',
    'DEGRADED',
    'ERROR',
    oneUnready({ age: 90, status: pendingFor(90, "0/3 nodes are available: 3 node(s) didn't match node selector") }),
    /didn't match/,
    /node selectors/,
  ],
  [
    'a volume that is not there',
    'VOLUME_PENDING',
    'DEGRADED',
    'ERROR',
    oneUnready({ age: 90, status: pendingFor(90, 'pod has unbound immediate PersistentVolumeClaims') }),
    /waits for a volume/,
    /storage class/,
  ],
  [
    'a volume that can not be mounted',
    'VOLUME_PENDING',
    'PROGRESSING',
    'PENDING',
    {
      ...oneUnready({ age: 20, container: waiting('ContainerCreating') }),
      events: [warning('FailedMount', 'MountVolume.SetUp failed: configmap "settings" not found')],
    },
    /configmap "settings" not found/,
    /exists/,
  ],
  [
    'a Pod whose image is being fetched',
    'STARTING',
    'PROGRESSING',
    'PENDING',
    oneUnready({ age: 5, container: waiting('ContainerCreating') }),
    /Pod web-1-a is not ready yet/,
    /Wait/,
  ],
  [
    'a Pod that was evicted while the run is short of Pods',
    'EVICTED',
    'DEGRADED',
    'ERROR',
    {
      workload: deployment({ status: unready }),
      pods: [
        pod({ ready: false, status: { phase: 'Failed', reason: 'Evicted', message: 'The node was low on memory.' } }),
      ],
      slices: [slice([])],
    },
    /1 Pod lost its node, last web-1-a: The node was low on memory\./,
    /requests that fit/,
  ],
  [
    'a node that no longer reports',
    'NODE_LOST',
    'DEGRADED',
    'ERROR',
    oneUnready({
      status: {
        conditions: [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown', lastTransitionTime: ago(50) }],
      },
    }),
    /Node node-1 of Pod web-1-a no longer reports/,
    /Check the node/,
  ],
  [
    'a Pod that no node tolerates',
    'UNSCHEDULABLE',
    'DEGRADED',
    'ERROR',
    oneUnready({ age: 90, status: pendingFor(90, '0/1 nodes are available: 1 node(s) had untolerated taint {gpu: }') }),
    /untolerated taint/,
    /tolerations/,
  ],
  [
    'a volume that can not be attached, for long',
    'VOLUME_PENDING',
    'DEGRADED',
    'ERROR',
    {
      ...oneUnready({ age: 90, container: waiting('ContainerCreating') }),
      events: [warning('FailedAttachVolume', 'Multi-Attach error for volume "data": already used by another node')],
    },
    /Multi-Attach error/,
    /not in use by another node/,
  ],
  [
    'a Pod that takes long to start',
    'STARTING',
    'DEGRADED',
    'ERROR',
    {
      ...oneUnready({ age: 90, container: waiting('ContainerCreating') }),
      events: [warning('FailedCreatePodSandBox', 'failed to set up the network of the sandbox')],
    },
    /is not ready yet: failed to set up the network/,
    /events of the Pod/,
  ],
  [
    'a Pod that a load balancer does not know yet',
    'READINESS_FAILING',
    'PROGRESSING',
    'PENDING',
    oneUnready({
      container: { ready: true },
      status: {
        conditions: [
          {
            type: 'Ready',
            status: 'False',
            reason: 'ReadinessGatesNotReady',
            message: 'corresponding condition of pod readiness gate "lb.example/ready" does not exist.',
            lastTransitionTime: ago(20),
          },
        ],
      },
    }),
    /readiness gate: corresponding condition/,
    /controller that sets the condition/,
  ],
  [
    'a node that the cluster has given up',
    'NODE_LOST',
    'DEGRADED',
    'ERROR',
    {
      ...oneUnready({ readySince: 20, container: { ready: true } }),
      events: [warning('NodeNotReady', 'Node is not ready')],
    },
    /Node node-1 of Pod web-1-a no longer reports/,
    /replaces the Pod/,
  ],
  [
    'a Pod that loses its readiness again and again',
    'READINESS_FAILING',
    'DEGRADED',
    'RUNNING',
    { sightings: seen({ losses: [400, 200, 90] }), pods: [pod({ readySince: 80 })] },
    /Pod web-1-a stopped being ready 3 times in the last 10 minutes/,
    /ready at the moment/,
  ],
  [
    'a node that is full after all',
    'UNSCHEDULABLE',
    'DEGRADED',
    'ERROR',
    failed('OutOfcpu', "Pod was rejected: Node didn't have enough resource: cpu"),
    /1 Pod failed, last web-1-a: Pod was rejected: Node didn't have enough resource: cpu\./,
    /Ask for less/,
    ['UNSCHEDULABLE'],
  ],
  [
    'a node that refuses the Pod',
    'ADMISSION_DENIED',
    'DEGRADED',
    'ERROR',
    failed('UnexpectedAdmissionError', 'Allocate failed due to no healthy devices present'),
    /no healthy devices/,
    /node refuses/,
  ],
  [
    'a Pod that failed as a whole',
    'UNKNOWN',
    'DEGRADED',
    'ERROR',
    failed('DeadlineExceeded', 'Pod was active on the node longer than the specified deadline'),
    /longer than the specified deadline/,
    /events of the Pod/,
  ],
];

function pendingFor(seconds: number, message: string) {
  return {
    phase: 'Pending' as const,
    containerStatuses: [],
    conditions: [
      {
        type: 'PodScheduled',
        status: 'False' as const,
        reason: 'Unschedulable',
        message,
        lastTransitionTime: ago(seconds),
      },
    ],
  };
}

function failed(reason: string, message: string) {
  return {
    workload: deployment({ status: unready }),
    pods: [
      pod({ ready: false, age: 30, status: { phase: 'Failed' as const, reason, message, containerStatuses: [] } }),
    ],
    slices: [slice([])],
  };
}
