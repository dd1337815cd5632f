import type { Api } from '../conformance/api.ts';

export interface Node {
  register(): Promise<void>;
  /** Says that it is still there. */
  renew(): Promise<void>;
}

const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';

/** The Node object and its lease. */
export function createNode(api: Api, name: string, kubeletPort: number): Node {
  const lease = () => ({
    holderIdentity: name,
    leaseDurationSeconds: 40,
    renewTime: new Date().toISOString().replace('Z', '000Z'),
  });
  return {
    async register() {
      const labels = { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' };
      (await api.post('/api/v1/nodes', { metadata: { name, labels } })).succeeded();
      (await api.strategicPatch(`/api/v1/nodes/${name}/status`, { status: nodeStatus(name, kubeletPort) })).succeeded();
      (await api.post(leases, { metadata: { name }, spec: lease() })).succeeded();
    },
    async renew() {
      await api.mergePatch(`${leases}/${name}`, { spec: lease() });
    },
  };
}

function nodeStatus(name: string, kubeletPort: number) {
  const now = new Date().toISOString();
  const condition = (type: string, status: string, reason: string) => ({
    type,
    status,
    reason,
    message: reason,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  });
  const room = { cpu: '64', memory: '256Gi', 'ephemeral-storage': '1Ti', pods: '4000' };
  return {
    capacity: room,
    allocatable: room,
    addresses: [
      { type: 'InternalIP', address: '127.0.0.1' },
      { type: 'Hostname', address: name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } },
    conditions: [
      condition('Ready', 'True', 'KubeletReady'),
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID'),
    ],
    nodeInfo: {
      kubeletVersion: 'v1.36.0-test',
      kubeProxyVersion: '',
      containerRuntimeVersion: 'test://0',
      osImage: 'test',
      operatingSystem: 'linux',
      architecture: 'amd64',
      kernelVersion: 'test',
      machineID: name,
      systemUUID: name,
      bootID: name,
    },
  };
}
