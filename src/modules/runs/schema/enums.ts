import { perBuilder } from '../../../schema/builder.ts';

export const RunState = perBuilder((builder) =>
  builder.enumType('RunState', {
    description: 'What a run is doing, in the lifecycle words of the platform. How well it does is `health`.',
    values: {
      CREATED: { description: 'Its objects are there, but no Pod yet.' },
      PENDING: { description: 'Its Pods are on their way; none is ready.' },
      RUNNING: { description: 'At least one Pod is ready.' },
      STOPPED: { description: 'It has zero replicas and can be resumed.' },
      ERROR: { description: 'No Pod is ready, and something is wrong; or its workload is missing.' },
      COMPLETED: { description: 'It ended by itself. Services do not, so this is for runs of other kinds.' },
      DELETING: { description: 'It is being deleted.' },
    } as const,
  }),
);

export const HealthStatus = perBuilder((builder) =>
  builder.enumType('HealthStatus', {
    description: 'How well a run is, in the health words of Argo CD.',
    values: {
      HEALTHY: { description: 'Every replica is ready and its Service reaches them.' },
      PROGRESSING: { description: 'Not there yet, and nothing says it will not get there.' },
      DEGRADED: { description: 'Something is wrong: the reasons say what, and what to do.' },
      SUSPENDED: { description: 'Stopped or paused on purpose.' },
      MISSING: { description: 'Its workload or its Service is not there.' },
      UNKNOWN: { description: 'It can not be judged.' },
    } as const,
  }),
);

export const HealthReasonCode = perBuilder((builder) =>
  builder.enumType('HealthReasonCode', {
    description: 'Why a run has the health it has.',
    values: {
      IMAGE_PULL: { description: 'A container image can not be fetched.' },
      CRASH_LOOP: { description: 'A container ends again and again.' },
      OOM_KILLED: { description: 'A container was killed for using too much memory.' },
      CONTAINER_CONFIG: { description: 'A container can not be made: a missing Secret, a wrong command or the like.' },
      STARTUP_FAILING: { description: 'A startup probe fails.' },
      READINESS_FAILING: { description: 'A readiness probe fails.' },
      LIVENESS_FAILING: { description: 'A liveness probe fails.' },
      UNSCHEDULABLE: { description: 'No node can take a Pod.' },
      VOLUME_PENDING: { description: 'A Pod waits for a volume.' },
      QUOTA_EXCEEDED: { description: 'A quota of the namespace keeps Pods from being created.' },
      ADMISSION_DENIED: { description: 'A rule of the cluster refuses the Pods.' },
      ROLLOUT_STALLED: { description: 'A rollout made no progress within its deadline.' },
      ROLLING_OUT: { description: 'A new version is being rolled out.' },
      STARTING: { description: 'It is starting.' },
      NO_READINESS_PROBE: { description: 'For information: ready only means that the process runs.' },
      EVICTED: { description: 'A Pod was put off its node.' },
      NODE_LOST: { description: 'The node of a Pod no longer reports.' },
      NO_ENDPOINTS: { description: 'The Service reaches no ready Pod though there are some.' },
      SELECTOR_MISMATCH: { description: "The Service's selector does not fit the Pods." },
      PORT_MISMATCH: { description: "The Service's target port does not fit the containers." },
      SERVICE_MISSING: { description: 'There is no Service.' },
      WORKLOAD_MISSING: { description: 'There is a Service but no workload.' },
      SCALED_TO_ZERO: { description: 'It has zero replicas.' },
      TERMINATING: { description: 'It is being deleted.' },
      STALE: { description: 'The server has lost touch with the cluster: what is shown may be out of date.' },
      UNKNOWN: { description: 'Something else: see the message.' },
    } as const,
  }),
);

export const ServiceRunAction = perBuilder((builder) =>
  builder.enumType('ServiceRunAction', {
    description: 'What can be done to a run.',
    values: {
      INVOKE: { description: 'Call it.' },
      SCALE: { description: 'Change the number of replicas.' },
      STOP: { description: 'Scale it to zero, remembering the number of replicas.' },
      RESUME: { description: 'Bring back the replicas it had.' },
      RESTART: { description: 'Replace its Pods.' },
      DELETE: { description: 'Remove it.' },
      EXPOSE: { description: 'Give it a public address.' },
    } as const,
  }),
);

export const ServiceProtocol = perBuilder((builder) =>
  builder.enumType('ServiceProtocol', {
    description: 'What a service speaks, and so which well-known addresses it has.',
    values: {
      HTTP: { description: 'Any HTTP service: only its base addresses are known.' },
      OPEN_INFERENCE: { description: 'The Open Inference protocol, version 2 (KServe, MLServer, Triton).' },
      OPENAI: { description: 'The API of OpenAI (vLLM and others).' },
    } as const,
  }),
);

export const ServiceRunOrderField = perBuilder((builder) =>
  builder.enumType('ServiceRunOrderField', {
    description: 'What runs can be sorted by.',
    values: {
      CREATED_AT: { description: 'When it was created.' },
      NAME: { description: 'Its name.' },
      PROJECT: { description: 'Its project, then its name.' },
      HEALTH: { description: 'Its health: ascending puts what needs care first.' },
      LAST_CHANGED_AT: { description: 'When its health took its present value.' },
    } as const,
  }),
);
