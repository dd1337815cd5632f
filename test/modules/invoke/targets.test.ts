import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endpointSlices, pods, services } from '../../../src/k8s/resources.ts';
import { createEndpoints } from '../../../src/modules/invoke/endpoints.ts';
import { createTargets } from '../../../src/modules/invoke/targets.ts';
import { holdTimers } from './held-clock.ts';
import { holdConnections } from './network-log.ts';
import { rights } from '../runs/surface.ts';
import {
  type InvokeServer,
  type ServiceParts,
  errorsOf,
  labels,
  namespace,
  nextAddress,
  startInvokeServer,
} from './surface.ts';
import { answer } from './upstream.ts';

let server: InvokeServer;
beforeAll(async () => {
  server = await startInvokeServer();
});
afterAll(() => server.stop());

let count = 0;
const newName = () => `svc-${++count}`;

/** `CODE field reason` of the refusal, or the outcome. */
async function tried(run: { id: string }, input: object = {}): Promise<string> {
  const answered = await server.answer({ id: run.id, ...input });
  return errorsOf(answered)[0] ?? answered.data?.invokeService?.invocation.outcome ?? '';
}

/** Waits until the caches have seen what a test wrote. */
const seen = async (resource: typeof endpointSlices | typeof pods | typeof services, object: object) => {
  expect(await server.cluster.cache(resource as typeof pods).seen(object as never, { timeoutMs: 100_000 })).toBe(true);
};

interface SliceParts {
  addresses?: string[];
  targetRef?: object | null;
  port?: number;
}

