import type { EndpointSlice, Pod, Service } from '../../../src/k8s/resources.ts';
import type { Endpoints } from '../../../src/modules/invoke/endpoints.ts';
import type { RunView } from '../../../src/modules/runs/service.ts';
import { globalId } from '../../../src/schema/ids.ts';

export interface ViewParts {
  name?: string;
  /** Of the Service. */
  address?: string;
  podAddress?: string;
  /** Of the Service. */
  port?: number;
  service?: Partial<Service['spec']> | null;
  metadata?: Partial<Service['metadata']>;
  pod?: Partial<Pod['spec']> & { podIPs?: string[]; uid?: string; labels?: Record<string, string>; ready?: boolean };
  endpoint?: NonNullable<EndpointSlice['endpoints']>[number] | null;
  status?: Partial<RunView['status']>;
  url?: string | null;
  urls?: string[];
  aliases?: Service[];
}

/** A run with one ready Pod behind its Service; the parts say what is different. */
export function runView(parts: ViewParts = {}): RunView {
  const { name = 'echo', address = '10.1.2.3', port = 8000 } = parts;
  const namespace = 'demo';
  const service: Service | null =
    parts.service === null
      ? null
      : {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name, namespace, uid: `uid-${name}`, ...parts.metadata },
          spec: {
            type: 'ClusterIP',
            clusterIP: address,
            selector: { run: name },
            ports: [
              { name: 'http', port, protocol: 'TCP', targetPort: 9000 },
              { name: 'dns', port: 53, protocol: 'UDP' },
            ],
            ...parts.service,
          },
        };
  const {
    podIPs = [parts.podAddress ?? '10.2.3.4'],
    uid = `uid-${name}-1`,
    labels = { run: name },
    ready = true,
    ...podSpec
  } = parts.pod ?? {};
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${name}-1`, namespace, uid, labels },
    spec: { containers: [], ...podSpec },
    status: {
      phase: 'Running',
      podIPs: podIPs.map((ip) => ({ ip })),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
  const endpoint = parts.endpoint === undefined ? readyEndpoint(name, parts.podAddress) : parts.endpoint;
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-x`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: endpoint ? [endpoint] : [],
    ports: [{ name: 'http', port: 9000, protocol: 'TCP' }],
  };
  const url = parts.url === undefined ? `${name}.${namespace}:${port}` : parts.url;
  return {
    key: `${namespace}/${name}`,
    id: globalId('ServiceRun', `${namespace}/${name}`),
    uid: `uid-${name}-run`,
    runId: name,
    name,
    namespace,
    project: null,
    function: null,
    kind: null,
    source: 'slipway',
    user: null,
    labels: {},
    createdAt: 0,
    protocol: 'HTTP',
    spec: { image: null, command: [], args: [], replicas: 1, env: [] },
    status: {
      state: 'RUNNING',
      health: 'HEALTHY',
      message: null,
      reasons: [],
      replicas: { desired: 1, ready: 1, updated: 1, available: 1 },
      restarts: 0,
      since: 0,
      observedAt: 0,
      service: service && {
        name,
        namespace,
        type: 'ClusterIP',
        clusterIP: address,
        externalName: null,
        externalIPs: [],
        ip: null,
        hostname: null,
        ports: [],
        url,
        urls: (parts.urls ?? []).map((each) => ({
          name: each,
          url: each,
          method: 'GET',
          port,
          path: '/',
          description: null,
        })),
        aliases: (parts.aliases ?? []).map(
          (alias) => `${alias.metadata.name}.${namespace}:${alias.spec.ports?.[0]?.port}`,
        ),
      },
      openInference: null,
      openAI: null,
      ...parts.status,
    },
    pods: [],
    changesAt: null,
    objects: {
      workload: null,
      service,
      aliases: parts.aliases ?? [],
      pods: [pod],
      slices: [slice, ...(parts.aliases ?? []).map((alias) => aliasSlice(slice, alias))],
      events: [],
    },
  };
}

export function readyEndpoint(name = 'echo', address = '10.2.3.4') {
  return {
    addresses: [address],
    conditions: { ready: true },
    targetRef: { kind: 'Pod', namespace: 'demo', name: `${name}-1`, uid: `uid-${name}-1` },
  };
}

/** The objects of a view as the caches would give them. */
export function endpointsOf({ objects }: RunView): Endpoints {
  const services = [objects.service, ...objects.aliases].filter((service) => service !== null);
  return {
    service: (_, name) => services.find(({ metadata }) => metadata.name === name),
    slices: (_, service) =>
      objects.slices.filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service),
    pod: (_, name) => objects.pods.find(({ metadata }) => metadata.name === name),
    revision: 0,
  };
}

function aliasSlice(slice: EndpointSlice, alias: Service): EndpointSlice {
  const { name } = alias.metadata;
  return { ...slice, metadata: { ...slice.metadata, name, labels: { 'kubernetes.io/service-name': name } } };
}
