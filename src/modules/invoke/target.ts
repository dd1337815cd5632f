import { networkInterfaces } from 'node:os';
import { SlipwayError, invalid } from '../../errors.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import { mappedPort } from '../../k8s/embedded/runtime/ports.ts';
import type { EndpointSlice, Pod, Service, ServicePortSpec } from '../../k8s/resources.ts';
import type { RunView } from '../runs/service.ts';
import { isClusterAddress, sameAddress } from './addresses.ts';
import { checkPath } from './path.ts';
import { liesUnder, notRegistered, parseTarget, registeredOrigin } from './url.ts';

/** Where a caller wants to go: port and path, or a URL under one of the run's addresses. */
export interface TargetInput {
  port?: number | null | undefined;
  path?: string | null | undefined;
  url?: string | null | undefined;
}

/** What will be dialed: an address from the cluster's own objects and nothing else. */
export interface Target {
  address: string;
  /** Of the connection: the Service's port, or for a headless Service the Pod's. */
  port: number;
  /** Of the Service. */
  servicePort: number;
  /** Host and port as the service knows itself: the Host header. */
  authority: string;
  path: string;
  /** uid of the Service: another one under the same name is another target. */
  uid: string | undefined;
}

/** True for addresses that Pods and Services of this cluster can have. */
export type Admits = (address: string) => boolean;

/** Resolves what the caller asked for to an address of the run, or refuses. */
export function resolveTarget(run: RunView, input: TargetInput, admits: Admits): Target {
  const { service, port, authority, path } = input.url == null ? byPort(run, input) : byUrl(run, input);
  return { ...dial(run, service, port, admits), servicePort: port.port, authority, path, uid: service.metadata.uid };
}

interface Wanted {
  service: Service;
  port: ServicePortSpec;
  authority: string;
  path: string;
}

function byPort(run: RunView, input: TargetInput): Wanted {
  const path = checkPath(input.path ?? '/');
  const service = liveService(run);
  const wanted = input.port ?? service.spec.ports?.find(isTcp)?.port;
  if (wanted === undefined) throw refused('The Service has no TCP port.', 'NO_PORT', 'port');
  if (wanted < 1 || wanted > 65_535) throw invalid('port', `A port is from 1 to 65535, not ${wanted}.`, 'PORT_RANGE');
  const port = portOf(service, wanted);
  if (!port) throw refused(`${wanted} is not a port of this service.`, 'NOT_REGISTERED', 'port');
  const host = hostOf(run.status.service?.url) ?? `${service.metadata.name}.${service.metadata.namespace}`;
  return { service, port, authority: `${host}:${dialedPort(service, port)}`, path };
}

function byUrl(run: RunView, input: TargetInput): Wanted {
  for (const name of ['port', 'path'] as const) {
    if (input[name] != null) throw invalid('url', `Give "url" or "${name}", not both.`, 'URL_AND_PORT');
  }
  const target = parseTarget(input.url ?? '');
  const primary = liveService(run);
  for (const { address, service } of registered(run, primary)) {
    const origin = registeredOrigin(address);
    if (!origin || origin.protocol !== 'http:' || !liesUnder(origin, target)) continue;
    const port = service.spec.ports?.find((entry) => isTcp(entry) && dialedPort(service, entry) === origin.port);
    if (port) return { service, port, authority: `${origin.hostname}:${origin.port}`, path: target.path };
  }
  throw notRegistered();
}

/** Every address the run shows, with the Service it belongs to. */
function registered(run: RunView, primary: Service): { address: string; service: Service }[] {
  const info = run.status.service;
  if (!info) return [];
  const own = [info.url, ...info.urls.map((entry) => entry.url)].filter((address) => address !== null);
  return [
    ...own.map((address) => ({ address, service: primary })),
    ...info.aliases.flatMap((address) => {
      const service = run.objects.aliases.find((alias) => names(alias, registeredOrigin(address)?.hostname));
      return service ? [{ address, service }] : [];
    }),
  ];
}

function names({ metadata, spec }: Service, host: string | undefined): boolean {
  if (host === undefined) return false;
  const name = `${metadata.name}.${metadata.namespace}`;
  return host === spec.clusterIP || host === name || host.startsWith(`${name}.`);
}

function hostOf(address: string | null | undefined): string | null {
  return (address && registeredOrigin(address)?.hostname) || null;
}

function isTcp(port: ServicePortSpec): boolean {
  return (port.protocol ?? 'TCP') === 'TCP';
}

function portOf(service: Service, number: number): ServicePortSpec | undefined {
  return service.spec.ports?.find((port) => port.port === number && isTcp(port));
}

/** Only Services of the embedded cluster have loopback addresses, and some of their ports are served on another number. */
function dialedPort(service: Service, { port }: ServicePortSpec): number {
  return service.spec.clusterIP?.startsWith('127.') ? mappedPort(service, port) : port;
}

