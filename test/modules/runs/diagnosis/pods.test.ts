import { ago, deployment, pod, slice, unready, warning } from '../objects.ts';
import { type Row, expectRows, oneUnready, waiting } from './scenes.ts';

const rows: Row[] = [
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
];

expectRows('Pods', rows);

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