/** An EndpointSlice that somebody wrote by hand for this Service. */
async function writeSlice(name: string, { addresses = [nextAddress()], targetRef, port = 8000 }: SliceParts) {
  const ref = targetRef === undefined ? { kind: 'Pod', namespace, name: `${name}-1` } : targetRef;
  const slice = await server.kube.create(endpointSlices, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-by-hand`,
      namespace,
      labels: { 'kubernetes.io/service-name': name, 'endpointslice.kubernetes.io/managed-by': 'somebody' },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses, conditions: { ready: true }, ...(ref && { targetRef: ref }) }],
    ports: [{ name: 'http', port, protocol: 'TCP' }],
  });
  await seen(endpointSlices, slice);
}

describe('what is behind the Service', () => {
  test.each<[string, ServiceParts, string]>([
    [
      'an ExternalName',
      { service: { type: 'ExternalName', externalName: 'evil.example' }, withPod: false },
      'TARGET_NOT_ALLOWED EXTERNAL_NAME',
    ],
    ['external IPs', { service: { externalIPs: ['203.0.113.1'] } }, 'TARGET_NOT_ALLOWED EXTERNAL_IPS'],
    ['a Pod on the network of its node', { pod: { hostNetwork: true } }, 'TARGET_NOT_ALLOWED HOST_NETWORK'],
    ['a headless Service without a ready Pod', { service: { clusterIP: 'None' }, ready: false }, 'NOT_READY'],
    ['a Pod that is not ready', { ready: false }, 'NOT_READY'],
    [
      'a Pod that is not ready, of a Service that is published nevertheless',
      { ready: false, service: { publishNotReadyAddresses: true } },
      'NOT_READY',
    ],
    ['no Pod', { withPod: false }, 'NOT_READY'],
  ])('%s is refused', async (_, parts, expected) => {
    const run = await server.play(newName(), answer('no'), parts);
    expect(await tried(run)).toMatch(new RegExp(`^${expected}`));
    expect(run.upstream.requests).toEqual([]);
  });

  test('a Service without a selector is refused, whatever its endpoints say', async () => {
    const name = newName();
    const run = await server.play(name, answer('no'), { service: { selector: {} }, ready: false });
    await writeSlice(name, {});
    expect(await tried(run)).toBe('TARGET_NOT_ALLOWED NO_SELECTOR');
  });

  test.each<[string, (other: { address: string; name: string }) => SliceParts]>([
    ['an address without a Pod', () => ({ targetRef: null })],
    ['a Pod of another namespace', () => ({ targetRef: { kind: 'Pod', namespace: 'other', name: 'x' } })],
    ['an address that its Pod has not', () => ({})],
    [
      "another run's Pod",
      ({ address, name }) => ({ addresses: [address], targetRef: { kind: 'Pod', namespace, name: `${name}-1` } }),
    ],
    ["another run's address under the own Pod's name", ({ address }) => ({ addresses: [address] })],
    ['the metadata service', () => ({ addresses: ['169.254.169.254'] })],
  ])('an EndpointSlice written by hand for %s refuses all calls', async (_, parts) => {
    const [name, other] = [newName(), newName()];
    const run = await server.play(name, answer('fine'));
    const stranger = await server.play(other, answer('stranger'));
    expect(await tried(run)).toBe('COMPLETED');
    await writeSlice(name, parts({ address: stranger.upstream.address, name: other }));
    expect(await tried(run)).toBe('TARGET_NOT_ALLOWED FOREIGN_ENDPOINT');
    expect(stranger.upstream.requests).toEqual([]);
  });

  test("another run's address and port are none of this run's", async () => {
    const [run, other] = [await server.play(newName(), answer('mine')), await server.play(newName(), answer('theirs'))];
    expect(await tried(run, { url: `${other.url}/` })).toBe('TARGET_NOT_ALLOWED url NOT_REGISTERED');
    expect(await tried(run, { port: other.upstream.port })).toBe('TARGET_NOT_ALLOWED port NOT_REGISTERED');
    expect([...run.upstream.requests, ...other.upstream.requests]).toEqual([]);
  });

  test('a headless Service is called at its Pod', async () => {
    const run = await server.play(newName(), answer('fine'), { service: { clusterIP: 'None' } });
    expect(await tried(run)).toBe('COMPLETED');
  });

  test('an alias Service is called under its own name, and checked like any other', async () => {
    const name = newName();
    const run = await server.play(name, answer('fine'));
    const alias = await server.kube.create(services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `${name}-latest`, namespace, labels: labels(name) },
      spec: {
        selector: { 'slipway.dev/run': name },
        ports: [{ name: 'http', port: 9000, targetPort: run.upstream.port, protocol: 'TCP' }],
      },
    });
    const url = await server.until(() => {
      const [shown] = server.runs.byId(run.id)?.status.service?.aliases ?? [];
      const slices = [...server.cluster.cache(endpointSlices).list(namespace)];
      return slices.some(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === `${name}-latest`)
        ? shown
        : undefined;
    });
    run.upstream.answerWith(answer('fine'));
    expect(await tried(run, { url: `http://${url}/x` })).toBe('COMPLETED');
    expect(run.upstream.requests[0]).toMatch(new RegExp(`^GET /x HTTP/1.1\r\nhost: ${name}-latest\\.default:9000\r\n`));
    const changed = await server.kube.patch(services, alias.metadata.name, namespace, {
      spec: { externalIPs: ['203.0.113.1'] },
    });
    await seen(services, changed);
    expect(await tried(run, { url: `http://${url}/x` })).toBe('TARGET_NOT_ALLOWED EXTERNAL_IPS');
  });

  test('a Service that becomes an ExternalName ends no call under way, and refuses the next', async () => {
    const name = newName();
    const run = await server.play(name, '');
    run.upstream.answerWith(() => {});
    const arrived = run.upstream.next();
    const call = tried(run);
    const socket = await arrived;
    const changed = await server.kube.patch(services, name, namespace, {
      spec: { type: 'ExternalName', externalName: 'evil.example', clusterIP: null, clusterIPs: null, selector: null },
    });
    await seen(services, changed);
    expect(await tried(run)).toMatch(/^TARGET_NOT_ALLOWED/);
    socket.end(answer('late'));
    expect(await call).toBe('COMPLETED');
  });
});

