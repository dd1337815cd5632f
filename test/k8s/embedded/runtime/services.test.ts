import { createServer } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EndpointSlice, endpointSlices, pods, services } from '../../../../src/k8s/resources.ts';
import { until } from '../gateway/world.ts';
import { answering, createWorld, dial, namespace, type World } from './world.ts';

let world: World;
afterEach(() => world[Symbol.asyncDispose]());

const request = 'GET / HTTP/1.0\r\n\r\n';
/** The body of the answer, or how the connection failed. */
const ask = async (host: string, port: number) => (await dial(host, port, request)).split('\r\n\r\n').at(-1) ?? '';
const labels = (app: string) => ({ labels: { app } });
/** Resolves when the Service has so many ready endpoints. */
const endpoints = (name: string, count: number) =>
  new Promise<void>((resolve) => {
    let stop = () => {};
    let done = false;
    const ready = (slice: EndpointSlice) =>
      (slice.endpoints ?? []).filter(({ conditions }) => conditions?.ready).length;
    stop = world.api.observe(endpointSlices, () => {
      const all = world.api
        .list(endpointSlices, namespace)
        .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name);
      if (done || all.reduce((sum, slice) => sum + ready(slice), 0) !== count) return;
      done = true;
      stop();
      resolve();
    });
    if (done) stop();
  });
const address = (name: string) => world.api.get(services, namespace, name)?.spec.clusterIP ?? '';
const moved = (name: string, wanted: (ports: Record<string, number>) => boolean) =>
  until(world.api, services, namespace, name, ({ metadata }) =>
    wanted(JSON.parse(metadata.annotations?.['slipway.dev/ports'] ?? '{}') as Record<string, number>),
  ).then(({ metadata }) => JSON.parse(metadata.annotations?.['slipway.dev/ports'] ?? '{}') as Record<string, number>);

/** A Pod that answers with its own name and is ready when it does. */
const backend = (name: string, app = 'web', port = 8080) =>
  world.pod(
    name,
    { ...answering(`'${name}'`, port), readinessProbe: { tcpSocket: { port }, periodSeconds: 1 } },
    {},
    labels(app),
  );

