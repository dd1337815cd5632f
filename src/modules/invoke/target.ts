import { networkInterfaces } from 'node:os';
import { SlipwayError, invalid } from '../../errors.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import { mappedPort } from '../../k8s/embedded/runtime/ports.ts';
import type { Service, ServicePortSpec } from '../../k8s/resources.ts';
import { type RunView, speaksTls } from '../runs/service.ts';
import { isClusterAddress, sameAddress } from './addresses.ts';
import { type Admits, type Endpoint, type Endpoints, readyEndpoints } from './endpoints.ts';
import { checkPath } from './path.ts';
import { liesUnder, notRegistered, parseTarget, registeredOrigin } from './url.ts';

/** Where a caller wants to go: port and path, or a URL under one of the run's addresses. */
export interface TargetInput {
  port?: number | null | undefined;
  path?: string | null | undefined;
  url?: string | null | undefined;
}

/** Where a call may go: addresses of ready Pods from the cluster's own objects, and nothing else. */
export interface Target {
  /** At least one. */
  endpoints: readonly Endpoint[];
  service: { namespace: string; name: string; port: number; portName: string | null };
  /** Host and port as the service knows itself: the Host header. */
  authority: string;
  /** The name that its certificate is for; null where the port is not encrypted. */
  tlsName: string | null;
  /** Where a person would reach it: what the history shows before the path. */
  origin: string;
  path: string;
  /** uid of the Service: another one under the same name is another target. */
  uid: string | undefined;
}

/** Resolves what the caller asked for to addresses of the run, or refuses. */
export function resolveTarget(run: RunView, input: TargetInput, objects: Endpoints, admits: Admits): Target {
  const wanted = input.url == null ? byPort(run, input, objects) : byUrl(run, input, objects);
  const { service, port, origin, path } = wanted;
  const { namespace = '', name, uid } = service.metadata;
  const found = readyEndpoints(objects, service, port, admits);
  if (found.problem) throw refused(...found.problem);
  if (found.endpoints.length === 0) throw notReady(run, 'It has no ready Pod');
  return {
    endpoints: found.endpoints,
    service: { namespace, name, port: port.port, portName: port.name ?? null },
    authority: `${name}.${namespace}:${port.port}`,
    tlsName: speaksTls(port) ? `${name}.${namespace}.svc` : null,
    origin,
    path,
    uid,
  };
}

/** Whether what was resolved before still leads to this endpoint of the same Service. */
export function stillLeadsTo(endpoint: Endpoint, before: Target, now: Target): boolean {
  return now.uid === before.uid && now.endpoints.some(({ key }) => key === endpoint.key);
}

interface Wanted {
  service: Service;
  port: ServicePortSpec;
  origin: string;
  path: string;
}

function byPort(run: RunView, input: TargetInput, objects: Endpoints): Wanted {
  const path = checkPath(input.path ?? '/');
  const service = callable(liveService(run, run.objects.service, objects));
  const wanted = input.port ?? service.spec.ports?.find(isTcp)?.port;
  if (wanted === undefined) throw refused('The Service has no TCP port.', 'NO_PORT', 'port');
  if (wanted < 1 || wanted > 65_535) throw invalid('port', `A port is from 1 to 65535, not ${wanted}.`, 'PORT_RANGE');
  const port = portOf(service, wanted);
  if (!port) throw refused(`${wanted} is not a port of this service.`, 'NOT_REGISTERED', 'port');
  return { service, port, origin: `${schemeOf(port)}//${hostOf(run, service)}:${shownPort(service, port)}`, path };
}

/** The host the run shows for its Service. */
function hostOf(run: RunView, { metadata }: Service): string {
  const shown = run.status.service?.url;
  return (shown && registeredOrigin(shown)?.hostname) || `${metadata.name}.${metadata.namespace}`;
}

