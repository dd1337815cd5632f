import type { EndpointSlice, Pod, Service, ServicePortSpec } from '../../resources.ts';
import { mappedPort } from '../runtime/ports.ts';
import { canonicalJson, hashSuffix } from './canonical.ts';
import { isFinished, isReady } from './pod-state.ts';

export const serviceNameLabel = 'kubernetes.io/service-name';
export const sliceManagedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const sliceManager = 'endpointslice-controller.k8s.io';
const headlessLabel = 'service.kubernetes.io/headless';

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number];
type SlicePort = NonNullable<EndpointSlice['ports']>[number];

/** Where a Pod listens for a Service port: a number is itself, a name is looked up in the Pod's containers. */
export function targetPort(pod: Pod, port: ServicePortSpec): number | undefined {
  const target = port.targetPort ?? port.port;
  const protocol = port.protocol ?? 'TCP';
  if (typeof target === 'number') return mappedPort(pod, target);
  if (/^\d+$/.test(target)) return mappedPort(pod, Number(target));
  for (const container of pod.spec.containers) {
    const found = container.ports?.find((entry) => entry.name === target && (entry.protocol ?? 'TCP') === protocol);
    if (found) return mappedPort(pod, found.containerPort);
  }
  return undefined;
}

function slicePorts(service: Service, pod: Pod): SlicePort[] {
  return (service.spec.ports ?? []).flatMap((entry) => {
    const port = targetPort(pod, entry);
    if (port === undefined) return [];
    const { appProtocol } = entry;
    return [{ name: entry.name ?? '', port, protocol: entry.protocol ?? 'TCP', ...(appProtocol && { appProtocol }) }];
  });
}

function endpoint(service: Service, pod: Pod, address: string): Endpoint {
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const serving = isReady(pod);
  const always = service.spec.publishNotReadyAddresses ?? false;
  const { name, namespace, uid } = pod.metadata;
  return {
    addresses: [address],
    conditions: { ready: always || (serving && !terminating), serving, terminating },
    ...(pod.spec.nodeName !== undefined && { nodeName: pod.spec.nodeName }),
    targetRef: {
      kind: 'Pod',
      ...(namespace !== undefined && { namespace }),
      name,
      ...(uid !== undefined && { uid }),
    },
  };
}

function newSlice(service: Service, ports: SlicePort[], endpoints: Endpoint[]): EndpointSlice {
  const { name, namespace, uid } = service.metadata;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      // The same ports give the same name, so a slice is found again.
      name: `${name}-${hashSuffix(canonicalJson([uid, ports])).slice(0, 5)}`,
      ...(namespace !== undefined && { namespace }),
      labels: {
        ...service.metadata.labels,
        [serviceNameLabel]: name,
        [sliceManagedByLabel]: sliceManager,
        ...(service.spec.clusterIP === 'None' && { [headlessLabel]: '' }),
      },
      ownerReferences: [
        {
          apiVersion: 'v1',
          kind: 'Service',
          name,
          uid: uid ?? '',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    addressType: 'IPv4',
    endpoints,
    ports,
  };
}

/**
 * Pure: the slices of a Service for the Pods its selector matches: one for each set of port numbers, and one without
 * endpoints when there is no Pod, as the real controller makes.
 */
export function endpointSlicesOf(service: Service, matching: readonly Pod[]): EndpointSlice[] {
  if (service.spec.type === 'ExternalName' || !hasSelector(service)) return [];
  const groups = new Map<string, { ports: SlicePort[]; endpoints: Endpoint[] }>();
  for (const pod of matching.toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name))) {
    const address = pod.status?.podIP;
    if (address === undefined || isFinished(pod)) continue;
    const ports = slicePorts(service, pod);
    const key = canonicalJson(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    group.endpoints.push(endpoint(service, pod, address));
    groups.set(key, group);
  }
  if (groups.size === 0) return [newSlice(service, [], [])];
  return [...groups.values()].map(({ ports, endpoints }) => newSlice(service, ports, endpoints));
}

export function hasSelector(service: Service): boolean {
  return Object.keys(service.spec.selector ?? {}).length > 0;
}

/** True if the Service's selector matches the Pod's labels. */
export function selects(service: Service, pod: Pod): boolean {
  const selector = Object.entries(service.spec.selector ?? {});
  return selector.length > 0 && selector.every(([key, value]) => pod.metadata.labels?.[key] === value);
}
