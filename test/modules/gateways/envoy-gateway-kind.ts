import type { Definition } from '../../../src/k8s/embedded/api/definition.ts';
import { anything, struct } from '../../../src/k8s/embedded/api/schema.ts';
import { objectMeta } from '../../../src/k8s/embedded/api/schemas/meta.ts';
import { type EnvoyProxy, envoyProxies, gatewayClasses, securityPolicies } from '../../../src/k8s/resources.ts';
import type { TestServer } from '../../../src/testing.ts';
import { accept, edge } from './traefik-kind.ts';

/** The kind by which Envoy Gateway is told how its Envoys run. */
export const envoyProxy: Definition = {
  group: envoyProxies.group,
  version: envoyProxies.version,
  kind: envoyProxies.kind,
  plural: envoyProxies.plural,
  singular: 'envoyproxy',
  namespaced: true,
  custom: true,
  description: 'EnvoyProxy of Envoy Gateway.',
  schema: struct('envoy.v1alpha1.EnvoyProxy', { metadata: objectMeta, spec: anything }),
  generationOf: ({ spec }) => spec,
  columns: [],
};

/** Envoys keep connections of a changed listener for this long. */
export async function setDrainTime({ kube }: Pick<TestServer, 'kube'>, drainTimeout: string): Promise<void> {
  const proxy: EnvoyProxy = {
    apiVersion: 'gateway.envoyproxy.io/v1alpha1',
    kind: 'EnvoyProxy',
    metadata: { name: 'edge', namespace: 'default' },
    spec: { shutdown: { drainTimeout } },
  };
  await kube.create(envoyProxies, proxy);
  const parametersRef = { group: envoyProxies.group, kind: envoyProxies.kind, name: 'edge', namespace: 'default' };
  await kube.patch(gatewayClasses, edge.name, undefined, { spec: { parametersRef } });
}

/** The controller says what it thinks of the policy as it is now; it takes the route as it is. */
export async function judge(
  server: Pick<TestServer, 'kube' | 'cluster'>,
  name: string,
  status: 'True' | 'False' = 'True',
): Promise<void> {
  await accept(server, name);
  const { metadata } = await server.kube.get(securityPolicies, `${name}-sp`, 'default');
  const reason = status === 'True' ? 'Accepted' : 'Invalid';
  const condition = { type: 'Accepted', status, reason, message: '', observedGeneration: metadata.generation ?? 1 };
  const conditions = [{ ...condition, lastTransitionTime: new Date().toISOString() }];
  const written = await server.kube.patch(
    securityPolicies,
    `${name}-sp`,
    'default',
    { status: { ancestors: [{ ancestorRef: edge, controllerName: 'x/y', conditions }] } },
    { subresource: 'status' },
  );
  await server.cluster.cache(securityPolicies).seen(written, { timeoutMs: 1e9 });
}
