import { type Gateway, type GatewayListener, gatewayClasses, gateways } from '../../resources.ts';
import type { EmbeddedApi } from '../api/service.ts';
import { controllerName } from '../gateway/conditions.ts';
import { ensureNamespace } from './namespaces.ts';

/** The one Gateway of the embedded cluster. */
export const localGateway = { namespace: 'slipway-system', name: 'local' } as const;

const className = 'slipway';
const listenerName = 'http';

/** Creates the Gateway and its class, or puts right what keeps them from serving on this port. */
export async function ensureGateway(api: EmbeddedApi, port: number): Promise<void> {
  await ensureNamespace(api, localGateway.namespace);
  if (!api.get(gatewayClasses, undefined, className)) {
    await api.client.create(gatewayClasses, {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'GatewayClass',
      metadata: { name: className },
      spec: { controllerName, description: 'The data plane of the embedded cluster' },
    });
  }
  const present = api.get(gateways, localGateway.namespace, localGateway.name);
  if (present) await mendGateway(api, present, port);
  else await api.client.create(gateways, newGateway(port));
}

function listener(port: number): GatewayListener {
  return { name: listenerName, port, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' } } };
}

function newGateway(port: number): Gateway {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { ...localGateway, labels: { 'app.kubernetes.io/managed-by': 'slipway' } },
    spec: { gatewayClassName: className, listeners: [listener(port)] },
  };
}

/** Only the class and our listener's port: what a user changed besides stays. */
async function mendGateway(api: EmbeddedApi, { spec }: Gateway, port: number): Promise<void> {
  const own = spec.listeners.find(({ name }) => name === listenerName);
  if (own?.port === port && spec.gatewayClassName === className) return;
  const others = spec.listeners.filter(({ name }) => name !== listenerName);
  const listeners = [{ ...(own ?? listener(port)), port }, ...others];
  const patch = { spec: { gatewayClassName: className, listeners } };
  await api.client.patch(gateways, localGateway.name, localGateway.namespace, patch);
}
