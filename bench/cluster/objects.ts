import {
  type Deployment,
  type EndpointSlice,
  type Pod,
  type ReplicaSet,
  type Service,
} from '../../src/k8s/resources.ts';

const application = 'digitalhub-core';

/** All objects of one run as the DigitalHub platform and the cluster's controllers make them, without what the server adds. */
export interface RunSet {
  namespace: string;
  deployment: Deployment;
  replicaSet: (owner: string) => ReplicaSet;
  pod: (owner: string) => Pod;
  service: Service;
  slice: (owner: string) => EndpointSlice;
}

export const runIdOf = (index: number): string => `0ff1ce${index.toString(16).padStart(26, '0')}`;

export function runSet(index: number, namespace: string): RunSet {
  const run = runIdOf(index);
  const project = `project-${index % 50}`;
  const labels = labelsOf(run, project, `function-${index % 500}`);
  const name = `d-containerserve-${run}`;
  const service = `s-containerserve-${run}`;
  const [hash, address] = ['6c9f8d7b5d', `10.244.${index >> 8}.${index & 255}`];
  const podLabels = { ...labels, 'pod-template-hash': hash };
  const template = { metadata: { labels }, spec: podSpec(run) };
  const meta = (named: string, owner?: { kind: string; name: string; uid: string }) => ({
    ...{ name: named, namespace, labels: owner ? podLabels : labels },
    ...(owner && {
      ownerReferences: [{ apiVersion: 'apps/v1', controller: true, blockOwnerDeletion: true, ...owner }],
    }),
  });
  const set = `${name}-${hash}`;
  return {
    namespace,
    deployment: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { ...meta(name), annotations: { 'deployment.kubernetes.io/revision': '1' } },
      spec: { replicas: 1, selector: { matchLabels: labels }, template },
      status: deploymentStatus(set),
    },
    replicaSet: (uid) => ({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        ...meta(set, { kind: 'Deployment', name, uid }),
        annotations: { 'deployment.kubernetes.io/revision': '1' },
      },
      spec: {
        replicas: 1,
        selector: { matchLabels: podLabels },
        template: { ...template, metadata: { labels: podLabels } },
      },
      status: { replicas: 1, readyReplicas: 1, availableReplicas: 1, observedGeneration: 1 },
    }),
    pod: (uid) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: meta(`${set}-abcde`, { kind: 'ReplicaSet', name: set, uid }),
      spec: { ...podSpec(run), nodeName: `node-${index % 20}` },
      status: podStatus(run, address),
    }),
    service: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: meta(service),
      spec: {
        type: 'ClusterIP',
        selector: labels,
        ports: [{ name: 'port8080', port: 8080, targetPort: 8080, protocol: 'TCP' }],
      },
    },
    slice: (uid) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        ...meta(`${service}-x7k2p`),
        labels: { ...labels, 'kubernetes.io/service-name': service },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name: service, uid, controller: true }],
      },
      addressType: 'IPv4',
      endpoints: [
        {
          addresses: [address],
          conditions: { ready: true, serving: true, terminating: false },
          nodeName: `node-${index % 20}`,
          targetRef: { kind: 'Pod', namespace, name: `${set}-abcde` },
        },
      ],
      ports: [{ name: 'port8080', port: 8080, protocol: 'TCP' }],
    }),
  };
}

function labelsOf(run: string, project: string, name: string): Record<string, string> {
  return {
    'app.kubernetes.io/managed-by': 'dhcore',
    'app.kubernetes.io/part-of': application,
    'app.kubernetes.io/instance': `${application}-${run}`,
    'app.kubernetes.io/version': run,
    'app.kubernetes.io/component': `${application}-${project}`,
    'dhcore/instance': application,
    'dhcore/framework': 'k8sserve',
    'dhcore/project': project,
    'dhcore/run': run,
    'dhcore/runtime': 'container',
    'dhcore/user': 'ada',
    [`${application}/function`]: name,
  };
}

function podSpec(run: string) {
  const env = (name: string, value: string) => ({ name, value });
  return {
    containers: [
      {
        name: `c-containerserve-${run}`,
        image: 'registry.example/team/forecast:1.4.2',
        command: ['python'],
        args: ['-m', 'server', '--port', '8080', '--workers', '2'],
        ports: [{ containerPort: 8080 }],
        env: [
          env('PROJECT_NAME', 'prices'),
          env('RUN_ID', run),
          env('DIGITALHUB_CORE_ENDPOINT', 'http://digitalhub-core:8080'),
          env('DIGITALHUB_CORE_WORKFLOW', 'http://workflows:8080'),
          ...['ACCESS_TOKEN', 'REFRESH_TOKEN', 'S3_KEY', 'S3_SECRET', 'DB_PASSWORD'].map((key) => ({
            name: key,
            valueFrom: { secretKeyRef: { name: `sec-containerserve-${run}`, key } },
          })),
        ],
        resources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } },
        volumeMounts: [
          { name: 'shared-dir', mountPath: '/shared' },
          { name: 'init-config-map', mountPath: '/init-config-map' },
        ],
      },
    ],
    volumes: [
      { name: 'shared-dir', emptyDir: {} },
      { name: 'init-config-map', configMap: { name: `init-config-map-${run}` } },
    ],
    restartPolicy: 'Always' as const,
  };
}

const at = new Date(Date.now() - 3_600_000).toISOString().replace(/\.\d+Z$/, 'Z');

function deploymentStatus(set: string): NonNullable<Deployment['status']> {
  const condition = (type: string, reason: string, message: string) => ({
    ...{ type, status: 'True' as const, reason, message, lastUpdateTime: at, lastTransitionTime: at },
  });
  return {
    observedGeneration: 1,
    replicas: 1,
    updatedReplicas: 1,
    readyReplicas: 1,
    availableReplicas: 1,
    conditions: [
      condition('Available', 'MinimumReplicasAvailable', 'Deployment has minimum availability.'),
      condition('Progressing', 'NewReplicaSetAvailable', `ReplicaSet "${set}" has successfully progressed.`),
    ],
  };
}

function podStatus(run: string, ip: string): NonNullable<Pod['status']> {
  const types = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'];
  return {
    phase: 'Running',
    startTime: at,
    hostIP: '10.0.0.1',
    podIP: ip,
    podIPs: [{ ip }],
    conditions: types.map((type) => ({ type, status: 'True' as const, lastTransitionTime: at })),
    containerStatuses: [
      {
        name: `c-containerserve-${run}`,
        image: 'registry.example/team/forecast:1.4.2',
        imageID: `registry.example/team/forecast@sha256:${'ab'.repeat(32)}`,
        containerID: `containerd://${run}${run}`,
        ready: true,
        started: true,
        restartCount: 0,
        state: { running: { startedAt: at } },
      },
    ],
  };
}
