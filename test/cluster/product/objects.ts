import type { KubeClient } from '../../../src/k8s/cluster.ts';
import { type Deployment, type Service, deployments, services } from '../../../src/k8s/resources.ts';

type Labels = Record<string, string>;

export interface WorkloadParts {
  labels: Labels;
  replicas?: number;
  /** Of the Pods: what the stand-in kubelet makes of them. */
  annotations?: Labels;
  ports?: readonly number[];
  image?: string;
  pod?: Record<string, unknown>;
  container?: Record<string, unknown>;
}

export function workload(name: string, namespace: string, parts: WorkloadParts): Deployment {
  const { labels, replicas = 1, annotations = {}, ports = [8080], image = 'team/forecast:1.4.2' } = parts;
  const container = { name: `c-${name.slice(2)}`, image, ports: ports.map((containerPort) => ({ containerPort })) };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations },
        spec: { containers: [{ ...container, ...parts.container }], ...parts.pod },
      },
    },
  };
}

export function serviceFor(
  name: string,
  namespace: string,
  labels: Labels,
  { ports = [8080], type = 'ClusterIP' }: { ports?: readonly number[]; type?: 'ClusterIP' | 'NodePort' } = {},
): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels },
    spec: {
      type,
      selector: labels,
      ports: ports.map((port) => ({ name: `port${port}`, port, targetPort: port, protocol: 'TCP' })),
    },
  };
}

export interface PlatformRun {
  run: string;
  /** Without characters outside `[a-z0-9-]`, as in names of objects. */
  task: string;
  labels: Labels;
  ports?: readonly number[];
  aliases?: readonly string[];
}

/** All that the DigitalHub platform makes of one run, as it names things: no probe, no owner, alias Services last. */
export async function platformRun(kube: KubeClient, namespace: string, made: PlatformRun): Promise<void> {
  const { run, task, labels, ports = [8080], aliases = [] } = made;
  const options = { fieldManager: 'okhttp' };
  await kube.create(deployments, workload(`d-${task}-${run}`, namespace, { labels, ports }), options);
  for (const name of [`s-${task}-${run}`, ...aliases]) {
    await kube.create(services, serviceFor(name, namespace, labels, { ports, type: 'NodePort' }), options);
  }
}
