import type { Clock } from '../../../clock.ts';
import { type Pod, pods } from '../../resources.ts';
import type { EmbeddedApi } from '../api/service.ts';
import type { EventRecorder } from '../controllers/events.ts';
import { conditionOf } from '../controllers/pod-state.ts';
import type { AddressPool } from './addresses.ts';
import { machineCapacity, nodeLabels, nodeName } from './node.ts';
import { unschedulableStatus } from './pod-status.ts';
import { freePorts, portsAnnotation } from './ports.ts';
import { unschedulable } from './scheduling.ts';
import { writePodStatus } from './status-writes.ts';

export interface SchedulerOptions {
  api: EmbeddedApi;
  clock: Clock;
  addresses: AddressPool;
  events: EventRecorder;
}

/** Binds Pods to the one node, or says why it can't. */
export function createScheduler({ api, clock, addresses, events }: SchedulerOptions): (key: string) => Promise<void> {
  const manager = 'kube-scheduler';

  async function refuse(pod: Pod, message: string): Promise<void> {
    const told = conditionOf(pod.status?.conditions, 'PodScheduled');
    if (told?.status === 'False' && told.message === message) return;
    events.record(pod, 'Warning', 'FailedScheduling', message);
    await writePodStatus(api, pod, unschedulableStatus(pod, message, clock.now()), manager);
  }

  async function bind(pod: Pod): Promise<void> {
    const { name, namespace } = pod.metadata;
    const declared = pod.spec.containers.flatMap(({ ports = [] }) => ports.map(({ containerPort }) => containerPort));
    const moved = await freePorts(declared, addresses);
    const annotations = Object.keys(moved).length > 0 ? { [portsAnnotation]: JSON.stringify(moved) } : undefined;
    const patch = { ...(annotations && { metadata: { annotations } }), spec: { nodeName } };
    await api.client.patch(pods, name, namespace, patch, { fieldManager: manager });
    events.record(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${nodeName}`);
  }

  return async (key) => {
    const [namespace, name = ''] = key.split('/');
    const pod = api.get(pods, namespace, name);
    if (!pod || pod.spec.nodeName !== undefined || pod.metadata.deletionTimestamp !== undefined) return;
    const problem = unschedulable(pod, machineCapacity(), nodeLabels);
    if (problem === undefined) await bind(pod);
    else await refuse(pod, problem);
  };
}
