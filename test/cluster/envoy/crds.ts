import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { KubeObject } from '../../../src/k8s/resources.ts';
import { moduleFolder } from '../control-plane/binaries.ts';

const module = {
  path: 'github.com/envoyproxy/gateway',
  version: 'v1.9.0',
  sum: 'h1:PaOpud15v3kDCl3L5yc1TdYzggCMpRm1yRjNKmLkzHA=',
};

/** All kinds of Envoy Gateway: its controller wants more of them than Slipway does. */
export async function readEnvoyGatewayDefinitions(): Promise<KubeObject[]> {
  const folder = join(
    await moduleFolder(module.path, module.version, module.sum),
    'charts/gateway-helm/charts/crds/crds/generated',
  );
  const files = await readdir(folder);
  return Promise.all(files.map(async (file) => parse(await readFile(join(folder, file), 'utf8')) as KubeObject));
}
