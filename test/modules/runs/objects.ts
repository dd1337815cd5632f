import type {
  Container,
  ContainerStatus,
  Deployment,
  EndpointSlice,
  KubeEvent,
  Pod,
  ReplicaSet,
  Service,
} from '../../../src/k8s/resources.ts';
import type { HealthSettings } from '../../../src/modules/runs/diagnosis/situation.ts';
import type { RunObjects } from '../../../src/modules/runs/service.ts';

/** All scenes play at this time. */
export const now = Date.parse('2026-11-24T12:00:00Z');
export const settings: HealthSettings = { restartWindowMs: 600_000, restartThreshold: 2, startDeadlineMs: 60_000 };

/** `ago(30)`: thirty seconds before now, as Kubernetes writes it. */
export const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString().replace('.000Z', 'Z');

const labels = { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': 'r1' };
const meta = (name: string, created: number) => ({
  name,
  namespace: 'lab',
  uid: `uid-${name}`,
  resourceVersion: '1',
  creationTimestamp: ago(created),
  labels,
});

export const probe = { httpGet: { path: '/health', port: 8080 } };

export function container(parts: Partial<Container> = {}): Container {
  return { name: 'main', image: 'shop:1', ports: [{ containerPort: 8080 }], readinessProbe: probe, ...parts };
}

export interface DeploymentParts {
  replicas?: number;
  status?: Deployment['status'];
  metadata?: Partial<Deployment['metadata']>;
  spec?: Partial<Deployment['spec']>;
  containers?: Container[];
}

export function deployment({ replicas = 1, status, metadata, spec, containers }: DeploymentParts = {}): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...meta('web', 3600), generation: 1, ...metadata },
    spec: {
      replicas,
      selector: { matchLabels: { 'slipway.dev/run': 'r1' } },
      template: { metadata: { labels }, spec: { containers: containers ?? [container()] } },
      ...spec,
    },
    status: {
      observedGeneration: 1,
      replicas,
      updatedReplicas: replicas,
      readyReplicas: replicas,
      availableReplicas: replicas,
      conditions: [
        { type: 'Available', status: 'True', lastTransitionTime: ago(1800), lastUpdateTime: ago(1800) },
        {
          type: 'Progressing',
          status: 'True',
          reason: 'NewReplicaSetAvailable',
          lastTransitionTime: ago(3000),
          lastUpdateTime: ago(1800),
        },
      ],
      ...status,
    },
  };
}

/** None of its replicas is ready. */
export const unready = { readyReplicas: 0, availableReplicas: 0 };

export function replicaSet(name = 'web-1', parts: Partial<ReplicaSet> = {}): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      ...meta(name, 3600),
      annotations: { 'deployment.kubernetes.io/revision': '1' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'uid-web', controller: true }],
    },
    spec: { replicas: 1, selector: { matchLabels: labels } },
    ...parts,
  };
}

export interface PodParts {
  name?: string;
  ready?: boolean;
  /** Seconds since Ready took its value. */
  readySince?: number;
  /** Seconds since it was made. */
  age?: number;
  container?: Partial<ContainerStatus>;
  spec?: Partial<Container>;
  metadata?: Partial<Pod['metadata']>;
  status?: Partial<NonNullable<Pod['status']>>;
}

export function pod(parts: PodParts = {}): Pod {
  const { name = 'web-1-a', ready = true, age = 1800, readySince = age, container: status, spec } = parts;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...meta(name, age),
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'uid-web-1', controller: true },
      ],
      ...parts.metadata,
    },
    spec: { containers: [container(spec)], nodeName: 'node-1' },
    status: {
      phase: 'Running',
      podIP: '10.0.0.7',
      startTime: ago(age),
      conditions: [
        { type: 'PodScheduled', status: 'True', lastTransitionTime: ago(age) },
        { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: ago(readySince) },
      ],
      containerStatuses: [
        {
          name: 'main',
          image: 'shop:1',
          ready,
          started: true,
          restartCount: 0,
          state: { running: { startedAt: ago(age) } },
          ...status,
        },
      ],
      ...parts.status,
    },
  };
}

export function service(
  parts: { metadata?: Partial<Service['metadata']>; spec?: Partial<Service['spec']> } = {},
): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...meta('web', 3600), uid: 'uid-web-service', ...parts.metadata },
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.96.0.9',
      selector: { 'slipway.dev/run': 'r1' },
      ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }],
      ...parts.spec,
    },
  };
}

export function slice(addresses: string[] = ['10.0.0.7']): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...meta('web-x', 3600), labels: { ...labels, 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ name: 'http', port: 8080 }],
  };
}

export function warning(reason: string, message: string, parts: { uid?: string; at?: number } = {}): KubeEvent {
  const { uid = 'uid-web-1-a', at = 5 } = parts;
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { ...meta(`event-${reason}-${at}`, at) },
    involvedObject: { kind: 'Pod', name: uid.slice(4), namespace: 'lab', uid },
    type: 'Warning',
    reason,
    message,
    count: 3,
    lastTimestamp: ago(at),
  };
}

/** A run that is well, but for what is given. */
export function objects(parts: Partial<RunObjects> = {}): RunObjects {
  return {
    workload: deployment(),
    service: service(),
    aliases: [],
    replicaSets: [replicaSet()],
    pods: [pod()],
    slices: [slice()],
    events: [],
    ...parts,
  };
}
