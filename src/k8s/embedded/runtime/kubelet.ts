import type { Clock } from '../../../clock.ts';
import type { Log } from '../../../log.ts';
import { ApiError } from '../../api-error.ts';
import { type Container, configMaps, type Pod, pods, secrets } from '../../resources.ts';
import type { EmbeddedApi } from '../api/service.ts';
import type { EventRecorder } from '../controllers/events.ts';
import { isFinished } from '../controllers/pod-state.ts';
import type { AddressPool } from './addresses.ts';
import type { ContainerPart } from './container.ts';
import type { References } from './environment.ts';
import type { BuiltinImage } from './images.ts';
import type { LogStore } from './log-store.ts';
import { nodeName } from './node.ts';
import { createPodWorker, graceLeft, type PodWorker } from './pod-worker.ts';
import type { Processes, Recovered } from './processes.ts';
import { writePodStatus } from './status-writes.ts';

export interface KubeletOptions {
  api: EmbeddedApi;
  clock: Clock;
  log: Log;
  addresses: AddressPool;
  processes: Processes;
  logs: LogStore;
  events: EventRecorder;
  images: Readonly<Record<string, BuiltinImage>>;
  baseEnv: Readonly<Record<string, string>>;
  /** What an earlier server left of a container of a Pod. */
  recovered: (podUid: string, container: string) => Recovered | undefined;
  /** Asks for another round on the Pod, now or after some time. */
  requeue: (key: string, ms: number) => void;
}

/** Runs the Pods that are bound to this node. Keys are `namespace/name`. */
export interface Kubelet {
  sync(key: string): Promise<void>;
  /** Ends everything that runs: SIGTERM, and SIGKILL after the grace period. */
  stop(graceMs: number): Promise<void>;
}

export function createKubelet(options: KubeletOptions): Kubelet {
  const { api, clock, addresses, logs, events, requeue } = options;
  const workers = new Map<string, PodWorker>();

  /** The Pod as it is now, for what happens later than the round that started it. */
  const present = (namespace: string | undefined, name: string, uid: string): Pod | undefined => {
    const pod = api.get(pods, namespace, name);
    return pod?.metadata.uid === uid ? pod : undefined;
  };

  function references(namespace: string | undefined): References {
    return {
      secret: (name) => api.get(secrets, namespace, name),
      configMap: (name) => api.get(configMaps, namespace, name),
    };
  }

  function containerPart(pod: Pod, container: Container): ContainerPart {
    const { processes, images, baseEnv } = options;
    const { namespace, name } = pod.metadata;
    const fieldPath = `spec.containers{${container.name}}`;
    return {
      processes,
      images,
      baseEnv,
      references,
      clock,
      logs,
      event: (type, reason, message) => events.record(pod, type, reason, message, fieldPath),
      changed: () => requeue(`${namespace}/${name}`, 0),
    };
  }

  function workerFor(key: string, pod: Pod): PodWorker {
    const known = workers.get(key);
    if (known) return known;
    const podIP = pod.status?.podIP;
    const address = podIP !== undefined && addresses.owns(podIP) ? podIP : addresses.allocate();
    addresses.reserve(address);
    const recovered = (container: string) => options.recovered(pod.metadata.uid ?? '', container);
    const worker = createPodWorker({ pod, address, part: containerPart, clock, recovered });
    workers.set(key, worker);
    return worker;
  }

  /** The Pod is not there any more: what is left of it goes too. */
  async function retire(key: string, worker: PodWorker): Promise<void> {
    worker.stop(0);
    await worker.gone();
    workers.delete(key);
    logs.remove(worker.uid);
    addresses.release(worker.address);
  }

  /** The Pod is being deleted: its containers end first. */
  async function terminate(key: string, pod: Pod): Promise<void> {
    const worker = isFinished(pod) ? workers.get(key) : workerFor(key, pod);
    if (worker) {
      worker.stop(graceLeft(pod, clock.now()));
      // Takes up what an earlier server left running, if that has not been done: to end it, too.
      await worker.advance(pod);
      const over = !worker.running;
      await writePodStatus(api, pod, worker.status(pod));
      if (!over) return;
    }
    const { name, namespace, uid } = pod.metadata;
    await api.client.delete(pods, name, namespace, {
      gracePeriodSeconds: 0,
      preconditions: { ...(uid !== undefined && { uid }) },
    });
  }

  async function run(key: string, pod: Pod): Promise<void> {
    const worker = workerFor(key, pod);
    const { status, checkAt } = await worker.advance(pod);
    const current = present(pod.metadata.namespace, pod.metadata.name, worker.uid);
    if (current) await writePodStatus(api, current, status);
    if (checkAt !== undefined) requeue(key, Math.max(0, checkAt - clock.now()));
  }

  return {
    async sync(key) {
      const [namespace, name = ''] = key.split('/');
      const pod = api.get(pods, namespace, name);
      const worker = workers.get(key);
      if (worker && worker.uid !== pod?.metadata.uid) await retire(key, worker);
      if (!pod || pod.spec.nodeName !== nodeName) return;
      try {
        if (pod.metadata.deletionTimestamp !== undefined) await terminate(key, pod);
        else await run(key, pod);
      } catch (error) {
        // Deleted, or deleted and made again, in this very moment: the event of that is on its way.
        if (!(error instanceof ApiError) || (error.status !== 404 && error.status !== 409)) throw error;
      }
    },
    async stop(graceMs) {
      for (const worker of workers.values()) worker.stop(graceMs);
      await Promise.all([...workers.values()].map((worker) => worker.gone()));
    },
  };
}
