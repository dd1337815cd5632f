import { availableParallelism, arch, hostname, platform, release, totalmem } from 'node:os';
import type { Clock } from '../../../clock.ts';
import { ApiError } from '../../api-error.ts';
import type { KubeObject, Resource } from '../../resources.ts';
import type { EmbeddedApi } from '../api/service.ts';
import { rfc3339 } from '../controllers/pod-state.ts';
import type { Capacity } from './scheduling.ts';

/** The name of the one node: this machine. */
export const nodeName = 'local';

/** core/v1 Node, as far as we write it. */
export interface Node extends KubeObject {
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
}

export const nodes: Resource<Node> = { group: '', version: 'v1', kind: 'Node', plural: 'nodes', namespaced: false };

export function machineCapacity(): Capacity {
  return { cpu: availableParallelism(), memory: totalmem() };
}

export const nodeLabels: Readonly<Record<string, string>> = {
  'kubernetes.io/hostname': nodeName,
  'kubernetes.io/os': platform() === 'darwin' ? 'darwin' : 'linux',
  'kubernetes.io/arch': arch() === 'x64' ? 'amd64' : arch(),
};

function nodeStatus({ cpu, memory }: Capacity, now: number): Record<string, unknown> {
  const amounts = { cpu: String(cpu), memory: `${Math.floor(memory / 1024)}Ki`, pods: '110' };
  const time = rfc3339(now);
  const condition = (type: string, status: string, reason: string, message: string) => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: time,
    lastTransitionTime: time,
  });
  return {
    capacity: amounts,
    allocatable: amounts,
    conditions: [
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
      condition('Ready', 'True', 'KubeletReady', 'this machine runs local programs and built-in images'),
    ],
    addresses: [
      { type: 'InternalIP', address: '127.0.0.1' },
      { type: 'Hostname', address: hostname() },
    ],
    nodeInfo: {
      machineID: '',
      systemUUID: '',
      bootID: '',
      kernelVersion: release(),
      osImage: platform(),
      containerRuntimeVersion: 'slipway://1',
      kubeletVersion: 'v1.36.0',
      kubeProxyVersion: 'v1.36.0',
      operatingSystem: nodeLabels['kubernetes.io/os'],
      architecture: nodeLabels['kubernetes.io/arch'],
    },
  };
}

/** Creates the Node of this machine, or brings the present one up to date. */
export async function registerNode(api: EmbeddedApi, clock: Clock): Promise<void> {
  const manager = { fieldManager: 'kubelet' };
  const node: Node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: nodeName, labels: { ...nodeLabels } },
    spec: {},
  };
  try {
    await api.client.create(nodes, node, manager);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 409) throw error;
  }
  const present = await api.client.get(nodes, nodeName);
  const status = nodeStatus(machineCapacity(), clock.now());
  await api.client.replace(nodes, { ...present, status }, { ...manager, subresource: 'status' });
}
