import { isDeepStrictEqual } from 'node:util';
import type { Access } from '../../caller.ts';
import { invalid, SlipwayError } from '../../errors.ts';
import { ApiError, toSlipwayError } from '../../k8s/api-error.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import {
  type Gateway,
  gateways,
  type GatewayListener,
  type HTTPRoute,
  type KubeObject,
  type Resource,
  type Service,
  type ServicePortSpec,
  services,
} from '../../k8s/resources.ts';
import type { Context } from '../../module.ts';
import { type Runs, type RunView } from '../runs/service.ts';
import type { GatewaysConfig } from './config.ts';
import { admits, controllerOf, namedListeners, type ParentLookup, parseParent, type RouteWish } from './parents.ts';
import type { BackendName, ParentName, PolicyBackend } from './service.ts';
import type { Backends } from './backends.ts';
import { parentsOf } from './route.ts';

export interface TargetSources {
  cluster: Cluster;
  runs: Runs;
  config: GatewaysConfig;
  parents: ParentLookup;
  backends: Backends;
}

/** The Service a gateway leads to. */
export interface BackendTarget extends KnownBackend {
  port: number;
}

/** One that a route names already, whether or not it is still there. */
export interface KnownBackend extends BackendName {
  project: string | null;
  run: RunView | undefined;
}

/** The Gateway that serves it. */
export interface ParentTarget {
  ref: ParentName;
  gateway: Gateway;
  controller: string | null;
  policies: PolicyBackend | undefined;
}

/** From the cache, or when it is too new for that from the server; undefined when there is none. */
async function find<T extends KubeObject>(
  cluster: Cluster,
  resource: Resource<T>,
  namespace: string,
  name: string,
): Promise<T | undefined> {
  const cached = cluster.cache(resource).get(namespace, name);
  if (cached) return cached;
  try {
    return await cluster.client.get(resource, name, namespace);
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 400)) return undefined;
    throw toSlipwayError(error, { own: true });
  }
}

/** The Service and its port, if the caller sees it and may expose it. */
export async function resolveBackend(
  sources: TargetSources,
  { access }: Pick<Context, 'access'>,
  wanted: { namespace: string; service: string; port: number | null },
): Promise<BackendTarget> {
  const { cluster, runs } = sources;
  const service = await find(cluster, services, wanted.namespace, wanted.service);
  const run = runs.byService(wanted.namespace, wanted.service);
  const place = { namespace: wanted.namespace, project: run?.project ?? null };
  if (!service || !(await access.allows('see', place))) {
    const message =
      `There is no Service ${wanted.service} in the namespace ${wanted.namespace}, or you may not see it.` +
      (await elsewhere(sources, access, wanted));
    throw new SlipwayError('NOT_FOUND', message, { field: 'backend.service', reason: 'SERVICE_NOT_FOUND' });
  }
  if (!(await access.allows('expose', place))) {
    const message = `You may see the Service ${wanted.service}, but not expose it.`;
    throw new SlipwayError('FORBIDDEN', message, { field: 'backend.service' });
  }
  if (service.spec.type === 'ExternalName') {
    const message = `The Service ${wanted.service} only stands for a name outside the cluster (ExternalName) and can't be exposed.`;
    throw invalid('backend.service', message, 'EXTERNAL_NAME');
  }
  return { ...place, service: wanted.service, port: portOf(service, wanted.port), run };
}

/** Where else the caller sees a Service of that name: the namespace is easily forgotten. */
async function elsewhere(
  { cluster, runs }: TargetSources,
  access: Access,
  { namespace: tried, service }: BackendName,
): Promise<string> {
  const scope = await access.scope('see');
  const places = [...cluster.cache(services).list()]
    .filter(({ metadata }) => metadata.name === service)
    .map(({ metadata: { namespace = '' } }) => namespace)
    .filter((namespace) => namespace !== tried)
    .filter((namespace) => scope.includes({ namespace, project: runs.byService(namespace, service)?.project ?? null }))
    .toSorted();
  const named = places.slice(0, 3).join(', ');
  return places.length > 0 ? ` There is one in ${named}: say so in backend.namespace.` : '';
}

export const tcpPorts = (service: Service): ServicePortSpec[] =>
  (service.spec.ports ?? []).filter(({ protocol }) => (protocol ?? 'TCP') === 'TCP');