function byUrl(run: RunView, input: TargetInput, objects: Endpoints): Wanted {
  for (const name of ['port', 'path'] as const) {
    if (input[name] != null) throw invalid('url', `Give "url" or "${name}", not both.`, 'URL_AND_PORT');
  }
  const target = parseTarget(input.url ?? '');
  const primary = liveService(run, run.objects.service, objects);
  for (const { address, service } of registered(run, primary, objects)) {
    const origin = registeredOrigin(address);
    const port = service.spec.ports?.find((entry) => isTcp(entry) && shownPort(service, entry) === origin?.port);
    if (!origin || !port) continue;
    const protocol = schemeOf(port);
    // Where the address has no scheme it is that of its port.
    if (address.includes('://') && origin.protocol !== protocol) continue;
    if (!liesUnder({ ...origin, protocol }, target)) continue;
    const shown = `${protocol}//${origin.hostname}:${origin.port}`;
    return { service: callable(service), port, origin: shown, path: target.path };
  }
  throw notRegistered();
}

/** Every address the run shows, with the Service it belongs to. */
function registered(run: RunView, primary: Service, objects: Endpoints): { address: string; service: Service }[] {
  const info = run.status.service;
  if (!info) return [];
  const own = [info.url, ...info.urls.map((entry) => entry.url)].filter((address) => address !== null);
  return [
    ...own.map((address) => ({ address, service: primary })),
    ...info.aliases.flatMap((address) => {
      const alias = run.objects.aliases.find((each) => names(each, registeredOrigin(address)?.hostname));
      return alias ? [{ address, service: liveService(run, alias, objects) }] : [];
    }),
  ];
}

function names({ metadata, spec, status }: Service, host: string | undefined): boolean {
  if (host === undefined) return false;
  const name = `${metadata.name}.${metadata.namespace}`;
  const balancers = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => [ip, hostname]);
  return host === spec.clusterIP || host === name || host.startsWith(`${name}.`) || balancers.includes(host);
}

function schemeOf(port: ServicePortSpec): 'http:' | 'https:' {
  return speaksTls(port) ? 'https:' : 'http:';
}

function isTcp(port: ServicePortSpec): boolean {
  return (port.protocol ?? 'TCP') === 'TCP';
}

function portOf(service: Service, number: number): ServicePortSpec | undefined {
  return service.spec.ports?.find((port) => port.port === number && isTcp(port));
}

/** Only Services of the embedded cluster have loopback addresses, and some of their ports are served on another number. */
function shownPort(service: Service, { port }: ServicePortSpec): number {
  return service.spec.clusterIP?.startsWith('127.') ? mappedPort(service, port) : port;
}

/** The Service as the cache has it now: the view may be a moment older. */
function liveService(run: RunView, known: Service | null, objects: Endpoints): Service {
  const { namespace = '', name = '', uid } = known?.metadata ?? {};
  const service = known && objects.service(namespace, name);
  if (!service || service.metadata.uid !== uid || service.metadata.deletionTimestamp) {
    throw notReady(run, 'It has no live Service');
  }
  return service;
}

function callable(service: Service): Service {
  const { type, selector, externalIPs } = service.spec;
  if (type === 'ExternalName') throw refused('An ExternalName Service leads out of the cluster.', 'EXTERNAL_NAME');
  if (!selector || Object.keys(selector).length === 0) {
    throw refused('A Service without a selector has endpoints that nobody checks.', 'NO_SELECTOR');
  }
  if (externalIPs?.length) throw refused('A Service with external IPs takes traffic of others.', 'EXTERNAL_IPS');
  return service;
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

const mostAddresses = 10_000;

/**
 * The addresses that may be dialed: in embedded mode those that the cluster gave out, else any that a Pod or Service
 * can have, but neither this machine's nor the API server's.
 */
export function admittedAddresses(cluster: Pick<Cluster, 'embedded' | 'url'>): Admits {
  const { embedded, url } = cluster;
  if (embedded) return remembered((address) => embedded.ownsAddress(address));
  const apiServer = URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : '';
  const own = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((entry) => entry.address));
  return remembered(
    (address) => isClusterAddress(address) && ![apiServer, ...own].some((other) => sameAddress(other, address)),
  );
}

/** Each address is judged once: what is true of it does not change. */
function remembered(admits: Admits): Admits {
  const judged = new Map<string, boolean>();
  return (address) => {
    const present = judged.get(address);
    if (present !== undefined) return present;
    const admitted = admits(address);
    if (judged.size >= mostAddresses) judged.clear();
    judged.set(address, admitted);
    return admitted;
  };
}
