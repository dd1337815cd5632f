import { randomUUID } from 'node:crypto';
import { createKubeClient } from '../../src/k8s/client.ts';
import type { KubeClient } from '../../src/k8s/cluster.ts';
import { fixedToken } from '../../src/k8s/credentials.ts';
import {
  type KubeObject,
  type Resource,
  deployments,
  endpointSlices,
  namespaces,
  pods,
  replicaSets,
  services,
} from '../../src/k8s/resources.ts';
import { readTls } from '../../src/k8s/tls.ts';
import { createTransport } from '../../src/k8s/transport.ts';
import type { ControlPlane } from '../../test/cluster/control-plane/index.ts';
import { runIdOf, runSet } from './objects.ts';

const spread = 20;
/** etcd's limit is 128. */
const putsAtOnce = 100;

/** Where kube-apiserver keeps each kind. */
const kept: [Resource, string][] = [
  [deployments, 'deployments'],
  [replicaSets, 'replicasets'],
  [pods, 'pods'],
  [services, 'services/specs'],
  [endpointSlices, 'endpointslices'],
];

/** That the address of a Service is taken: the API server warns of each that is not. */
const ipAddresses: Resource = {
  ...{ group: 'networking.k8s.io', version: 'v1', kind: 'IPAddress', plural: 'ipaddresses', namespaced: false },
};

const serviceAccounts: Resource = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  namespaced: true,
};

/**
 * So many runs with all their objects. One of them is made through the API; the others are written into its store as copies
 * of what it made of that one, managed fields and all: 70,000 writes through the API would take half an hour.
 */
export async function fill(plane: ControlPlane, runs: number): Promise<void> {
  const transport = createTransport({
    url: plane.url,
    tls: readTls({ ca: { text: plane.ca } }),
    credentials: fixedToken(`Bearer ${plane.adminToken}`),
  });
  const client = createKubeClient(transport);
  const names = Array.from({ length: spread }, (_, index) => `lab-${index}`);
  for (const name of names) {
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    // No controller is there to make it, and no Pod is admitted without.
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: name } };
    await client.create(serviceAccounts, account);
  }
  const pattern = await make(client, names[0] ?? '');
  await transport.close();
  // Addresses first: the API server looks whether those of Services are taken.
  const addresses = pattern.filter(([path]) => path === 'ipaddresses');
  const rest = pattern.filter(([path]) => path !== 'ipaddresses');
  for (const part of [addresses, rest]) {
    let puts: object[] = [];
    for (let index = 1; index < runs; index++) {
      const changes = changesFor(pattern, index, names[index % spread] ?? '');
      puts.push(...copies(part, changes));
      if (puts.length + part.length > putsAtOnce || index === runs - 1) {
        await transact(plane.etcdUrl, puts);
        puts = [];
      }
    }
  }
}

/** The first run, with the states that controllers and kubelet would give it. */
async function make(client: KubeClient, namespace: string): Promise<[string, KubeObject][]> {
  const made: [string, KubeObject][] = [];
  const create = async <T extends KubeObject>(resource: Resource<T>, object: T): Promise<string> => {
    const { metadata } = await client.create(resource, object);
    const { status } = object as { status?: unknown };
    if (status) await client.patch(resource, metadata.name, namespace, { status }, { subresource: 'status' });
    const path = kept.find(([{ kind }]) => kind === resource.kind)?.[1] ?? '';
    made.push([path, await client.get(resource, metadata.name, namespace)]);
    return metadata.uid ?? '';
  };
  const set = runSet(0, namespace);
  const deployment = await create(deployments, set.deployment);
  const replicaSet = await create(replicaSets, set.replicaSet(deployment));
  await create(pods, set.pod(replicaSet));
  const service = await create(services, set.service);
  await create(endpointSlices, set.slice(service));
  made.push(['ipaddresses', await client.get(ipAddresses, clusterIPOf(made))]);
  return made;
}

type Changes = readonly (readonly [from: string, to: string])[];

/** What is different in the objects of another run: names, uids and addresses. */
function changesFor(pattern: readonly [string, KubeObject][], index: number, namespace: string): Changes {
  const address = `${index >> 8}.${index & 255}`;
  return [
    ...pattern.map(([, { metadata }]) => [metadata.uid ?? '', randomUUID()] as const),
    [runIdOf(0), runIdOf(index)],
    ['"lab-0"', `"${namespace}"`],
    ['"project-0"', `"project-${index % 50}"`],
    ['-project-0"', `-project-${index % 50}"`],
    ['"function-0"', `"function-${index % 500}"`],
    ['"10.244.0.0"', `"10.244.${address}"`],
    [clusterIPOf(pattern), `10.96.${64 + (index >> 8)}.${index & 255}`],
  ];
}

function copies(pattern: readonly [string, KubeObject][], changes: Changes): object[] {
  let text = JSON.stringify(pattern);
  for (const [from, to] of changes) text = text.replaceAll(from, to);
  return (JSON.parse(text) as [string, KubeObject][]).map(([path, object]) => {
    // The version of a stored object is that of its key.
    delete object.metadata.resourceVersion;
    const { name, namespace } = object.metadata;
    return put(`/registry/${path}/${namespace ? `${namespace}/` : ''}${name}`, JSON.stringify(object));
  });
}

function clusterIPOf(pattern: readonly [string, KubeObject][]): string {
  const service = pattern.find(([, { kind }]) => kind === 'Service')?.[1] as
    | { spec?: { clusterIP?: string } }
    | undefined;
  return service?.spec?.clusterIP ?? 'none';
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
const put = (key: string, value: string) => ({ requestPut: { key: base64(key), value: base64(value) } });

async function transact(etcdUrl: string, success: readonly object[]): Promise<void> {
  const response = await fetch(`${etcdUrl}/v3/kv/txn`, { method: 'POST', body: JSON.stringify({ success }) });
  if (!response.ok) throw new Error(`etcd: ${response.status} ${await response.text()}`);
}
