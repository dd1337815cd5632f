import { join } from 'node:path';
import { pods } from '../../resources.ts';
import { createEventRecorder } from '../controllers/events.ts';
import { logFailure } from '../controllers/index.ts';
import type { EmbeddedPart, Running } from '../controllers/service.ts';
import { createWorkQueue, type WorkQueue } from '../controllers/work-queue.ts';
import { baseEnvironment } from './base-environment.ts';
import type { BuiltinImage } from './images.ts';
import { createKubelet } from './kubelet.ts';
import { createLogStore } from './log-store.ts';
import { registerNode } from './node.ts';
import { servePodLogs } from './pod-logs.ts';
import { openProcessRecords } from './process-records.ts';
import { createProcesses, type Recovered } from './processes.ts';
import { createScheduler } from './scheduler.ts';
import { startServiceProxy } from './service-proxy.ts';

export interface RuntimeOptions extends EmbeddedPart {
  images: Readonly<Record<string, BuiltinImage>>;
}

/** How long programs have to end when the server stops. */
const stopGraceMs = 5000;

/**
 * Starts the node of the embedded cluster: Pods are bound, run and probed here, and Services answer on their addresses.
 * What an earlier server left running is taken over; what belongs to no Pod any more is ended.
 */
export async function startRuntime(options: RuntimeOptions): Promise<Running> {
  const { api, clock, log, addresses, dataDir, images } = options;
  const failed = logFailure(log, 'events');
  const kubeletEvents = createEventRecorder({ api, clock, failed }, 'kubelet');
  const schedulerEvents = createEventRecorder({ api, clock, failed }, 'default-scheduler');
  const proxyEvents = createEventRecorder({ api, clock, failed }, 'kube-proxy');
  const logs = createLogStore(join(dataDir, 'logs'));
  const processes = createProcesses({ records: openProcessRecords(join(dataDir, 'processes')), clock });
  const uids = new Set(api.list(pods).map(({ metadata }) => metadata.uid ?? ''));
  const recovered = takeOver(processes.recover(), uids);
  logs.keepOnly(uids);
  await registerNode(api, clock);
  servePodLogs(api, logs);

  let queue: WorkQueue | undefined;
  const schedule = createScheduler({ api, clock, addresses, events: schedulerEvents });
  const kubelet = createKubelet({
    api,
    clock,
    log,
    addresses,
    processes,
    logs,
    events: kubeletEvents,
    images,
    baseEnv: baseEnvironment(),
    recovered: (podUid, container) => recovered.get(`${podUid}/${container}`),
    requeue: (key, ms) => (ms > 0 ? queue?.addAfter(key, ms) : queue?.add(key)),
  });
  const sync = async (key: string): Promise<void> => {
    await schedule(key);
    await kubelet.sync(key);
  };
  const own = createWorkQueue({ clock, work: sync, failed: logFailure(log, 'kubelet') });
  queue = own;
  const unobserve = api.observe(pods, ({ object }) => own.add(`${object.metadata.namespace}/${object.metadata.name}`));
  // Whoever reads now sees what really runs, not what ran when the last server ended.
  await own.idle();
  const proxy = startServiceProxy({ api, clock, log, addresses, events: proxyEvents });
  await proxy.idle();

  return {
    async stop() {
      unobserve();
      await Promise.all([own.stop(), proxy.stop()]);
      await kubelet.stop(stopGraceMs);
      await Promise.all([kubeletEvents, schedulerEvents, proxyEvents].map((events) => events.stop()));
      logs.close();
    },
  };
}

/** What is left of the containers of present Pods, by `uid/container`; all other programs are ended. */
function takeOver(recovered: readonly Recovered[], podUids: ReadonlySet<string>): Map<string, Recovered> {
  const kept = new Map<string, Recovered>();
  for (const entry of recovered) {
    const { podUid, container, run } = entry.record;
    const key = `${podUid}/${container}`;
    const other = kept.get(key);
    const wanted = podUids.has(podUid) && !(other && other.record.run > run);
    if (!wanted) entry.instance?.kill();
    else {
      other?.instance?.kill();
      kept.set(key, entry);
    }
  }
  return kept;
}