describe('a Service', () => {
  beforeEach(async () => {
    world = await createWorld();
  });

  it('answers on its address, with its ready Pods in turn', async () => {
    await world.service('web', { ports: [{ name: 'http', port: 9090, targetPort: 'http' }] });
    await Promise.all([backend('a'), backend('b')]);
    await endpoints('web', 2);
    expect(world.addresses.owns(address('web'))).toBe(true);
    const answers = [];
    for (let count = 0; count < 4; count += 1) answers.push(await ask(address('web'), 9090));
    expect(answers[0]).toMatch(/^[ab]$/);
    expect(answers).toEqual([answers[0], answers[1], answers[0], answers[1]]);
    expect(answers[0]).not.toBe(answers[1]);
    await world.api.client.delete(pods, 'a', namespace, { gracePeriodSeconds: 0 });
    await endpoints('web', 1);
    expect([await ask(address('web'), 9090), await ask(address('web'), 9090)]).toEqual(['b', 'b']);
  });

  it('without a ready endpoint closes the connection', async () => {
    await world.service('web');
    await endpoints('web', 0);
    await expect.poll(() => dial(address('web'), 8080)).toBe('ECONNRESET');
  });

  it('follows its ports: names, targets, new and removed ones', async () => {
    await world.service('web', { ports: [{ name: 'http', port: 9090, targetPort: 8080 }] });
    await backend('a');
    await endpoints('web', 1);
    expect(await ask(address('web'), 9090)).toBe('a');
    const ports = [
      { name: 'renamed', port: 9090, targetPort: 8080 },
      { name: 'second', port: 9091, targetPort: 8080 },
    ];
    await world.api.client.patch(services, 'web', namespace, { spec: { ports } });
    await until(world.api, endpointSlices, namespace, await sliceName('second'), () => true);
    expect([await ask(address('web'), 9090), await ask(address('web'), 9091)]).toEqual(['a', 'a']);
    await world.api.client.patch(services, 'web', namespace, { spec: { ports: ports.slice(1) } });
    await until(world.api, services, namespace, 'web', ({ spec }) => spec.ports?.length === 1);
    await expect.poll(() => dial(address('web'), 9090)).toBe('ECONNREFUSED');
    expect(await ask(address('web'), 9091)).toBe('a');
  });

  it('carries what both sides send, in halves and wholes, until both are done', async () => {
    const echo = `const server = require('node:net').createServer({ allowHalfOpen: true }, (socket) => {
        const got = []; socket.on('data', (chunk) => got.push(chunk)).on('end', () => socket.end(Buffer.concat(got)));
      }); server.listen(Number(process.env.PORT), process.env.HOST)`;
    const container = { command: [process.execPath, '-e', echo], ports: [{ containerPort: 7000 }] };
    const readinessProbe = { tcpSocket: { port: 7000 }, periodSeconds: 1 };
    await world.pod('echo', { ...container, readinessProbe }, {}, labels('echo'));
    await world.service('echo', { ports: [{ port: 7000 }] });
    await endpoints('echo', 1);
    const sent = 'x'.repeat(300_000);
    expect(await dial(address('echo'), 7000, sent)).toBe(sent);
  });

  it('lets go of its address with its end, and begins none for one that has no address', async () => {
    await world.service('web');
    await world.service('headless', { clusterIP: 'None' });
    await world.service('out', { type: 'ExternalName', externalName: 'example.org', ports: [] });
    const host = address('web');
    await expect.poll(() => dial(host, 8080)).toBe('ECONNRESET');
    await world.api.client.delete(services, 'web', namespace);
    await expect.poll(() => dial(host, 8080)).toBe('ECONNREFUSED');
  });

  it('says where a port is taken that it is served on another one', async () => {
    const blocker = createServer((socket) => socket.end('foreign')).listen(0, '0.0.0.0');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    await world.service('web', { ports: [{ port, targetPort: 8080 }] });
    const ports = await moved('web', (all) => all[String(port)] !== undefined);
    blocker.close();
    expect(await world.told('web', 'PortTaken')).toMatch(
      new RegExp(`^Port ${port} can't be served on ${address('web')} `),
    );
    await backend('a');
    await endpoints('web', 1);
    expect(await ask(address('web'), ports[String(port)] ?? 0)).toBe('a');
  });
});

describe('on a system without loopback aliases', () => {
  beforeEach(async () => {
    world = await createWorld({ aliases: false });
  });

  it('Pods and Services share 127.0.0.1, on free ports that they tell', async () => {
    await world.service('web', { ports: [{ port: 8080 }] });
    await world.service('other', { ports: [{ port: 8080 }] });
    await Promise.all([backend('a'), backend('b'), backend('c', 'other')]);
    await Promise.all([endpoints('web', 2), endpoints('other', 1)]);
    const [web, other] = await Promise.all([
      moved('web', (all) => all['8080'] !== undefined),
      moved('other', (all) => all['8080'] !== undefined),
    ]);
    expect([address('web'), address('other')]).toEqual(['127.0.0.1', '127.0.0.1']);
    expect(web['8080']).not.toBe(other['8080']);
    expect(await ask('127.0.0.1', web['8080'] ?? 0)).toMatch(/^[ab]$/);
    expect(await ask('127.0.0.1', other['8080'] ?? 0)).toBe('c');
    expect(world.present('a')?.status?.podIP).toBe('127.0.0.1');
  });

  it('a Service keeps its port over a restart', async () => {
    await world.service('web', { ports: [{ port: 8080 }] });
    const before = await moved('web', (all) => all['8080'] !== undefined);
    const { dataDir } = world;
    await world.stop();
    const again = await createWorld({ aliases: false, dataDir });
    await expect.poll(() => dial('127.0.0.1', before['8080'] ?? 0)).toBe('ECONNRESET');
    await again.stop();
  });
});

/** The name of the slice that has this port. */
async function sliceName(port: string): Promise<string> {
  return new Promise((resolve) => {
    let stop = () => {};
    let name: string | undefined;
    stop = world.api.observe(endpointSlices, ({ object }) => {
      if (name !== undefined || !object.ports?.some((candidate) => candidate.name === port)) return;
      name = object.metadata.name;
      stop();
      resolve(name);
    });
    if (name !== undefined) stop();
  });
}
