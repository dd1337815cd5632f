import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { createKubeClient } from '../../../src/k8s/client.ts';
import type { KubeClient } from '../../../src/k8s/cluster.ts';
import { openTransport } from '../../../src/k8s/connect.ts';
import { startApi } from '../../../src/k8s/embedded/api/index.ts';
import { createEventRecorder } from '../../../src/k8s/embedded/controllers/events.ts';
import { startControllers } from '../../../src/k8s/embedded/controllers/index.ts';
import { writeKubeconfig } from '../../../src/k8s/embedded/kubeconfig.ts';
import { createAddressPool } from '../../../src/k8s/embedded/runtime/addresses.ts';
import { registerNode } from '../../../src/k8s/embedded/runtime/node.ts';
import { createScheduler } from '../../../src/k8s/embedded/runtime/scheduler.ts';
import { type Namespace, namespaces, pods, resourcePath } from '../../../src/k8s/resources.ts';
import { createLog } from '../../../src/log.ts';
import { Api } from '../conformance/api.ts';
import type { OpenTarget } from '../conformance/suite.ts';
import { type Pods, createPods } from '../kubelet/pods.ts';
import { lineText, logText } from '../kubelet/log-server.ts';
import { realTarget } from '../target.ts';

/** A cluster on which the stand-in kubelet runs Pods, whoever serves its API. */
export interface ProductCluster {
  /** Of its administrator. */
  readonly kubeconfig: string;
  /** Plays somebody with kubectl. */
  readonly kube: KubeClient;
  readonly api: Api;
  /** A new namespace in which Pods can be made. */
  namespace(prefix: string): Promise<string>;
  close(): Promise<void>;
}

export const log = createLog(process.env['SLIPWAY_TEST_LOG'] ?? 'silent');

/** The control plane of this run. */
export async function openReal(): Promise<ProductCluster> {
  return open(inject('cluster').kubeconfig, realTarget(), async () => {});
}

/** Both, to tell the same cases to. */
export const clusters: [name: string, open: () => Promise<ProductCluster>][] = [
  ['a real control plane', openReal],
  ['the embedded API and its controllers', openEmbedded],
];

function open(kubeconfig: string, target: OpenTarget, stop: () => Promise<void>): ProductCluster {
  const api = new Api(target);
  const transport = openTransport({ mode: 'KUBECONFIG', kubeconfig, clock: systemClock, log });
  const kube = createKubeClient(transport);
  const made: string[] = [];
  return {
    kubeconfig,
    kube,
    api,
    async namespace(prefix) {
      const { object } = await api.post(resourcePath(namespaces), { metadata: { generateName: `${prefix}-` } });
      const { name } = object.metadata;
      made.push(name);
      await target.prepare?.(api, name);
      return name;
    },
    async close() {
      for (const name of made) await kube.delete<Namespace>(namespaces, name);
      await api.close();
      await transport.close();
      await stop();
    },
  };
}

/** The embedded cluster as it is, but for its node: the stand-in kubelet takes the place of local programs. */
export async function openEmbedded(): Promise<ProductCluster> {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-product-'));
  const clock = systemClock;
  const addresses = await createAddressPool({ aliases: true });
  const api = await startApi({
    ...{ dataDir, port: 0, clock, log },
    allocateClusterIP: () => addresses.allocate(),
    releaseClusterIP: (address) => addresses.release(address),
  });
  const controllers = await startControllers({ api, clock, log, dataDir, addresses });
  await registerNode(api, clock);
  const node = new Api({ url: api.url });
  const own = createPods(node, 0);
  api.servePodLogs({ read: (pod, options) => readLog(own, pod, options) });
  const events = createEventRecorder({ api, clock, failed: () => {} }, 'default-scheduler');
  const schedule = createScheduler({ api, clock, addresses, events });
  let work = Promise.resolve();
  const unobserve = api.observe(pods, ({ type, object }) => {
    const { namespace, name } = object.metadata;
    const isBound = object.spec.nodeName !== undefined;
    const sync = () =>
      isBound ? own.sync(type === 'DELETED' ? type : 'ADDED', object) : schedule(`${namespace}/${name}`);
    // A Pod that changed or went meanwhile comes again.
    work = work.then(sync).catch(() => {});
  });
  const kubeconfig = join(dataDir, 'kubeconfig');
  await writeKubeconfig(kubeconfig, api.url, 'default');
  return open(kubeconfig, { url: api.url }, async () => {
    unobserve();
    await work;
    await events.stop();
    await controllers.stop();
    await node.close();
    await api.stop();
    await rm(dataDir, { recursive: true });
  });
}

async function* readLog(
  { logs }: Pods,
  { namespace, name }: { namespace: string; name: string },
  options: { follow?: boolean; previous?: boolean; tailLines?: number; timestamps?: boolean; signal?: AbortSignal },
): AsyncIterable<Uint8Array> {
  const encode = (text: string) => Buffer.from(text);
  yield encode(logText(logs.lines(namespace, name, options.previous) ?? [], options));
  if (!options.follow) return;
  const arrived: string[] = [];
  const changed = new EventTarget();
  let over = false;
  const wake = () => changed.dispatchEvent(new Event('line'));
  const end = () => {
    over = true;
    wake();
  };
  const stop = logs.follow(namespace, name, (line) => {
    if (!line) return end();
    arrived.push(lineText(line, options));
    wake();
  });
  options.signal?.addEventListener('abort', end);
  try {
    while (!over) {
      if (arrived.length === 0)
        await new Promise((resolve) => changed.addEventListener('line', resolve, { once: true }));
      for (const text of arrived.splice(0)) yield encode(text);
    }
  } finally {
    stop();
  }
}
