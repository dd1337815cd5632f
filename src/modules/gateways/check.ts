import { ApiError } from '../../k8s/api-error.ts';
import type { KubeClient } from '../../k8s/cluster.ts';
import { type Gateway, type GatewayClass, gatewayClasses, gateways } from '../../k8s/resources.ts';
import type { CheckTarget, Finding } from '../../module.ts';
import type { GatewaysConfig } from './config.ts';
import { envoyGateway } from './envoy-gateway.ts';
import { intersects } from './hostname.ts';
import { conditionOf, gatewayReady, namedListeners, parseParent } from './parents.ts';
import type { ParentName } from './service.ts';

/** Whether the Gateway that serves by default is there, takes routes and can be protected. */
export async function checkParent({ config, client, namespaces }: CheckTarget<GatewaysConfig>): Promise<Finding[]> {
  const parent = config.parent === undefined ? null : parseParent(config.parent);
  if (!parent) {
    const message = 'no Gateway serves by default: each createGateway has to name its `parent`.';
    return [{ message, remedy: `Set SLIPWAY_GATEWAYS_PARENT to namespace/name. ${await present(client)}` }];
  }
  const gateway = await find(() => client.get(gateways, parent.name, parent.namespace));
  if (!gateway) {
    const message = `there is no Gateway ${parent.name} in the namespace ${parent.namespace}.`;
    return [{ message, remedy: `Create it, or set SLIPWAY_GATEWAYS_PARENT to another. ${await present(client)}` }];
  }
  const { gatewayClassName } = gateway.spec;
  const gatewayClass = await find(() => client.get(gatewayClasses, gatewayClassName));
  return [
    ...readiness(gateway),
    ...listenerFindings(gateway, parent, config.domain),
    ...namespaceFindings(gateway, parent, namespaces),
    ...controllerFindings(gateway, gatewayClass, config),
  ];
}

async function find<T>(get: () => Promise<T>): Promise<T | null> {
  try {
    return await get();
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

async function present(client: KubeClient): Promise<string> {
  const { items } = await client.list(gateways, { limit: 10 });
  const names = items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  return names.length === 0 ? 'The cluster has no Gateway yet.' : `The cluster has: ${names.join(', ')}.`;
}

function readiness(gateway: Gateway): Finding[] {
  if (gatewayReady(gateway)) return [];
  const why = conditionOf(gateway.status?.conditions, 'Programmed')?.message ?? 'No controller has taken it up.';
  const remedy = `Look at it: kubectl --namespace ${gateway.metadata.namespace} describe gateway ${gateway.metadata.name}`;
  return [{ message: `the Gateway ${gateway.metadata.name} is not programmed: ${why}`, remedy }];
}

function listenerFindings(gateway: Gateway, parent: ParentName, domain: string): Finding[] {
  const listeners = namedListeners(gateway, parent.sectionName);
  if (listeners.length === 0) {
    const names = gateway.spec.listeners.map(({ name }) => name).join(', ');
    const message = `the Gateway ${parent.name} has no listener "${parent.sectionName}".`;
    return [{ message, remedy: `Set SLIPWAY_GATEWAYS_PARENT to one of its listeners: ${names}.` }];
  }
  if (listeners.some(({ hostname }) => intersects(hostname, `name.${domain}`))) return [];
  const message = `no listener of the Gateway ${parent.name} takes hostnames under ${domain}.`;
  return [{ message, remedy: 'Set SLIPWAY_GATEWAYS_DOMAIN to a domain of a listener.' }];
}

function namespaceFindings(gateway: Gateway, parent: ParentName, watched: readonly string[] | null): Finding[] {
  const listeners = namedListeners(gateway, parent.sectionName);
  const near =
    listeners.length > 0 &&
    listeners.every(({ allowedRoutes }) => (allowedRoutes?.namespaces?.from ?? 'Same') === 'Same');
  if (!near || watched?.every((namespace) => namespace === parent.namespace)) return [];
  const message = `the Gateway ${parent.name} takes routes from its own namespace only.`;
  return [
    { message, remedy: 'Let `allowedRoutes.namespaces` of a listener include the namespaces where services run.' },
  ];
}

/** Other modules may bring back ends of their own, which are known only to the running server. */
function controllerFindings(
  gateway: Gateway,
  gatewayClass: GatewayClass | null,
  { policy }: GatewaysConfig,
): Finding[] {
  const { gatewayClassName } = gateway.spec;
  if (!gatewayClass) {
    const message = `there is no GatewayClass ${gatewayClassName}, which the Gateway ${gateway.metadata.name} is of.`;
    return [{ message, remedy: 'Install the gateway controller, or correct `gatewayClassName`.' }];
  }
  const { controllerName } = gatewayClass.spec;
  if (policy !== 'auto' || envoyGateway.controllers.includes(controllerName)) return [];
  const message = `no built-in policy back end speaks for ${controllerName}: gateways with protection are refused.`;
  return [
    {
      message,
      remedy: 'Use a Gateway of Envoy Gateway, or a module that provides a PolicyBackend for this controller.',
    },
  ];
}
