import { type EndpointSlice, endpointSlices, pods, type Service, services } from '../../resources.ts';
import type { Controller, ControllerPart } from './controller.ts';
import { sameStatus } from './deployment-plan.ts';
import { endpointSlicesOf, selects, serviceNameLabel, sliceManagedByLabel, sliceManager } from './endpoints.ts';

const manager = { fieldManager: 'kube-controller-manager' };

function content({ metadata, addressType, endpoints, ports }: EndpointSlice): unknown {
  return { labels: metadata.labels, addressType, endpoints: endpoints ?? [], ports: ports ?? [] };
}

/** Service and Pods → EndpointSlices. Keys are `namespace/name` of the Service. */
export function createEndpointSliceController({ api }: ControllerPart): Controller {
  function present(namespace: string | undefined, name: string): EndpointSlice[] {
    return api
      .list(endpointSlices, namespace)
      .filter(
        ({ metadata }) =>
          metadata.labels?.[serviceNameLabel] === name && metadata.labels[sliceManagedByLabel] === sliceManager,
      );
  }

  function wanted(service: Service | undefined): EndpointSlice[] {
    if (!service || service.metadata.deletionTimestamp !== undefined) return [];
    const matching = api.list(pods, service.metadata.namespace).filter((pod) => selects(service, pod));
    return endpointSlicesOf(service, matching);
  }

  async function write(slice: EndpointSlice, old: EndpointSlice | undefined): Promise<void> {
    if (!old) await api.client.create(endpointSlices, slice, manager);
    else if (!sameStatus(content(old), content(slice))) {
      const metadata = { ...old.metadata, ...slice.metadata };
      await api.client.replace(endpointSlices, { ...old, ...slice, metadata }, manager);
    }
  }

  return {
    name: 'endpointslice',
    async sync(key) {
      const [namespace, name = ''] = key.split('/');
      const slices = wanted(api.get(services, namespace, name));
      const old = present(namespace, name);
      const namesakes = (slice: EndpointSlice) => old.find((other) => other.metadata.name === slice.metadata.name);
      for (const slice of slices) await write(slice, namesakes(slice));
      const kept = new Set(slices.map((slice) => slice.metadata.name));
      for (const { metadata } of old) {
        if (!kept.has(metadata.name)) await api.client.delete(endpointSlices, metadata.name, metadata.namespace);
      }
    },
  };
}
