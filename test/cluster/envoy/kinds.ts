import { type Condition, type KubeObject, resource } from '../../../src/k8s/resources.ts';

/** Kinds that only the test of the data plane needs. */
export const envoyProxies = resource<KubeObject & { spec: object }>(
  'gateway.envoyproxy.io',
  'v1alpha1',
  'EnvoyProxy',
  'envoyproxies',
);

export const definitions = resource<KubeObject & { status?: { conditions?: Condition[] } }>(
  'apiextensions.k8s.io',
  'v1',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  false,
);