function liveService(run: RunView): Service {
  const { service } = run.objects;
  if (!service || service.metadata.deletionTimestamp) throw notReady(run, 'It has no live Service');
  const { type, selector, externalIPs } = service.spec;
  if (type === 'ExternalName') throw refused('An ExternalName Service leads out of the cluster.', 'EXTERNAL_NAME');
  if (!selector || Object.keys(selector).length === 0) {
    throw refused('A Service without a selector has endpoints that nobody checks.', 'NO_SELECTOR');
  }
  if (externalIPs?.length) throw refused('A Service with external IPs takes traffic of others.', 'EXTERNAL_IPS');
  return service;
}

/**
 * The address to dial. Who may write EndpointSlices could point a Service at anything (CVE-2021-25740), so every ready
 * endpoint has to be a Pod of the Service's namespace that has this very address.
 */
function dial(
  run: RunView,
  service: Service,
  port: ServicePortSpec,
  admits: Admits,
): { address: string; port: number } {
  const endpoints = readyEndpoints(run, service, port);
  for (const endpoint of endpoints) {
    const problem = endpointProblem(run, service, endpoint, admits);
    if (problem) throw refused(...problem);
  }
  const [first] = endpoints;
  if (!first) throw notReady(run, 'It has no ready Pod');
  const { clusterIP } = service.spec;
  const found =
    clusterIP && clusterIP !== 'None'
      ? { address: clusterIP, port: dialedPort(service, port) }
      : { address: first.address, port: first.port };
  if (!admits(found.address)) throw refused('Its address is outside the cluster.', 'ADDRESS');
  return found;
}

interface Endpoint {
  address: string;
  port: number;
  targetRef: { kind?: string; namespace?: string; name?: string; uid?: string } | undefined;
}

function readyEndpoints(run: RunView, service: Service, port: ServicePortSpec): Endpoint[] {
  return run.objects.slices
    .filter((slice) => belongsTo(slice, service))
    .flatMap((slice) => {
      const number = slice.ports?.find((candidate) => (candidate.name ?? '') === (port.name ?? ''))?.port;
      if (number === undefined) return [];
      return (slice.endpoints ?? [])
        .filter((endpoint) => endpoint.conditions?.ready !== false)
        .flatMap(({ addresses, targetRef }) => addresses.map((address) => ({ address, port: number, targetRef })));
    });
}

function belongsTo(slice: EndpointSlice, service: Service): boolean {
  return (
    slice.metadata.namespace === service.metadata.namespace &&
    slice.metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name
  );
}

function endpointProblem(
  run: RunView,
  service: Service,
  { address, targetRef }: Endpoint,
  admits: Admits,
): [message: string, reason: string] | null {
  if (targetRef?.kind !== 'Pod' || targetRef.namespace !== service.metadata.namespace) {
    return ['One of its endpoints is not a Pod of its namespace.', 'FOREIGN_ENDPOINT'];
  }
  const pod = run.objects.pods.find((candidate) => isTarget(candidate, targetRef));
  if (!pod || !podAddresses(pod).some((ip) => sameAddress(ip, address))) {
    return ['One of its endpoints is not the address of its Pod.', 'FOREIGN_ENDPOINT'];
  }
  if (pod.spec.hostNetwork) return ['One of its Pods uses the network of its node.', 'HOST_NETWORK'];
  if (!admits(address)) return ['One of its endpoints is outside the cluster.', 'ADDRESS'];
  return null;
}

function isTarget(pod: Pod, ref: NonNullable<Endpoint['targetRef']>): boolean {
  return (
    pod.metadata.name === ref.name &&
    pod.metadata.namespace === ref.namespace &&
    (ref.uid === undefined || ref.uid === pod.metadata.uid)
  );
}

function podAddresses(pod: Pod): string[] {
  return [...(pod.status?.podIPs ?? []).map(({ ip }) => ip), ...(pod.status?.podIP ? [pod.status.podIP] : [])];
}

function refused(message: string, reason: string, field?: string): SlipwayError {
  return new SlipwayError('TARGET_NOT_ALLOWED', `This service can't be called: ${message}`, {
    reason,
    ...(field !== undefined && { field }),
  });
}

function notReady(run: RunView, otherwise: string): SlipwayError {
  const why = run.status.message ?? `${otherwise}.`;
  return new SlipwayError('NOT_READY', `The service is not ready: ${why}`, {
    reason: run.status.reasons[0]?.code ?? 'NOT_READY',
  });
}

/**
 * The addresses that may be dialed: in embedded mode those that the cluster gave out, else any that a Pod or Service
 * can have, but neither this machine's nor the API server's.
 */
export function admittedAddresses(cluster: Pick<Cluster, 'embedded' | 'url'>): Admits {
  const { embedded, url } = cluster;
  if (embedded) return (address) => embedded.ownsAddress(address);
  const apiServer = URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : '';
  const own = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((entry) => entry.address));
  return (address) => isClusterAddress(address) && ![apiServer, ...own].some((other) => sameAddress(other, address));
}