function portOf(service: Service, wanted: number | null): number {
  const ports = tcpPorts(service);
  const listed = ports.map(({ port, name }) => (name ? `${port} (${name})` : `${port}`)).join(', ');
  const [only, ...others] = ports;
  if (!only) throw invalid('backend.service', `The Service ${service.metadata.name} has no TCP port.`, 'NO_PORT');
  if (wanted === null) {
    if (others.length === 0) return only.port;
    throw invalid('backend.port', `Give one of the ports of ${service.metadata.name}: ${listed}.`, 'PORT_REQUIRED');
  }
  if (ports.some(({ port }) => port === wanted)) return wanted;
  const behind = ports.find(({ targetPort }) => targetPort === wanted);
  const hint = behind ? ` ${wanted} is the port of the Pods; the Service's own is ${behind.port}.` : '';
  throw invalid(
    'backend.port',
    `The Service ${service.metadata.name} has these ports: ${listed}.${hint}`,
    'PORT_NOT_FOUND',
  );
}

/** The configured Gateway, or in embedded mode its own. */
export function defaultParent({ config, cluster }: Pick<TargetSources, 'config' | 'cluster'>): ParentName | null {
  if (config.parent !== undefined) return parseParent(config.parent);
  const own = cluster.embedded?.gatewayParent;
  return own ? { namespace: own.namespace, name: own.name, sectionName: own.sectionName ?? null } : null;
}

export async function resolveParent(sources: TargetSources, given: ParentName | null): Promise<ParentTarget> {
  const ref = given ?? defaultParent(sources);
  if (!ref) {
    const message = 'Say which Gateway serves this: the server has no default one.';
    throw invalid('parent', message, 'PARENT_REQUIRED');
  }
  const gateway = await find(sources.cluster, gateways, ref.namespace, ref.name);
  if (!gateway) {
    throw invalid('parent', `There is no Gateway ${ref.name} in the namespace ${ref.namespace}.`, 'PARENT_NOT_FOUND');
  }
  if (namedListeners(gateway, ref.sectionName).length === 0) {
    const names = gateway.spec.listeners.map(({ name }) => name).join(', ');
    const message = `The Gateway ${ref.name} has no listener "${ref.sectionName}". It has: ${names}.`;
    throw invalid('parent.sectionName', message, 'LISTENER_NOT_FOUND');
  }
  const controller = controllerOf(gateway, sources.parents);
  return { ref, gateway, controller, policies: sources.backends.of(controller) };
}

/** The listeners that take the route; a refusal that names what would fit when there are none. */
export function admitted({ ref, gateway }: ParentTarget, wish: RouteWish, lookup: ParentLookup): GatewayListener[] {
  const named = namedListeners(gateway, ref.sectionName);
  const verdicts = named.map((listener) => ({ listener, refusal: admits(gateway, listener, wish, lookup) }));
  const taking = verdicts.filter(({ refusal }) => refusal === null).map(({ listener }) => listener);
  if (taking.length > 0) return taking;
  const where = `${ref.namespace}/${ref.name}`;
  const byHostname = verdicts.filter(({ refusal }) => refusal === 'HOSTNAME');
  if (byHostname.length > 0) {
    const served = [...new Set(byHostname.map(({ listener }) => listener.hostname))].join(', ');
    const message = `The Gateway ${where} does not serve ${wish.hostname}. It serves: ${served}.`;
    throw invalid('hostname', message, 'HOSTNAME_NOT_SERVED');
  }
  const names = named.map(({ name }) => name).join(', ');
  if (verdicts.some(({ refusal }) => refusal === 'NAMESPACE')) {
    const message = `The listeners of ${where} (${names}) take no routes from the namespace ${wish.namespace}.`;
    throw invalid('parent', message, 'NAMESPACE_NOT_ALLOWED');
  }
  throw invalid('parent', `The listeners of ${where} (${names}) take no HTTP routes.`, 'KIND_NOT_ALLOWED');
}

/**
 * An admission policy of the cluster may put a route on a Gateway of its own choice. All was checked for the one that was
 * asked for: on another one the protection might not be enforced, or the place be somebody's.
 */
export function refuseMoved(admitted: HTTPRoute, asked: readonly ParentName[]): void {
  const found = parentsOf(admitted);
  if (isDeepStrictEqual(found, asked)) return;
  const [parents, wanted] = [found, asked].map((refs) => refs.map(nameOfParent).join(', ') || 'none');
  const message =
    `An admission policy of the cluster puts this gateway on ${parents}, not on ${wanted}. Give that Gateway as the parent, ` +
    'so that everything is checked for it.';
  throw invalid('parent', message, 'PARENT_REWRITTEN');
}

const nameOfParent = ({ namespace, name, sectionName }: ParentName): string =>
  [namespace, name, sectionName].filter((part) => part !== null).join('/');
