import { mappedPort } from '../../k8s/embedded/runtime/ports.ts';
import type { Service, ServicePortSpec } from '../../k8s/resources.ts';
import type { ServiceInfo, ServicePort } from './service.ts';

/** How a Service is addressed: by its DNS name, or in the embedded cluster, which has no DNS, by its address. */
export type Addressing = 'dns' | 'ip';

/** A port that is offered as HTTP, with the address it has. */
export interface HttpPort {
  name: string | null;
  port: number;
  /** `http://host:port`, without a final slash. */
  origin: string;
}

const none = 'None';

/** The host under which a Service is reached inside the cluster; null while it has none. */
function hostOf(service: Service, addressing: Addressing): string | null {
  const { name, namespace } = service.metadata;
  const { type, clusterIP, externalName } = service.spec;
  if (type === 'ExternalName') return externalName || null;
  const balancer = type === 'LoadBalancer' ? service.status?.loadBalancer?.ingress?.[0] : undefined;
  const external = balancer?.hostname || balancer?.ip;
  if (external) return bracketed(external);
  if (addressing === 'dns') return `${name}.${namespace}`;
  return clusterIP && clusterIP !== none ? bracketed(clusterIP) : null;
}

/** The port to dial: in the embedded cluster it may be served on another number than the Service declares. */
function dialedPort(service: Service, port: number, addressing: Addressing): number {
  return addressing === 'ip' ? mappedPort(service, port) : port;
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** The addresses of a live Service, without the well-known ones. */
export function describeService(service: Service, aliases: readonly Service[], addressing: Addressing): ServiceInfo {
  const { spec, status, metadata } = service;
  const balancer = status?.loadBalancer?.ingress?.[0];
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    type: spec.type ?? 'ClusterIP',
    clusterIP: spec.clusterIP && spec.clusterIP !== none ? spec.clusterIP : null,
    externalName: spec.externalName ?? null,
    externalIPs: [...(spec.externalIPs ?? [])],
    ip: balancer?.ip ?? null,
    hostname: balancer?.hostname ?? null,
    ports: (spec.ports ?? []).map(toPort),
    url: addressOf(service, addressing),
    urls: [],
    aliases: aliases.map((alias) => addressOf(alias, addressing)).filter((url): url is string => url !== null),
  };
}

/** host:port of the first port, without a scheme. */
function addressOf(service: Service, addressing: Addressing): string | null {
  const host = hostOf(service, addressing);
  const port = service.spec.ports?.[0]?.port;
  return host === null || port === undefined ? null : `${host}:${dialedPort(service, port, addressing)}`;
}

function toPort(port: ServicePortSpec): ServicePort {
  return {
    name: port.name ?? null,
    port: port.port,
    protocol: port.protocol ?? 'TCP',
    targetPort: String(port.targetPort ?? port.port),
    nodePort: port.nodePort ?? null,
  };
}

/** The ports that speak HTTP, in the order of the Service: gRPC and UDP are never offered as HTTP. */
export function httpPorts(service: Service, addressing: Addressing, grpcTargets: readonly number[]): HttpPort[] {
  const host = hostOf(service, addressing);
  if (host === null) return [];
  return (service.spec.ports ?? [])
    .filter((port) => !isOther(port, grpcTargets))
    .map((port) => {
      const scheme = speaksTls(port) ? 'https' : 'http';
      return {
        name: port.name ?? null,
        port: port.port,
        origin: `${scheme}://${host}:${dialedPort(service, port.port, addressing)}`,
      };
    });
}

function isOther(port: ServicePortSpec, grpcTargets: readonly number[]): boolean {
  if ((port.protocol ?? 'TCP') !== 'TCP') return true;
  if (/grpc|h2c/i.test(`${port.name ?? ''} ${port.appProtocol ?? ''}`)) return true;
  return grpcTargets.includes(Number(port.targetPort ?? port.port));
}

/** Whether a port is offered as https: by its protocol or name, or as the port that is https unless it says otherwise. */
export function speaksTls(port: ServicePortSpec): boolean {
  const protocol = port.appProtocol ?? port.name ?? '';
  return /^https/i.test(protocol) || (port.port === 443 && !/^http$/i.test(protocol));
}
