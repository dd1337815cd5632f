import type { Gateway, GatewayListener, HTTPRoute, ParentReference } from '../../resources.ts';
import { matchesSelector } from '../../selectors.ts';
import { type Finding, controllerName, gatewayGroup, isFalse, isTrue } from './conditions.ts';
import { anyHostname } from './hostnames.ts';
import type { GatewayState } from './state.ts';

/** A listener of one of our Gateways. */
export interface Listener {
  gateway: Gateway;
  name: string;
  port: number;
  hostname: string;
  /** Whether it serves anything here. */
  usable: boolean;
  findings: Finding[];
  admits(route: HTTPRoute): boolean;
}

/** The listeners of every Gateway whose class is ours. The data plane has one port, which they all share. */
export function findListeners(state: GatewayState, port: number): Listener[] {
  const classes = new Set(
    state.classes.filter(({ spec }) => spec.controllerName === controllerName).map(({ metadata }) => metadata.name),
  );
  return state.gateways
    .filter(({ spec }) => classes.has(spec.gatewayClassName))
    .flatMap((gateway) => gateway.spec.listeners.map((listener) => toListener(state, gateway, listener, port)));
}

function toListener(state: GatewayState, gateway: Gateway, listener: GatewayListener, port: number): Listener {
  const problem = listenerProblem(listener, port);
  return {
    gateway,
    name: listener.name,
    port: listener.port,
    hostname: listener.hostname?.toLowerCase() || anyHostname,
    usable: problem === null,
    findings: problem ?? [
      isTrue('Accepted', 'Accepted', 'Listener has been successfully translated'),
      isTrue('Programmed', 'Programmed', 'The embedded gateway serves this listener'),
      isTrue('ResolvedRefs', 'ResolvedRefs', 'Listener references have been resolved'),
    ],
    admits: (route) => admitsKind(listener) && admitsNamespace(state, gateway, listener, route),
  };
}

function listenerProblem(listener: GatewayListener, port: number): Finding[] | null {
  const refused = (reason: string, message: string) => [
    isFalse('Accepted', reason, message),
    isFalse('Programmed', 'Invalid', 'Listener is invalid, see other Conditions for details.'),
    isTrue('ResolvedRefs', 'ResolvedRefs', 'Listener references have been resolved'),
  ];
  if (listener.protocol !== 'HTTP') {
    return refused('UnsupportedProtocol', 'The embedded gateway serves plain HTTP only.');
  }
  if (listener.port !== port) return refused('PortUnavailable', `The embedded gateway listens on port ${port} only.`);
  return null;
}

function admitsKind({ allowedRoutes }: GatewayListener): boolean {
  const { kinds } = allowedRoutes ?? {};
  return (
    !kinds?.length || kinds.some(({ group, kind }) => kind === 'HTTPRoute' && (group ?? gatewayGroup) === gatewayGroup)
  );
}

function admitsNamespace(state: GatewayState, gateway: Gateway, listener: GatewayListener, route: HTTPRoute): boolean {
  const { from = 'Same', selector } = listener.allowedRoutes?.namespaces ?? {};
  const namespace = route.metadata.namespace ?? '';
  if (from === 'All') return true;
  if (from === 'Same') return namespace === gateway.metadata.namespace;
  return from === 'Selector' && matchesSelector(selector, state.namespaceLabels(namespace));
}

/** The listeners a parentRef points at; null when its parent is none of our Gateways. */
export function referencedListeners(
  listeners: readonly Listener[],
  route: HTTPRoute,
  parent: ParentReference,
): Listener[] | null {
  if ((parent.group ?? gatewayGroup) !== gatewayGroup || (parent.kind ?? 'Gateway') !== 'Gateway') return null;
  const namespace = parent.namespace ?? route.metadata.namespace;
  const ofGateway = listeners.filter(
    ({ gateway }) => gateway.metadata.name === parent.name && gateway.metadata.namespace === namespace,
  );
  if (ofGateway.length === 0) return null;
  return ofGateway.filter(({ name, port }) => (parent.sectionName ?? name) === name && (parent.port ?? port) === port);
}
