import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../src/clock.ts';
import { createKubeClient } from '../../../src/k8s/client.ts';
import { openTransport } from '../../../src/k8s/connect.ts';
import { type KubeObject, type Resource, namespaces } from '../../../src/k8s/resources.ts';
import { createLog } from '../../../src/log.ts';
import { kubeconfig } from '../control-plane/credentials.ts';
import type { ControlPlane } from '../control-plane/index.ts';
import { soakKinds } from './changes.ts';
import { watchEnds } from './ends.ts';
import { type Findings, type SoakServer, soak } from './soak.ts';

const serviceAccounts: Resource = {
  ...{ group: '', version: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts', namespaced: true },
};

/** `compacts`: the API server has no watch caches, so that a version is too old when etcd has forgotten it. */
export async function soakOn(
  plane: ControlPlane,
  folder: string,
  { seed, compacts }: { seed: number; compacts: boolean },
): Promise<Findings> {
  const namespace = 'soak';
  const transport = openTransport({
    ...{ mode: 'KUBECONFIG', kubeconfig: plane.kubeconfig, clock: systemClock, log: createLog('silent') },
  });
  const kube = createKubeClient(transport);
  const make = (resource: Resource, object: KubeObject) => kube.create(resource, object);
  await make(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  // No controller is there to make it, and no Pod is admitted without.
  await make(serviceAccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } });
  const store = await watchEnds(
    plane.etcdUrl,
    soakKinds.map(({ resource }) => resource),
    namespace,
  );
  const server: SoakServer = {
    ...{ url: plane.url, ca: plane.ca, namespace, kube, store, compacts },
    restart: plane.restartApiServer,
    async kubeconfig(url) {
      const path = join(folder, 'kubeconfig');
      await writeFile(path, kubeconfig(url, plane.ca, plane.adminToken));
      return path;
    },
  };
  try {
    return await soak(seed, server);
  } finally {
    store.stop();
    await transport.close();
  }
}
