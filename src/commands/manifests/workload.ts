import type { Fields, Node } from './template.ts';
import type { Site } from './site.ts';

const httpPort = 4000;
const metricsPort = 9464;
const configFolder = '/etc/slipway';
const dataFolder = '/data';
/** Of the image. */
const userId = 1000;
/** The server ends by itself within 25 s. */
const graceSeconds = 30;

export function metadata(site: Site, suffix = ''): Fields {
  return { name: site.named(suffix), namespace: site.namespace, labels: site.labels };
}

export function serviceAccount(site: Site): Fields {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: {
      name: site.serviceAccount,
      namespace: site.namespace,
      labels: site.labels,
      annotations: site.serviceAccountAnnotations,
    },
    automountServiceAccountToken: false,
  };
}

export function configMap(site: Site): Fields {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata(site), data: { 'slipway.yaml': site.config } };
}

export function deployment(site: Site): Fields {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata(site),
    spec: {
      replicas: site.replicas,
      selector: { matchLabels: site.selector },
      // A new replica is ready before an old one goes.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: { metadata: podMetadata(site), spec: podSpec(site) },
    },
  };
}

function podMetadata(site: Site): Fields {
  return {
    labels: { ...site.labels, '...own': site.podLabels },
    // A changed configuration makes new Pods.
    annotations: { 'checksum/config': site.configHash, '...own': site.podAnnotations },
  };
}

function podSpec(site: Site): Fields {
  return {
    serviceAccountName: site.serviceAccount,
    automountServiceAccountToken: true,
    // Names such as SLIPWAY_PORT are ours.
    enableServiceLinks: false,
    imagePullSecrets: site.pullSecrets,
    priorityClassName: site.priorityClass,
    terminationGracePeriodSeconds: graceSeconds,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: userId,
      runAsGroup: userId,
      fsGroup: userId,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [container(site)],
    volumes: [
      { name: 'config', configMap: { name: site.named() } },
      { name: 'data', emptyDir: { sizeLimit: '256Mi' } },
    ],
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: site.selector },
      },
    ],
    nodeSelector: site.nodeSelector,
    tolerations: site.tolerations,
    affinity: site.affinity,
  };
}

function container(site: Site): Fields {
  return {
    name: 'slipway',
    image: site.image,
    imagePullPolicy: site.pullPolicy,
    env: environment(site),
    ports: [
      { name: 'http', containerPort: httpPort },
      { name: 'metrics', containerPort: metricsPort },
    ],
    startupProbe: { ...probe('/livez'), periodSeconds: 1, failureThreshold: 60 },
    livenessProbe: { ...probe('/livez'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
    readinessProbe: { ...probe('/readyz'), periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 2 },
    resources: site.resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'config', mountPath: configFolder, readOnly: true },
      { name: 'data', mountPath: dataFolder },
    ],
  };
}

function environment(site: Site): Node[] {
  const fixed = {
    SLIPWAY_CLUSTER: 'in-cluster',
    SLIPWAY_HOST: '0.0.0.0',
    SLIPWAY_PORT: String(httpPort),
    SLIPWAY_METRICS_HOST: '0.0.0.0',
    SLIPWAY_METRICS_PORT: String(metricsPort),
    SLIPWAY_DATA_DIR: dataFolder,
    SLIPWAY_CONFIG: `${configFolder}/slipway.yaml`,
  };
  return [...Object.entries(fixed).map(([name, value]) => ({ name, value })), ...site.environment];
}

function probe(path: string): Fields {
  return { httpGet: { path, port: 'http' } };
}

export function service(site: Site): Fields {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...metadata(site), annotations: site.service.annotations },
    spec: {
      type: site.service.type,
      selector: site.selector,
      ports: [{ name: 'http', port: site.service.port, targetPort: 'http', appProtocol: 'http' }],
    },
  };
}

export function disruptionBudget(site: Site): Fields {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metadata(site),
    spec: { maxUnavailable: 1, selector: { matchLabels: site.selector } },
  };
}