test.each<[string, (name: string) => Promise<void>, object]>([
  ['an EndpointSlice', (name) => writeSlice(name, { targetRef: null }), { reason: 'FOREIGN_ENDPOINT' }],
  [
    'a Pod',
    async (name) => {
      const pod = await server.kube.get(pods, `${name}-1`, namespace);
      const conditions = [{ type: 'Ready', status: 'False' as const }];
      const status = { ...pod.status, conditions };
      await seen(pods, await server.kube.replace(pods, { ...pod, status }, { subresource: 'status' }));
    },
    { code: 'NOT_READY' },
  ],
  [
    'a Service',
    async (name) => {
      const spec = { externalIPs: ['203.0.113.1'] };
      await seen(services, await server.kube.patch(services, name, namespace, { spec }));
    },
    { reason: 'EXTERNAL_IPS' },
  ],
])('%s that has changed counts at once, also before its run is judged anew', async (_, change, refusal) => {
  const name = newName();
  const run = await server.play(name, answer('fine'));
  const view = server.runs.byId(run.id);
  if (!view) throw new Error('no run');
  const targets = createTargets(createEndpoints(server.cluster), () => true);
  expect(targets.resolve(view, { path: '/a' })).toMatchObject({ path: '/a', endpoints: [expect.anything()] });
  expect(targets.resolve(view, { path: '/b' })).toMatchObject({ path: '/b', endpoints: [expect.anything()] });
  await change(name);
  expect(() => targets.resolve(view, {})).toThrow(expect.objectContaining(refusal));
});

describe('between the check and the connection', () => {
  const gone = async (kind: 'Pod' | 'Service', name: string) => {
    const deleted =
      kind === 'Pod'
        ? await server.kube.delete(pods, `${name}-1`, namespace, { gracePeriodSeconds: 0 })
        : await server.kube.delete(services, name, namespace);
    const cache = server.cluster.cache((kind === 'Pod' ? pods : services) as typeof pods);
    expect(await cache.seen(deleted as never, { deleted: true, timeoutMs: 100_000 })).toBe(true);
  };
  test.each<[string, (name: string) => Promise<unknown>]>([
    ['a Pod that is deleted', (name) => gone('Pod', name)],
    ['a Service that is deleted', (name) => gone('Service', name)],
    [
      'a Service that is made anew',
      async (name) => {
        const { metadata, spec } = await server.kube.get(services, name, namespace);
        await gone('Service', name);
        const { clusterIP: _, clusterIPs: __, ...rest } = spec;
        const { labels: own } = metadata;
        const anew = await server.kube.create(services, {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name, namespace, ...(own && { labels: own }) },
          spec: rest,
        });
        await seen(services, anew);
      },
    ],
    ['endpoints that are now elsewhere', (name) => writeSlice(name, { addresses: ['169.254.169.254'] })],
  ])('%s: not one byte is sent', async (_, change) => {
    const name = newName();
    const run = await server.play(name, answer('no'));
    const held = holdConnections(run.upstream.address);
    const call = server.call(run);
    await held.attempted;
    await change(name);
    held.go();
    const { outcome, message } = await call;
    expect({ outcome, message }).toEqual({
      outcome: 'UNREACHABLE',
      message: 'The service changed its address during the call. Try again.',
    });
    await run.upstream.idle();
    expect(run.upstream.requests.join('')).toBe('');
  });

  test("an address that is now another run's is not called for the one that had it", async () => {
    const [name, other] = [newName(), newName()];
    const run = await server.play(name, (socket) => socket.write(answer('mine')));
    expect(await tried(run, { url: `${run.url}/` })).toBe('COMPLETED');
    const { spec } = await server.kube.get(services, name, namespace);
    await gone('Service', name);
    const heir = await server.play(other, answer('theirs'), { service: { clusterIP: spec.clusterIP ?? '' } });
    expect(heir.url).toBe(run.url);
    run.upstream.answerWith(answer('no'));
    for (const input of [{}, { port: 8000 }, { url: `${run.url}/` }]) {
      expect(await tried(run, input)).toMatch(/^(NOT_FOUND|NOT_READY)/);
    }
    expect([...run.upstream.requests, ...heir.upstream.requests]).toEqual([]);
    expect(await tried(heir, { url: `${heir.url}/` })).toBe('COMPLETED');
  });

  test('an address that went to another Pod is another target: its connections are not used', async () => {
    const name = newName();
    const run = await server.play(name, (socket, request) => {
      socket.write(answer('old'));
      socket.on('data', () => socket.write(answer('old again')));
      void request;
    });
    expect((await server.call(run)).response?.body).toBe('old');
    const old = await server.kube.get(pods, `${name}-1`, namespace);
    const gone = await server.kube.delete(pods, `${name}-1`, namespace, { gracePeriodSeconds: 0 });
    expect(await server.cluster.cache(pods).seen(gone, { deleted: true, timeoutMs: 100_000 })).toBe(true);
    const { resourceVersion: _, ...metadata } = old.metadata;
    const created = await server.kube.create(pods, { ...old, metadata });
    await server.kube.replace(pods, { ...created, status: old.status ?? {} }, { subresource: 'status' });
    run.upstream.answerWith(answer('new'));
    await server.until(() => {
      const [slice] = [...server.cluster.cache(endpointSlices).list(namespace)].filter(
        ({ metadata: { labels: found } }) => found?.['kubernetes.io/service-name'] === name,
      );
      return slice?.endpoints?.some(({ targetRef }) => targetRef?.uid === created.metadata.uid) || undefined;
    });
    await server.until(() => server.cluster.cache(pods).get(namespace, `${name}-1`)?.status?.podIP);
    expect((await server.call(run)).response?.body).toBe('new');
  });
});

