import type { BackendRef, EndpointSlice, HTTPRoute, Service, ServicePortSpec } from '../../resources.ts';
import { gatewayGroup, type Problem } from './conditions.ts';
import { type GatewayState, isPermitted } from './state.ts';

export interface Endpoint {
  address: string;
  port: number;
}

/** One backendRef, resolved: the ready endpoints, or null when the reference is invalid. */
export interface Backend {
  weight: number;
  endpoints: readonly Endpoint[] | null;
}

export interface ResolvedBackend extends Backend {
  problem: Problem | null;
}

/** `ownsAddress` keeps the gateway from dialing anything but the embedded cluster's own Pods. */
export function resolveBackend(
  state: GatewayState,
  route: HTTPRoute,
  ref: BackendRef,
  ownsAddress: (address: string) => boolean,
): ResolvedBackend {
  const weight = ref.weight ?? 1;
  const namespace = ref.namespace ?? route.metadata.namespace ?? '';
  const service = state.service(namespace, ref.name);
  const port = service?.spec.ports?.find((candidate) => candidate.port === ref.port);
  const problem = backendProblem(state, route, ref, namespace, service, port);
  if (problem || !port) return { weight, endpoints: null, problem };
  return { weight, endpoints: readyEndpoints(state.slices(namespace, ref.name), port, ownsAddress), problem: null };
}

function backendProblem(
  state: GatewayState,
  route: HTTPRoute,
  ref: BackendRef,
  namespace: string,
  service: Service | undefined,
  port: ServicePortSpec | undefined,
): Problem | null {
  if ((ref.group ?? '') !== '' || (ref.kind ?? 'Service') !== 'Service') {
    return { reason: 'InvalidKind', message: 'Kind is invalid, only Service is supported' };
  }
  const from = { group: gatewayGroup, kind: 'HTTPRoute', namespace: route.metadata.namespace ?? '' };
  const to = { group: '', kind: 'Service', namespace, name: ref.name };
  if (!isPermitted(state, { from, to })) {
    const message = `Backend ref to Service ${namespace}/${ref.name} not permitted by any ReferenceGrant.`;
    return { reason: 'RefNotPermitted', message };
  }
  if (ref.port === undefined) {
    const message = 'A valid port number corresponding to a port on the Service must be specified';
    return { reason: 'PortNotSpecified', message };
  }
  if (!service) return { reason: 'BackendNotFound', message: `service ${namespace}/${ref.name} not found` };
  if (service.spec.type === 'ExternalName') {
    const message = `Service ${namespace}/${ref.name} is of type ExternalName, which is not supported as a backend`;
    return { reason: 'UnsupportedValue', message };
  }
  if (!port) {
    return { reason: 'PortNotFound', message: `TCP Port ${ref.port} not found on Service ${namespace}/${ref.name}` };
  }
  return null;
}

function readyEndpoints(
  slices: readonly EndpointSlice[],
  servicePort: ServicePortSpec,
  ownsAddress: (address: string) => boolean,
): Endpoint[] {
  return slices.flatMap((slice) => {
    const port = slice.ports?.find((candidate) => (candidate.name ?? '') === (servicePort.name ?? ''))?.port;
    if (port === undefined || slice.addressType !== 'IPv4') return [];
    return (slice.endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses }) => addresses.slice(0, 1))
      .filter(ownsAddress)
      .map((address) => ({ address, port }));
  });
}
