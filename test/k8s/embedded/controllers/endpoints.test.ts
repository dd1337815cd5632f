import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endpointSlices, pods, services } from '../../../../src/k8s/resources.ts';
import { createWorld, namespace, type World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

/** A bound Pod of this app with an address of its own. */
async function pod(name: string, app: string, ready: boolean, ports?: { name: string; containerPort: number }[]) {
  if (ports) {
    const container = { name: 'main', image: 'v1', ports };
    const metadata = { name, namespace, labels: { app } };
    await world.api.client.create(pods, { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [container] } });
  } else {
    await world.pod(name, { app });
  }
  await world.bind(name);
  await world.report(ready, [name], { podIP: `127.64.0.${name.charCodeAt(0)}` });
}

const edit = async (name: string, patch: Record<string, unknown>) => {
  await world.api.client.patch(services, name, namespace, patch);
  await world.settled();
};

/** The endpoints of all slices: `pod: address:port conditions`. */
const endpoints = () =>
  world.slices().flatMap(({ endpoints: all, ports }) =>
    (all ?? []).map(({ addresses, conditions = {}, targetRef }) => {
      const { ready, serving, terminating } = conditions;
      const words = Object.entries({ ready, serving, terminating }).flatMap(([word, is]) => (is ? [word] : []));
      return `${targetRef?.name}: ${addresses[0]}:${ports?.[0]?.port} ${words.join(' ')}`;
    }),
  );

describe('EndpointSlices', () => {
  it('have the Pods of the selector, ready or not', async () => {
    const service = await world.service('web');
    expect(world.slices()).toMatchObject([{ addressType: 'IPv4', endpoints: null, ports: null }]);
    await pod('a', 'web', true);
    await pod('b', 'web', false);
    await pod('c', 'other', true);
    expect(endpoints()).toEqual(['a: 127.64.0.97:8080 ready serving', 'b: 127.64.0.98:8080 ']);
    expect(world.slices()).toMatchObject([
      {
        metadata: {
          labels: { 'kubernetes.io/service-name': 'web' },
          ownerReferences: [{ kind: 'Service', uid: service.metadata.uid, controller: true }],
        },
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
        endpoints: [
          { nodeName: 'local', targetRef: { kind: 'Pod', namespace, name: 'a' } },
          { targetRef: { name: 'b' } },
        ],
      },
    ]);
    await world.report(true, ['b'], { podIP: '127.64.0.98' });
    expect(endpoints()[1]).toBe('b: 127.64.0.98:8080 ready serving');
  });

  it('say of a Pod on its way out that it still serves but is not ready, and lose it when it is gone', async () => {
    await world.service('web');
    await pod('a', 'web', true);
    await world.api.client.delete(pods, 'a', namespace);
    await world.settled();
    expect(endpoints()).toEqual(['a: 127.64.0.97:8080 serving terminating']);
    await world.remove('a');
    expect(endpoints()).toEqual([]);
  });

  it('have every Pod as ready where publishNotReadyAddresses asks for it', async () => {
    await world.service('web', { publishNotReadyAddresses: true });
    await pod('a', 'web', false);
    expect(endpoints()).toEqual(['a: 127.64.0.97:8080 ready']);
  });

  it('leave out Pods that are finished or have no address yet', async () => {
    await world.service('web');
    await pod('a', 'web', true);
    await world.report(false, ['a'], { phase: 'Succeeded', podIP: '127.64.0.97' });
    await world.pod('b', { app: 'web' });
    expect(endpoints()).toEqual([]);
  });

  it('resolve a named port in each Pod: one slice for each set of numbers', async () => {
    await world.service('web', { ports: [{ name: 'api', port: 80, targetPort: 'api' }] });
    await pod('a', 'web', true, [{ name: 'api', containerPort: 7001 }]);
    await pod('b', 'web', true, [{ name: 'api', containerPort: 7002 }]);
    await pod('c', 'web', true, [{ name: 'other', containerPort: 7003 }]);
    expect(endpoints().sort()).toEqual([
      'a: 127.64.0.97:7001 ready serving',
      'b: 127.64.0.98:7002 ready serving',
      'c: 127.64.0.99:undefined ready serving',
    ]);
  });

  it('follow the port on which a Pod really listens', async () => {
    await world.service('web');
    await pod('a', 'web', true);
    const annotations = { 'slipway.dev/ports': '{"8080":40123}' };
    await world.api.client.patch(pods, 'a', namespace, { metadata: { annotations } });
    await world.settled();
    expect(endpoints()).toEqual(['a: 127.64.0.97:40123 ready serving']);
  });

  it('are there for a headless Service, which says so, and for none that leads out or selects nothing', async () => {
    await pod('a', 'web', true);
    await world.service('web', { clusterIP: 'None' });
    await world.service('out', { type: 'ExternalName', externalName: 'example.org', ports: [] });
    await world.service('manual', { selector: {} });
    expect(endpoints()).toEqual(['a: 127.64.0.97:8080 ready serving']);
    expect(world.slices().map(({ metadata }) => metadata.labels?.['service.kubernetes.io/headless'])).toEqual(['']);
  });

  it('follow the selector, the ports, and the labels of Pods', async () => {
    await world.service('web');
    await pod('a', 'web', true);
    await pod('b', 'blue', true);
    await edit('web', { spec: { selector: { app: 'blue' } } });
    expect(endpoints()).toEqual(['b: 127.64.0.98:8080 ready serving']);
    await edit('web', { spec: { ports: [{ name: 'http', port: 80, targetPort: 9090 }] } });
    expect(endpoints()).toEqual(['b: 127.64.0.98:9090 ready serving']);
    await world.api.client.patch(pods, 'b', namespace, { metadata: { labels: { app: 'green' } } });
    await world.settled();
    expect(endpoints()).toEqual([]);
  });

  it('go with their Service; what somebody else made of them stays as it was', async () => {
    await world.service('web');
    await pod('a', 'web', true);
    const name = world.slices()[0]?.metadata.name ?? '';
    await world.api.client.patch(endpointSlices, name, namespace, { endpoints: [{ addresses: ['127.64.9.9'] }] });
    await world.settled();
    expect(endpoints()).toEqual(['a: 127.64.0.97:8080 ready serving']);
    const labels = { 'kubernetes.io/service-name': 'web' };
    await world.api.client.create(endpointSlices, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'by-hand', namespace, labels },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['127.64.9.9'] }],
    });
    await world.api.client.delete(services, 'web', namespace);
    await world.settled();
    expect(world.slices().map(({ metadata }) => metadata.name)).toEqual(['by-hand']);
  });
});
