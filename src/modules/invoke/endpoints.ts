import type { Cluster } from '../../k8s/cluster.ts';
import {
  type EndpointSlice,
  type Pod,
  type Service,
  type ServicePortSpec,
  endpointSlices,
  pods,
  services,
} from '../../k8s/resources.ts';
import { sameAddress } from './addresses.ts';

/** Where the cluster's own objects are looked up, as fresh as the caches are. */
export interface Endpoints {
  /** The Service as it is now. */
  service(namespace: string, name: string): Service | undefined;
  slices(namespace: string, service: string): Iterable<EndpointSlice>;
  pod(namespace: string, name: string): Pod | undefined;
  /** Another one after any of them has changed. */
  readonly revision: number;
}

/** True for addresses that Pods of this cluster can have. */
export type Admits = (address: string) => boolean;

/** One address that may be dialed. */
export interface Endpoint {
  address: string;
  port: number;
  /** uid of the Pod: another Pod may get the address later. */
  pod: string;
  /** All of these as one text. */
  key: string;
}

/** Why an endpoint must not be dialed: in words and as a reason. */
export type EndpointProblem = readonly [message: string, reason: string];

const serviceNameLabel = 'kubernetes.io/service-name';

export function createEndpoints(cluster: Cluster): Endpoints {
  const allSlices = cluster.cache(endpointSlices);
  const slicesOf = allSlices.index('invoke:service', ({ metadata }) => {
    const name = metadata.labels?.[serviceNameLabel];
    return name === undefined ? [] : [`${metadata.namespace}/${name}`];
  });
  const allServices = cluster.cache(services);
  const allPods = cluster.cache(pods);
  let revision = 0;
  const changed = () => void (revision += 1);
  for (const cache of [allServices, allPods, allSlices]) cache.subscribe(changed);
  return {
    service: (namespace, name) => allServices.get(namespace, name),
    slices: (namespace, service) => slicesOf(`${namespace}/${service}`),
    pod: (namespace, name) => allPods.get(namespace, name),
    get revision() {
      return revision;
    },
  };
}

/**
 * The ready endpoints behind one port of a Service, or the first that is not what it should be. Who may write
 * EndpointSlices could point a Service at anything (CVE-2021-25740), so each has to be the very address of a Pod of the
 * Service's namespace that the Service selects.
 */
export function readyEndpoints(
  objects: Endpoints,
  service: Service,
  port: ServicePortSpec,
  admits: Admits,
): { endpoints: Endpoint[]; problem?: undefined } | { problem: EndpointProblem } {
  const { namespace = '', name } = service.metadata;
  const endpoints: Endpoint[] = [];
  for (const slice of objects.slices(namespace, name)) {
    const number = slice.ports?.find(
      (candidate) => (candidate.name ?? '') === (port.name ?? '') && (candidate.protocol ?? 'TCP') === 'TCP',
    )?.port;
    if (number === undefined || slice.metadata.deletionTimestamp) continue;
    for (const { addresses, conditions, targetRef } of slice.endpoints ?? []) {
      if (conditions?.ready === false) continue;
      const pod = podOf(objects, service, targetRef);
      for (const address of addresses) {
        const problem = problemOf(pod, service, address, admits);
        if (problem) return { problem };
        if (pod && isReady(pod)) endpoints.push(endpointOf(pod, address, number));
      }
    }
  }
  return { endpoints: preferred(endpoints, service.spec.clusterIP) };
}

function endpointOf({ metadata: { uid: pod = '' } }: Pod, address: string, port: number): Endpoint {
  return { address, port, pod, key: `${pod}\n${address}\n${port}` };
}

type TargetRef = NonNullable<NonNullable<EndpointSlice['endpoints']>[number]['targetRef']>;

function podOf(objects: Endpoints, { metadata }: Service, ref: TargetRef | undefined): Pod | undefined {
  if (ref?.kind !== 'Pod' || ref.namespace !== metadata.namespace || ref.name === undefined) return undefined;
  const pod = objects.pod(metadata.namespace ?? '', ref.name);
  return ref.uid === undefined || ref.uid === pod?.metadata.uid ? pod : undefined;
}

function problemOf(pod: Pod | undefined, service: Service, address: string, admits: Admits): EndpointProblem | null {
  if (!pod) return ['One of its endpoints is not a Pod of its namespace.', 'FOREIGN_ENDPOINT'];
  if (!isSelected(pod, service)) return ['One of its endpoints is a Pod that it does not select.', 'FOREIGN_ENDPOINT'];
  if (!podAddresses(pod).some((ip) => sameAddress(ip, address))) {
    return ['One of its endpoints is not the address of its Pod.', 'FOREIGN_ENDPOINT'];
  }
  if (pod.spec.hostNetwork) return ['One of its Pods uses the network of its node.', 'HOST_NETWORK'];
  if (!admits(address)) return ['One of its endpoints is outside the cluster.', 'ADDRESS'];
  return null;
}

function isSelected({ metadata }: Pod, { spec }: Service): boolean {
  return Object.entries(spec.selector ?? {}).every(([key, value]) => metadata.labels?.[key] === value);
}

/** Also where the Service is published with Pods that are not. */
function isReady({ metadata, status }: Pod): boolean {
  if (metadata.deletionTimestamp) return false;
  return status?.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True') ?? false;
}

function podAddresses({ status }: Pod): string[] {
  return [...(status?.podIPs ?? []).map(({ ip }) => ip), ...(status?.podIP ? [status.podIP] : [])];
}

/** A dual-stack Service is reached by its first family, as its own address says. */
function preferred(endpoints: Endpoint[], clusterIP: string | undefined): Endpoint[] {
  const isV6 = clusterIP?.includes(':') ?? false;
  const own = endpoints.filter(({ address }) => address.includes(':') === isV6);
  return own.length > 0 ? own : endpoints;
}
