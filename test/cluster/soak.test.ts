import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { createKubeClient } from '../../src/k8s/client.ts';
import { openTransport } from '../../src/k8s/connect.ts';
import { systemClock } from '../../src/clock.ts';
import { type KubeObject, type Resource, namespaces } from '../../src/k8s/resources.ts';
import { createLog } from '../../src/log.ts';
import { type ControlPlane, startControlPlane } from './control-plane/index.ts';
import { kubeconfig } from './control-plane/credentials.ts';
import { soakKinds } from './soak/changes.ts';
import { watchEnds } from './soak/ends.ts';
import { faults } from './soak/faults.ts';
import { type SoakServer, soak } from './soak/soak.ts';

const serviceAccounts: Resource = {
  ...{ group: '', version: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts', namespaced: true },
};

/** With watch caches a version is too old when it is from before the server's start; without, when etcd has forgotten it. */
const seeds = [
  { seed: 1, caches: 'watch caches', flags: [], compacts: false },
  { seed: 2, caches: 'no watch caches', flags: ['--watch-cache=false'], compacts: true },
];

describe.runIf(inject('cluster').apiServer)(
  '10,000 changes of 2,000 objects on a real API server, with 50 disconnects, 20 times 410 and 5 restarts',
  () => {
    it.for(seeds)(
      'seed $seed, a server with $caches: nothing is missed, invented, revived or kept too long',
      { timeout: 400_000 },
      async ({ seed, flags, compacts }) => {
        const plane = await startControlPlane({ nodes: [], controllers: false, apiServerFlags: flags });
        const folder = await mkdtemp(join(tmpdir(), 'slipway-soak-'));
        try {
          const found = await soakOn(plane, folder, { seed, compacts });
          expect(found.problems).toEqual([]);
          expect(found.missedEnds).toEqual([]);
          expect(found.differences).toEqual([]);
          expect(found.mostWatches).toBe(1);
          expect(found.struck).toEqual(Object.fromEntries(faults.map(({ name, times }) => [name, times])));
          expect(found.expired).toBeGreaterThanOrEqual(20);
          expect(found.told.DELETED).toBeGreaterThan(500);
          expect(found.freshness).toBe('FRESH');
        } finally {
          await plane.stop();
          await rm(folder, { recursive: true });
        }
      },
    );
  },
);

async function soakOn(plane: ControlPlane, folder: string, { seed, compacts }: { seed: number; compacts: boolean }) {
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