describe('rights', () => {
  const open = (allowed: Parameters<typeof rights>[0]) =>
    startInvokeServer({ as: { caller: { name: 'ann', local: false }, access: rights(allowed) } });

  test('who may see but not invoke is told so, and nothing is sent', async () => {
    await using own = await open({ see: [namespace] });
    const run = await own.play('echo', answer('no'));
    expect(errorsOf(await own.answer({ id: run.id }))).toEqual(['FORBIDDEN id']);
    expect(run.upstream.requests).toEqual([]);
  });

  test('a right that is withdrawn lets a call under way end, once, and refuses the next', async () => {
    const allowed = { see: [namespace], invoke: [namespace] };
    await using own = await open(allowed);
    const run = await own.play('echo', () => {});
    const arrived = run.upstream.next();
    const call = own.call(run);
    const socket = await arrived;
    allowed.invoke = [];
    expect(errorsOf(await own.answer({ id: run.id }))).toEqual(['FORBIDDEN id']);
    socket.end(answer('late'));
    expect((await call).response?.body).toBe('late');
    expect(run.upstream.requests).toHaveLength(1);
  });

  test('a right that is withdrawn ends a stream under way, and refuses the next call', async () => {
    const allowed = { see: [namespace], invoke: [namespace] };
    const clock = holdTimers(4000);
    await using own = await startInvokeServer({
      clock,
      as: { caller: { name: 'ann', local: false }, access: rights(allowed) },
    });
    const run = await own.play('echo', (socket) => socket.write(answer('half').subarray(0, -2)));
    const arrived = run.upstream.next();
    const document = 'subscription ($input: InvokeServiceInput!) { invokeServiceStream(input: $input) { text } }';
    const chunks = own.subscribe(document, { input: { id: run.id } });
    const first = chunks.next();
    const closed = once(await arrived, 'close');
    await first;
    allowed.invoke = [];
    await clock.fire(4000);
    await closed;
    expect(errorsOf(await own.answer({ id: run.id }))).toEqual(['FORBIDDEN id']);
    const { invocations } = await own.data<{ invocations: { nodes: { outcome: string }[] } }>(
      '{ invocations { nodes { outcome } } }',
    );
    expect(invocations.nodes.map(({ outcome }) => outcome)).toEqual(['REFUSED', 'CANCELLED']);
  });

  test('a run out of sight is like one that is not there', async () => {
    await using own = await open({ invoke: [namespace] });
    const run = await own.play('echo', answer('no'));
    const absent = Buffer.from('ServiceRun:default/nothing').toString('base64url');
    const [hidden, missing] = [await own.answer({ id: run.id }), await own.answer({ id: absent })];
    expect(errorsOf(hidden)).toEqual(['NOT_FOUND id']);
    expect(JSON.stringify(hidden.errors)).toBe(JSON.stringify(missing.errors));
    expect(run.upstream.requests).toEqual([]);
  });
});
