import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { KubeObject } from '../../../src/k8s/resources.ts';
import { moduleFolder } from './binaries.ts';

/** The modules whose CustomResourceDefinitions the clusters have that Slipway works with. */
const sources = [
  {
    module: 'sigs.k8s.io/gateway-api',
    version: 'v1.6.1',
    sum: 'h1:mock6phZbI6rvZerwrVNk7hVNymQgHo+6sJ81Ia7ftY=',
    folder: 'config/crd/standard',
    files: ['gatewayclasses', 'gateways', 'httproutes', 'referencegrants'].map(
      (plural) => `gateway.networking.k8s.io_${plural}.yaml`,
    ),
  },
  {
    module: 'github.com/envoyproxy/gateway',
    version: 'v1.9.0',
    sum: 'h1:PaOpud15v3kDCl3L5yc1TdYzggCMpRm1yRjNKmLkzHA=',
    folder: 'charts/gateway-helm/charts/crds/crds/generated',
    files: ['gateway.envoyproxy.io_securitypolicies.yaml'],
  },
] as const;

export async function readCustomResourceDefinitions(): Promise<KubeObject[]> {
  const found = await Promise.all(
    sources.map(async ({ module, version, sum, folder, files }) => {
      const root = await moduleFolder(module, version, sum);
      return Promise.all(
        files.map(async (file) => parse(await readFile(join(root, folder, file), 'utf8')) as KubeObject),
      );
    }),
  );
  return found.flat();
}
