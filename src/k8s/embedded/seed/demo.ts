import { randomUUID } from 'node:crypto';
import { configMaps, deployments, httpRoutes, type KubeObject, type Resource, services } from '../../resources.ts';
import type { EmbeddedApi } from '../api/service.ts';
import { localGateway } from './gateway.ts';
import { demoDeployment, demoNamespace, demoRoute, demoRuns, demoService } from './manifests.ts';
import { ensureNamespace } from './namespaces.ts';

/** Says that this data folder has had its demo: what a user deletes of it stays deleted. */
const marker = { namespace: localGateway.namespace, name: 'demo-seeded' } as const;

/** Where the hostnames of the demo's gateways lie. */
const domain = 'services.localhost';

/** Creates the demo runs, once per data folder. */
export async function seedDemo(api: EmbeddedApi): Promise<void> {
  if (api.get(configMaps, marker.namespace, marker.name)) return;
  await ensureNamespace(api, demoNamespace);
  for (const run of demoRuns) {
    const deployment = await createOnce(api, deployments, demoDeployment(run, randomUUID().replaceAll('-', '')));
    await createOnce(api, services, demoService(run, deployment));
  }
  await createOnce(api, httpRoutes, demoRoute(domain));
  await ensureNamespace(api, marker.namespace);
  await createOnce(api, configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...marker } });
}

/** A seeding that was cut short goes on where it ended. */
async function createOnce<T extends KubeObject>(api: EmbeddedApi, resource: Resource<T>, object: T): Promise<T> {
  const { namespace, name } = object.metadata;
  return api.get(resource, namespace, name) ?? (await api.client.create(resource, object));
}
