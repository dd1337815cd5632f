import type { RunObjects } from '../../../../src/modules/runs/service.ts';
import { ago, deployment, pod, slice, unready } from '../objects.ts';
import { type Row } from './scenes.ts';

export const rows: Row[] = [
  [
    'a quota that is used up',
    'QUOTA_EXCEEDED',
    'DEGRADED',
    'ERROR',
    { ...replicaFailure('pods "web-1-x" is forbidden: exceeded quota: team, requested: cpu=1'), slices: [slice([])] },
    /exceeded quota: team/,
    /quota of the namespace/,
  ],
  [
    'Pods that an admission rule refuses',
    'ADMISSION_DENIED',
    'DEGRADED',
    'ERROR',
    { ...replicaFailure('admission webhook "policy.example" denied the request'), slices: [slice([])] },
    /policy\.example/,
    /A rule of the cluster/,
  ],
  [
    'a rollout that got stuck',
    'ROLLOUT_STALLED',
    'DEGRADED',
    'RUNNING',
    {
      workload: deployment({
        replicas: 2,
        status: {
          updatedReplicas: 1,
          conditions: [
            { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', lastTransitionTime: ago(30) },
          ],
        },
      }),
    },
    /made no progress for 600 s: 1 of 2 replicas are new/,
    /other reasons/,
  ],
  [
    'a rollout on its way',
    'ROLLING_OUT',
    'PROGRESSING',
    'RUNNING',
    { workload: deployment({ replicas: 2, status: { updatedReplicas: 1, replicas: 3 } }) },
    /1 of 2 replicas are new, 2 old are left/,
    /Wait/,
  ],
  [
    'a rollout that is paused',
    'ROLLING_OUT',
    'SUSPENDED',
    'RUNNING',
    { workload: deployment({ spec: { paused: true }, status: { updatedReplicas: 0 } }) },
    /is paused/,
    /kubectl rollout resume/,
  ],
  [
    'a run whose Pods are being made',
    'STARTING',
    'PROGRESSING',
    'CREATED',
    { workload: deployment({ replicas: 2, status: { ...unready, replicas: 0 } }), pods: [], slices: [slice([])] },
    /0 of 2 Pods are there/,
    /Wait/,
  ],
  [
    'a Deployment that no controller has seen',
    'STARTING',
    'PROGRESSING',
    'CREATED',
    { workload: { ...deployment({ metadata: { creationTimestamp: ago(2) } }), status: {} }, pods: [], slices: [] },
    /its controller has not taken it up yet/,
    /Wait/,
  ],
  [
    'a Deployment that no controller takes up',
    'UNKNOWN',
    'UNKNOWN',
    'CREATED',
    { workload: { ...deployment(), status: {} }, pods: [], slices: [] },
    /No controller has taken up Deployment web/,
    /controller manager/,
  ],
  [
    'a stopped run',
    'SCALED_TO_ZERO',
    'SUSPENDED',
    'STOPPED',
    {
      workload: deployment({
        replicas: 0,
        metadata: { annotations: { 'slipway.dev/replicas': '3', 'slipway.dev/stopped-at': ago(40) } },
      }),
      pods: [],
      slices: [slice([])],
    },
    /it has 0 replicas, resume brings back 3\./,
    /Resume it/,
  ],
  [
    'a run that is being deleted',
    'TERMINATING',
    'PROGRESSING',
    'DELETING',
    { workload: deployment({ metadata: { deletionTimestamp: ago(3), finalizers: ['foregroundDeletion'] } }) },
    /Deployment web is being deleted; 1 Pod is left/,
    /Wait/,
  ],
  [
    'a deletion that got stuck',
    'TERMINATING',
    'DEGRADED',
    'DELETING',
    { workload: deployment({ metadata: { deletionTimestamp: ago(300), finalizers: ['example.com/guard'] } }) },
    /is being deleted for over a minute and waits for example\.com\/guard/,
    /finalizer/,
  ],
  [
    'a quota that wants resources said',
    'QUOTA_EXCEEDED',
    'DEGRADED',
    'ERROR',
    replicaFailure('pods "web-1-x" is forbidden: failed quota: team: must specify limits.memory for: main'),
    /must specify limits\.memory/,
    /Give the run the resources/,
  ],
  [
    'Pods that can not be created for another reason',
    'UNKNOWN',
    'DEGRADED',
    'ERROR',
    replicaFailure('Internal error occurred: etcdserver: request timed out'),
    /request timed out/,
    /cluster refuses to create/,
  ],
  [
    'a rollout whose deadline is over, before its controller says so',
    'ROLLOUT_STALLED',
    'DEGRADED',
    'RUNNING',
    { workload: deployment({ replicas: 2, spec: { progressDeadlineSeconds: 100 }, status: progressed(101) }) },
    /made no progress for 100 s: 1 of 2 replicas are new/,
    /go back to the version/,
    ['ROLLOUT_STALLED', 'ROLLING_OUT'],
  ],
  [
    'a change that the controller has not seen',
    'ROLLING_OUT',
    'PROGRESSING',
    'RUNNING',
    { workload: deployment({ metadata: { generation: 2 } }) },
    /was changed; its controller has not taken it up yet/,
    /Wait/,
  ],
  [
    'Pods that have yet to prove themselves',
    'STARTING',
    'PROGRESSING',
    'RUNNING',
    { workload: deployment({ spec: { minReadySeconds: 30 }, status: { availableReplicas: 0 } }) },
    /1 of 1 replicas are ready, 0 available/,
    /ready for 30 s/,
  ],
  [
    'a run that is stopped while its Pods still end',
    'SCALED_TO_ZERO',
    'SUSPENDED',
    'STOPPED',
    {
      workload: deployment({ replicas: 0 }),
      pods: [pod({ metadata: { deletionTimestamp: ago(1) } })],
      slices: [slice([])],
    },
    /it has 0 replicas; 1 Pod still ending\./,
    /Resume it/,
  ],
  [
    'Pods that the server may not read',
    'UNKNOWN',
    'UNKNOWN',
    'RUNNING',
    { pods: [], replicaSets: [], unreadable: ['Pod', 'ReplicaSet'] },
    /can't read these objects of the cluster: Pod, ReplicaSet\./,
    /right to list and watch/,
  ],
];

function replicaFailure(message: string): Partial<RunObjects> {
  const condition = { type: 'ReplicaFailure', status: 'True' as const, reason: 'FailedCreate', message };
  return { workload: deployment({ status: { ...unready, replicas: 0, conditions: [condition] } }), pods: [] };
}

function progressed(seconds: number) {
  return {
    updatedReplicas: 1,
    conditions: [
      {
        type: 'Progressing',
        status: 'True' as const,
        reason: 'ReplicaSetUpdated',
        lastUpdateTime: ago(seconds),
        lastTransitionTime: ago(seconds),
      },
    ],
  };
}
