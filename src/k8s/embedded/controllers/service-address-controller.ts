import { type Service, services } from '../../resources.ts';
import type { AddressPool } from '../runtime/addresses.ts';
import type { Controller, ControllerPart } from './controller.ts';

function hasOwnAddress(service: Service): boolean {
  return service.spec.type !== 'ExternalName' && service.spec.clusterIP !== 'None';
}

/** Gives each Service its address, as a real API server does at creation. Keys are `namespace/name`. */
export function createServiceAddressController(
  { api }: ControllerPart,
  addresses: AddressPool,
): Controller & { stop(): void } {
  const held = new Map<string, string>();
  // Addresses given before are taken before any new one is handed out.
  for (const { metadata, spec } of api.list(services)) {
    if (spec.clusterIP && addresses.owns(spec.clusterIP))
      hold(`${metadata.namespace}/${metadata.name}`, spec.clusterIP);
  }

  function hold(key: string, address: string): void {
    if (held.get(key) === address) return;
    release(key);
    addresses.reserve(address);
    held.set(key, address);
  }

  function release(key: string): void {
    const address = held.get(key);
    if (address !== undefined) addresses.release(address);
    held.delete(key);
  }

  return {
    name: 'service-address',
    async sync(key) {
      const [namespace, name = ''] = key.split('/');
      const service = api.get(services, namespace, name);
      if (!service || !hasOwnAddress(service)) return release(key);
      if (service.spec.clusterIP) {
        if (addresses.owns(service.spec.clusterIP)) hold(key, service.spec.clusterIP);
        return;
      }
      const address = addresses.allocate();
      held.set(key, address);
      const spec = { clusterIP: address, clusterIPs: [address] };
      await api.client.patch(services, name, namespace, { spec }, { fieldManager: 'kube-apiserver' });
    },
    stop() {
      for (const key of held.keys()) release(key);
    },
  };
}
