import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  deployments,
  endpointSlices,
  namespaces,
  type Pod,
  pods,
  resourcePath,
  services,
} from '../../src/k8s/resources.ts';
import { Api, type Stored } from './conformance/api.ts';
import { deployment, service } from './conformance/objects.ts';
import { annotations } from './kubelet/pod-status.ts';
import { realTarget } from './target.ts';

/** What the other suites on this cluster rely on: real controllers make Pods, and the stand-in kubelet runs them. */
let api: Api;
let namespace: string;

beforeAll(async () => {
  const target = realTarget();
  api = new Api(target);
  const made = await api.post(resourcePath(namespaces), { metadata: { generateName: 'kubelet-' } });
  namespace = made.object.metadata.name;
  await target.prepare?.(api, namespace);
});
afterAll(async () => {
  await api.delete(resourcePath(namespaces, undefined, namespace));
  await api.close();
});

const asPod = (object: Stored | undefined) => object as unknown as Pod;

async function podThat(name: string, state: Record<string, string>, fits: (pod: Pod) => boolean): Promise<Pod> {
  await api.post(resourcePath(pods, namespace), {
    metadata: { name, annotations: state },
    spec: { containers: [{ name: 'main', image: 'web:1' }] },
  });
  return asPod(await api.until(resourcePath(pods, namespace, name), (object) => fits(asPod(object))));
}

const containerOf = ({ status }: Pod) => status?.containerStatuses?.[0];

describe('the stand-in kubelet', () => {
  it('makes a Deployment available, with endpoints behind its Service', async () => {
    await api.post(resourcePath(services, namespace), service('web', { selector: { app: 'web' } }));
    await api.post(resourcePath(deployments, namespace), deployment('web', { replicas: 2 }));
    await api.until(
      resourcePath(deployments, namespace, 'web'),
      ({ status }) => (status as { availableReplicas?: number }).availableReplicas === 2,
    );
    await using watch = await api.watch(resourcePath(endpointSlices, namespace), {
      labelSelector: 'kubernetes.io/service-name=web',
    });
    const { object } = await watch.until(
      (event) => (event.object as unknown as { endpoints?: unknown[] }).endpoints?.length === 2,
    );
    const { endpoints } = object as unknown as { endpoints: { addresses: string[] }[] };
    const addresses = endpoints.flatMap((endpoint) => endpoint.addresses);
    expect(new Set(addresses).size).toBe(2);
  });

  it('shows a container that waits, with its reason', async () => {
    const state = {
      [annotations.state]: 'waiting',
      [annotations.reason]: 'ImagePullBackOff',
      [annotations.message]: 'no such image',
    };
    const pod = await podThat('waiting', state, (each) => containerOf(each)?.state?.waiting !== undefined);
    expect(containerOf(pod)?.state?.waiting).toEqual({ reason: 'ImagePullBackOff', message: 'no such image' });
    expect(pod.status?.phase).toBe('Pending');
  });

  it('shows a container that ran out of memory, and how often it was restarted', async () => {
    const state = { [annotations.state]: 'oom-killed', [annotations.restarts]: '3' };
    const pod = await podThat('oom', state, (each) => containerOf(each)?.restartCount === 3);
    expect(containerOf(pod)).toMatchObject({
      ready: false,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { reason: 'OOMKilled', exitCode: 137 } },
    });
  });

  it('follows the annotation of a Pod that runs', async () => {
    const path = resourcePath(pods, namespace, 'changing');
    const isReady = ({ status }: Pod) =>
      status?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True') ?? false;
    await podThat('changing', {}, isReady);
    await api.mergePatch(path, { metadata: { annotations: { [annotations.state]: 'not-ready' } } });
    const pod = asPod(await api.until(path, (object) => !isReady(asPod(object))));
    expect(pod.status?.phase).toBe('Running');
  });

  it('serves logs: the end of them, with times, and as they grow', async () => {
    const path = resourcePath(pods, namespace, 'talking');
    await podThat('talking', { [annotations.logs]: 'one\ntwo' }, ({ status }) => status?.phase === 'Running');
    expect((await api.get(`${path}/log`)).text).toBe('one\ntwo\n');
    expect((await api.get(`${path}/log`, { query: { tailLines: 1, timestamps: true } })).text).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z two\n$/,
    );
    await using log = await api.lines(`${path}/log`, { query: { follow: true, tailLines: 0 } });
    await api.mergePatch(path, { metadata: { annotations: { [annotations.logs]: 'one\ntwo\nthree' } } });
    expect(await log.next()).toBe('three');
  });

  it('ends a Pod that is deleted', async () => {
    const path = resourcePath(pods, namespace, 'ending');
    await podThat('ending', {}, ({ status }) => status?.phase === 'Running');
    expect((await api.delete(path)).object.metadata.deletionTimestamp).toBeDefined();
    await api.until(path, 'gone');
    expect((await api.get(path)).code).toBe(404);
  });
});
