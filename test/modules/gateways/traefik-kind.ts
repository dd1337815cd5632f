import type { Definition } from '../../../src/k8s/embedded/api/definition.ts';
import { anything, struct } from '../../../src/k8s/embedded/api/schema.ts';
import { objectMeta } from '../../../src/k8s/embedded/api/schemas/meta.ts';
import {
  gatewayClasses,
  gateways as gatewayResource,
  type HTTPRoute,
  httpRoutes,
  middlewares,
} from '../../../src/k8s/resources.ts';
import type { TestServer } from '../../../src/testing.ts';

/** The kind that Traefik brings along. */
export const middleware: Definition = {
  group: middlewares.group,
  version: middlewares.version,
  kind: middlewares.kind,
  plural: middlewares.plural,
  singular: 'middleware',
  namespaced: true,
  custom: true,
  description: 'Middleware of Traefik.',
  schema: struct('traefik.v1alpha1.Middleware', { metadata: objectMeta, spec: anything }),
  generationOf: ({ spec }) => spec,
  columns: [],
};

export const edge = { namespace: 'default', name: 'edge' };

/** A Gateway of a class with this controller; nothing serves it, so the test plays the controller. */
export async function addGateway({ kube }: Pick<TestServer, 'kube'>, controllerName: string): Promise<void> {
  await kube.create(gatewayClasses, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GatewayClass',
    metadata: { name: edge.name },
    spec: { controllerName },
  });
  const made = await kube.create(gatewayResource, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: edge,
    spec: { gatewayClassName: edge.name, listeners: [{ name: 'https', port: 443, protocol: 'HTTPS' }] },
  });
  const conditions = [{ type: 'Programmed', status: 'True', reason: 'Programmed', message: '' }];
  await kube.patch(
    gatewayResource,
    edge.name,
    edge.namespace,
    { status: { conditions: conditions.map((condition) => stamped(condition, made.metadata.generation)) } },
    { subresource: 'status' },
  );
}

const stamped = (condition: object, observedGeneration = 1) => ({
  ...condition,
  observedGeneration,
  lastTransitionTime: new Date().toISOString(),
});

/** The controller takes the route as it is now. */
export async function accept({ kube }: Pick<TestServer, 'kube'>, name: string): Promise<void> {
  const route: HTTPRoute = await kube.get(httpRoutes, name, 'default');
  const conditions = ['Accepted', 'ResolvedRefs'].map((type) =>
    stamped({ type, status: 'True', reason: type, message: '' }, route.metadata.generation),
  );
  const parents = (route.spec.parentRefs ?? []).map((parentRef) => ({ parentRef, controllerName: 'x/y', conditions }));
  await kube.patch(httpRoutes, name, 'default', { status: { parents } }, { subresource: 'status' });
}
