import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type KubeObject, type Resource, pods } from '../../../src/k8s/resources.ts';
import { apiServerContract } from '../../modules/invoke/api-server-contract.ts';
import { faithfulContract } from '../../modules/invoke/faithful-contract.ts';
import { hostileAnswersContract } from '../../modules/invoke/hostile-answers-contract.ts';
import { streamContract } from '../../modules/invoke/stream-contract.ts';
import {
  type InvokeServer,
  type InvokeServerOptions,
  type PlayedRun,
  type Stage,
  type Way,
  startInvokeServer,
} from '../../modules/invoke/surface.ts';
import { answer } from '../../modules/invoke/upstream.ts';
import { annotations } from '../kubelet/pod-status.ts';
import { type ProductCluster, openReal } from './clusters.ts';
import { type PodAddresses, createPodAddresses } from './pod-addresses.ts';

let cluster: ProductCluster;
let addresses: PodAddresses;
beforeAll(async () => {
  addresses = await createPodAddresses();
  cluster = await openReal();
});
afterAll(async () => {
  await cluster.close();
  await addresses.stop();
});

/** A namespace of its own, where the stand-in kubelet gives Pods the addresses on which this process answers. */
async function stage(): Promise<Stage> {
  const { kube } = cluster;
  return {
    kube,
    namespace: await cluster.namespace('invoking'),
    nextAddress: () => addresses.next(),
    async addPod(pod, address) {
      const metadata = { ...pod.metadata, annotations: { [annotations.podIp]: address } };
      await kube.create(pods, { ...pod, metadata, spec: { nodeName: 'node-a', ...pod.spec } });
    },
  };
}

/** Slipway outside of the cluster, by a kubeconfig. */
function way(reach: Way['reach']): Way {
  return {
    reach,
    open: async ({ config = {}, ...options }: InvokeServerOptions = {}) =>
      startInvokeServer({
        // Somebody who is signed in, with the rights of the server.
        as: { caller: { name: 'test:somebody', local: false, ownIdentity: true } },
        ...options,
        stage: await stage(),
        kubeconfig: () => Promise.resolve(cluster.kubeconfig),
        config: { ...config, invoke: { reach, ...(config['invoke'] as object | undefined) } },
      }),
  };
}

describe.each(['apiserver', 'direct'] as const)('%s, on a real control plane', (reach) => {
  describe('faithful', () => {
    faithfulContract(way(reach));
  });
  describe('hostile answers', () => {
    hostileAnswersContract(way(reach));
  });
  describe('streams', () => {
    streamContract(way(reach));
  });
});

describe('what the API server changes', () => {
  apiServerContract(async () => {
    const server = await way('apiserver').open();
    return { server, play: server.play.bind(server) };
  });
});

describe('through the real API server', () => {
  let server: InvokeServer;
  let run: PlayedRun;
  beforeAll(async () => {
    server = await way('apiserver').open({ as: { caller: { name: 'oidc:ann', groups: ['oidc:team'], local: false } } });
    run = await server.play('shop', '');
  });
  afterAll(() => server.stop());

  test('a caller needs services/proxy with the verb of the method, and the service learns nothing of them', async () => {
    run.upstream.answerWith(answer('ok'));
    expect(await server.call(run)).toMatchObject({
      outcome: 'UNREACHABLE',
      response: null,
      message: 'The API server refused the way to the service: the right to use services/proxy is missing.',
    });
    expect(run.upstream.requests).toEqual([]);
    await allow('oidc:ann', server.namespace, ['get']);
    // The authorizer of the API server hears of a new binding a moment later.
    await expect.poll(async () => (await server.call(run)).outcome).toBe('COMPLETED');
    expect(run.upstream.requests.join('')).not.toMatch(/authorization|bearer|impersonate|ann|team/i);
    run.upstream.answerWith(answer('no'));
    expect((await server.call(run, { method: 'POST', body: 'x' })).outcome).toBe('UNREACHABLE');
    expect(run.upstream.requests).toEqual([]);
  });

  test('links in HTML lead through the API server, and headers for other origins are left out', async () => {
    const type = { 'content-type': 'text/html', 'access-control-allow-origin': '*' };
    run.upstream.answerWith(answer('<a href="/x?y#z">1</a><img src="http://evil.example/a">', type));
    const { response } = await server.call(run);
    const proxy = `/api/v1/namespaces/${server.namespace}/services/shop:8000/proxy`;
    expect(response?.body).toBe(`<a href="${proxy}/x?y#z">1</a><img src="http://evil.example/a">`);
    expect(JSON.stringify(response?.headers)).not.toMatch(/access-control/i);
  });

  test('it sends a GET again whose connection is closed without an answer, if that carried another before', async () => {
    let requests = 0;
    run.upstream.answerWith((socket) => {
      requests += 1;
      socket.write(answer('first'));
      socket.on('data', () => {
        requests += 1;
        socket.end();
      });
    });
    // It may open another connection instead, if the first has not been given back yet.
    let calls = 0;
    while (requests === calls) {
      expect((await server.call(run)).outcome).toBe('COMPLETED');
      calls += 1;
    }
    expect(requests).toBe(calls + 1);
  });
});

async function allow(user: string, namespace: string, verbs: string[]): Promise<void> {
  const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1', namespaced: true };
  const apiVersion = `${rbac.group}/v1`;
  const metadata = { name: 'callers', namespace };
  const roles: Resource = { ...rbac, kind: 'Role', plural: 'roles' };
  const bindings: Resource = { ...rbac, kind: 'RoleBinding', plural: 'rolebindings' };
  const rules = [{ apiGroups: [''], resources: ['services/proxy'], verbs }];
  await cluster.kube.create(roles, { apiVersion, kind: 'Role', metadata, rules } as KubeObject);
  await cluster.kube.create(bindings, {
    ...{ apiVersion, kind: 'RoleBinding', metadata },
    roleRef: { apiGroup: rbac.group, kind: 'Role', name: 'callers' },
    subjects: [{ kind: 'User', name: user, apiGroup: rbac.group }],
  } as KubeObject);
}
