import { type Condition, type KubeObject, resource } from '../../../src/k8s/resources.ts';

/** A kind that only the test of the data plane needs. */
export const definitions = resource<KubeObject & { status?: { conditions?: Condition[] } }>(
  'apiextensions.k8s.io',
  'v1',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  false,
);
