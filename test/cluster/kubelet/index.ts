import { setTimeout as delay } from 'node:timers/promises';
import { type Pod, pods, resourcePath } from '../../../src/k8s/resources.ts';
import { Api, type Target } from '../conformance/api.ts';
import { serveLogs } from './log-server.ts';
import { createNode } from './node.ts';
import { createPods } from './pods.ts';

/** In place of a kubelet: a node on which Pods become what their annotations ask for, and no container ever runs. */
export interface Kubelet {
  stop(): Promise<void>;
}

export interface KubeletOptions {
  node: string;
  /** Parts the address ranges of nodes. */
  index: number;
  target: Target;
  /** For its own server, from which logs are read. */
  tls: { cert: string; key: string };
}

const leaseEvery = 10_000;
const retryAfter = 250;

export async function startKubelet({ node, index, target, tls }: KubeletOptions): Promise<Kubelet> {
  const api = new Api(target);
  const own = createPods(api, index);
  const logs = await serveLogs(own.logs, tls);
  const self = createNode(api, node, logs.port);
  await self.register();
  const stopping = new AbortController();
  const renewal = setInterval(() => void self.renew().catch(() => {}), leaseEvery);
  const loop = followPods(api, node, own.sync, stopping.signal);
  return {
    async stop() {
      clearInterval(renewal);
      stopping.abort();
      await api.close();
      await loop;
      await logs.stop();
    },
  };
}

type Sync = (type: 'ADDED' | 'DELETED', pod: Pod) => Promise<void>;

/** Lists and watches the node's Pods, again and again: the API server may be restarted under it. */
async function followPods(api: Api, node: string, sync: Sync, signal: AbortSignal): Promise<void> {
  const fieldSelector = `spec.nodeName=${node}`;
  while (!signal.aborted) {
    try {
      const { items, metadata } = (await api.get(resourcePath(pods), { query: { fieldSelector } })).list;
      for (const item of items) await sync('ADDED', item as unknown as Pod);
      const { resourceVersion } = metadata;
      await using watch = await api.watch(resourcePath(pods), { fieldSelector, resourceVersion });
      for (;;) {
        const { type, object } = await watch.next();
        if (type === 'ERROR') break;
        if (type !== 'BOOKMARK') await sync(type === 'DELETED' ? 'DELETED' : 'ADDED', object as unknown as Pod);
      }
    } catch {
      // The API server is away, or we are stopping.
      await delay(retryAfter, undefined, { signal }).catch(() => {});
    }
  }
}
