import type { Container, Deployment, Probe, Service } from '../../../k8s/resources.ts';
import {
  functionLabel,
  managedByLabel,
  managedBySlipway,
  modelAnnotation,
  projectLabel,
  protocolAnnotation,
  runLabel,
  userAnnotation,
} from '../labels.ts';
import type { RunRequest } from './request.ts';

export interface RunOrigin {
  runId: string;
  user: string;
  /** The embedded cluster probes every second, so that a start is seen at once. */
  embedded: boolean;
  annotations: Record<string, string>;
}

/** The Deployment of a new run. */
export function deploymentOf(request: RunRequest, origin: RunOrigin): Deployment {
  const labels = labelsOf(request, origin);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: request.name,
      namespace: request.namespace,
      labels,
      annotations: { ...annotationsOf(request, origin), ...origin.annotations },
    },
    spec: {
      replicas: request.replicas,
      selector: { matchLabels: { [runLabel]: origin.runId } },
      template: { metadata: { labels }, spec: { containers: [containerOf(request, origin)] } },
    },
  };
}

/** Its Service; the cluster removes it with the Deployment that owns it. */
export function serviceOf(request: RunRequest, origin: RunOrigin, owner: Deployment | null): Service {
  const uid = owner?.metadata.uid;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: request.name,
      namespace: request.namespace,
      labels: labelsOf(request, origin),
      annotations: annotationsOf(request, origin),
      ...(uid !== undefined && {
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: request.name, uid }],
      }),
    },
    spec: {
      selector: { [runLabel]: origin.runId },
      ports: request.ports.map(({ name, port, targetPort }) => ({ name, port, targetPort, protocol: 'TCP' })),
    },
  };
}

function labelsOf(request: RunRequest, { runId }: RunOrigin): Record<string, string> {
  return {
    ...request.labels,
    [managedByLabel]: managedBySlipway,
    [runLabel]: runId,
    ...(request.project !== null && { [projectLabel]: request.project }),
    ...(request.function !== null && { [functionLabel]: request.function }),
  };
}

function annotationsOf(request: RunRequest, { user }: RunOrigin): Record<string, string> {
  return {
    [protocolAnnotation]: request.protocol,
    [userAnnotation]: user,
    ...(request.model !== null && { [modelAnnotation]: request.model }),
  };
}

function containerOf(request: RunRequest, { embedded }: RunOrigin): Container {
  const { command, args, workingDir, env, resources } = request;
  const targets = request.ports.filter(
    (port, index, all) => all.findIndex((other) => other.targetPort === port.targetPort) === index,
  );
  return {
    name: 'main',
    image: request.image,
    ...(command.length > 0 && { command }),
    ...(args.length > 0 && { args }),
    ...(workingDir !== null && { workingDir }),
    ...(env.length > 0 && { env }),
    ports: targets.map(({ name, targetPort }) => ({ name, containerPort: targetPort, protocol: 'TCP' })),
    ...(isUsed(resources) && { resources: withoutEmpty(resources) }),
    readinessProbe: probeOf(request, embedded),
  };
}

function isUsed({ requests, limits }: RunRequest['resources']): boolean {
  return Object.keys(requests).length + Object.keys(limits).length > 0;
}

function withoutEmpty({ requests, limits }: RunRequest['resources']): NonNullable<Container['resources']> {
  return {
    ...(Object.keys(requests).length > 0 && { requests }),
    ...(Object.keys(limits).length > 0 && { limits }),
  };
}

function probeOf({ readinessPath, ports }: RunRequest, embedded: boolean): Probe {
  const port = ports[0]?.targetPort ?? 0;
  return {
    ...(readinessPath === null ? { tcpSocket: { port } } : { httpGet: { path: readinessPath, port } }),
    periodSeconds: embedded ? 1 : 5,
    timeoutSeconds: embedded ? 1 : 2,
    failureThreshold: 3,
  };
}
