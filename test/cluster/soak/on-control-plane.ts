import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../src/clock.ts';
import { createKubeClient } from '../../../src/k8s/client.ts';
import { openTransport } from '../../../src/k8s/connect.ts';
import { namespaces } from '../../../src/k8s/resources.ts';
import { createLog } from '../../../src/log.ts';
import { kubeconfig } from '../control-plane/credentials.ts';
import type { ControlPlane } from '../control-plane/index.ts';
import { soakKinds } from './changes.ts';
import { watchEnds } from './ends.ts';
import { type Findings, type SoakServer, soak } from './soak.ts';

/** `compacts`: the API server has no watch caches, so that a version is too old when etcd has forgotten it. */
export async function soakOn(
  plane: ControlPlane,
  folder: string,
  { seed, compacts, scale }: { seed: number; compacts: boolean; scale?: number },
): Promise<Findings> {
  const namespace = 'soak';
  const transport = openTransport({
    ...{ mode: 'KUBECONFIG', kubeconfig: plane.kubeconfig, clock: systemClock, log: createLog('silent') },
  });
  const kube = createKubeClient(transport);
  await kube.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const store = await watchEnds(
    plane.etcdUrl,
    soakKinds.map(({ resource }) => resource),
    namespace,
  );
  const server: SoakServer = {
    ...{ url: plane.url, ca: plane.ca, namespace, kube, store, compacts },
    restart: () => plane.restartApiServer('SIGKILL'),
    async kubeconfig(url) {
      const path = join(folder, 'kubeconfig');
      await writeFile(path, kubeconfig(url, plane.ca, plane.adminToken));
      return path;
    },
  };
  try {
    return await soak(seed, server, scale);
  } finally {
    store.stop();
    await transport.close();
  }
}
