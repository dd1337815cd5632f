import type { Condition, Gateway, GatewayClass, GatewayListener, HTTPRoute } from '../../k8s/resources.ts';
import { httpRoutes } from '../../k8s/resources.ts';
import { matchesSelector } from '../../k8s/selectors.ts';
import { intersects } from './hostname.ts';
import { parentsOf } from './route.ts';
import type { ParentName } from './service.ts';

/** How the views look up what routes hang on. */
export interface ParentLookup {
  readonly gateway: (namespace: string, name: string) => Gateway | undefined;
  readonly gatewayClass: (name: string) => GatewayClass | undefined;
  /** False for namespaces that this server does not look after: what is not found there may still be there. */
  readonly watches: (namespace: string) => boolean;
  /** Labels of a namespace; undefined when they can't be read. */
  readonly namespaceLabels: (name: string) => Readonly<Record<string, string>> | undefined;
  /** The Gateway of the embedded cluster and where it really listens. */
  embedded: { namespace: string; name: string; url: string } | null;
}

/** Why a listener does not take a route; null when it does. */
export type ListenerRefusal = 'KIND' | 'NAMESPACE' | 'HOSTNAME';

export interface RouteWish {
  namespace: string;
  /** null: whatever the listener's is. */
  hostname: string | null;
}

export function admits(
  gateway: Gateway,
  listener: GatewayListener,
  { namespace, hostname }: RouteWish,
  lookup: Pick<ParentLookup, 'namespaceLabels'>,
): ListenerRefusal | null {
  const { kinds, namespaces } = listener.allowedRoutes ?? {};
  const http = listener.protocol === 'HTTP' || listener.protocol === 'HTTPS';
  const kindFits = kinds?.length
    ? kinds.some(({ group, kind }) => kind === httpRoutes.kind && (group ?? httpRoutes.group) === httpRoutes.group)
    : http;
  if (!kindFits) return 'KIND';
  const from = namespaces?.from ?? 'Same';
  const near = from === 'All' || (from === 'Same' && gateway.metadata.namespace === namespace);
  if (!near && !(from === 'Selector' && selected(namespaces?.selector, lookup.namespaceLabels(namespace)))) {
    return 'NAMESPACE';
  }
  return hostname === null || intersects(listener.hostname, hostname) ? null : 'HOSTNAME';
}

function selected(
  selector: NonNullable<NonNullable<GatewayListener['allowedRoutes']>['namespaces']>['selector'],
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return selector !== undefined && labels !== undefined && matchesSelector(selector, labels);
}

/** The listeners of a Gateway that a parent reference names. */
export function namedListeners(gateway: Gateway, sectionName: string | null): GatewayListener[] {
  const { listeners } = gateway.spec;
  return sectionName === null ? listeners : listeners.filter(({ name }) => name === sectionName);
}

/** The listeners that take a route, encrypted ones first. */
export function takingListeners(
  gateway: Gateway,
  sectionName: string | null,
  wish: RouteWish,
  lookup: Pick<ParentLookup, 'namespaceLabels'>,
): GatewayListener[] {
  return namedListeners(gateway, sectionName)
    .filter((listener) => admits(gateway, listener, wish, lookup) === null)
    .toSorted((a, b) => Number(encrypted(b)) - Number(encrypted(a)));
}

export const encrypted = (listener: GatewayListener): boolean =>
  listener.protocol === 'HTTPS' || listener.protocol === 'TLS';

/** Where clients reach a prefix of a hostname. */
export function urlOf(
  gateway: Gateway,
  listener: GatewayListener,
  target: { hostname: string; pathPrefix: string },
  lookup: Pick<ParentLookup, 'embedded'>,
): string | null {
  if (target.hostname.startsWith('*')) return null;
  const scheme = encrypted(listener) ? 'https' : 'http';
  const { embedded } = lookup;
  const own = embedded?.namespace === gateway.metadata.namespace && embedded?.name === gateway.metadata.name;
  // The embedded data plane may listen elsewhere than its Gateway says: a port can be taken or left to the system.
  const port = own && embedded ? Number(new URL(embedded.url).port) : listener.port;
  const standard = port === 0 || (scheme === 'https' ? port === 443 : port === 80);
  return `${scheme}://${target.hostname}${standard ? '' : `:${port}`}${target.pathPrefix}`;
}

export function controllerOf(gateway: Gateway, lookup: Pick<ParentLookup, 'gatewayClass'>): string | null {
  return lookup.gatewayClass(gateway.spec.gatewayClassName)?.spec.controllerName ?? null;
}

export function conditionOf(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** A controller has said something of it: it may serve routes, whatever it still lacks (an address, say). */
export function gatewayClaimed(gateway: Gateway): boolean {
  return (gateway.status?.conditions ?? []).some(({ status }) => status !== 'Unknown');
}

export function gatewayReady(gateway: Gateway): boolean {
  return conditionOf(gateway.status?.conditions, 'Programmed')?.status === 'True';
}

/** `namespace/name[/section]`, as people write it. */
export function parseParent(text: string): ParentName | null {
  const [namespace, name, sectionName, ...rest] = text.split('/');
  if (!namespace || !name || sectionName === '' || rest.length > 0) return null;
  return { namespace, name, sectionName: sectionName ?? null };
}

/** Whether two routes compete on some listener: same Gateway, and not bound to different sections of it. */
export function shareParent(a: ParentName, other: HTTPRoute): boolean {
  return parentsOf(other).some(
    (b) =>
      a.namespace === b.namespace &&
      a.name === b.name &&
      (a.sectionName === null || b.sectionName === null || a.sectionName === b.sectionName),
  );
}
