import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { availableParallelism } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeName, nodes } from '../../../../src/k8s/embedded/runtime/node.ts';
import { events, pods } from '../../../../src/k8s/resources.ts';
import { freePorts } from '../../../ports.ts';
import {
  answering,
  createStepClock,
  createWorld,
  namespace,
  pidsOf,
  type StepClock,
  waiting,
  type World,
} from './world.ts';

let world: World;
let clock: StepClock;
const servers: Server[] = [];
beforeEach(async () => {
  clock = createStepClock();
  world = await createWorld({ clock });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  for (const server of servers.splice(0)) server.close();
});

describe('the node', () => {
  it('is this machine', async () => {
    const node = await world.api.client.get(nodes, nodeName);
    expect(node.status).toMatchObject({ capacity: { cpu: String(availableParallelism()) } });
    expect(node.status?.['conditions']).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
  });

  it.each([
    { what: 'more CPUs', resources: { requests: { cpu: '4096' } }, why: '1 Insufficient cpu' },
    { what: 'more memory', resources: { requests: { memory: '64Ti' } }, why: '1 Insufficient memory' },
    { what: 'a limit it does not have', resources: { limits: { memory: '64Ti' } }, why: '1 Insufficient memory' },
    { what: 'a GPU', resources: { limits: { 'nvidia.com/gpu': '1' } }, why: '1 Insufficient nvidia.com/gpu' },
  ])('takes no Pod that wants $what', async ({ resources, why }) => {
    await world.pod('big', { ...waiting, resources });
    const message = `0/1 nodes are available: ${why}. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.`;
    expect(await world.told('big', 'FailedScheduling')).toBe(message);
    const pod = await world.until('big', ({ status }) => status?.conditions !== undefined);
    expect(pod.spec.nodeName).toBeUndefined();
    expect(pod.status).toMatchObject({
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
    });
  });

  it('takes no Pod for other nodes, and any for itself', async () => {
    await world.pod('there', waiting, { nodeSelector: { disk: 'ssd' } } as object);
    expect(await world.told('there', 'FailedScheduling')).toMatch(
      /1 node\(s\) didn't match Pod's node affinity\/selector/,
    );
    await world.pod('here', waiting, { nodeSelector: { 'kubernetes.io/hostname': 'local' } } as object);
    await world.running('here');
  });
});

describe('a memory limit', () => {
  it('ends a program that takes more, as OOMKilled', async () => {
    const grow = `const held = []; process.on('SIGHUP', () => held.push(Buffer.alloc(200 * 2 ** 20, 1)) && console.log('grown'));
      console.log('up'); setInterval(() => {}, 1000)`;
    const container = { command: [process.execPath, '-e', grow], resources: { limits: { memory: '150Mi' } } };
    await world.pod('web', container);
    const lines = await follow('web');
    expect(await lines.next()).toMatchObject({ value: 'up' });
    await clock.step(1000);
    const { containerID } = await world.running('web');
    for (const pid of pidsOf(world, 'web')) process.kill(pid, 'SIGHUP');
    expect(await lines.next()).toMatchObject({ value: 'grown' });
    await clock.step(1000);
    const status = await world.container('web', ({ restartCount }) => restartCount === 1);
    expect(status.lastState?.terminated).toMatchObject({ exitCode: 137, reason: 'OOMKilled', containerID });
  });

  async function follow(name: string): Promise<AsyncGenerator<string>> {
    await world.running(name);
    const stream = await world.logs(name, { follow: true });
    return (async function* () {
      for await (const chunk of stream) yield* String(chunk).trim().split('\n');
    })();
  }
});

describe('an image of a registry', () => {
  it('is not run: it waits as for a failed pull, and says in one sentence what this cluster has', async () => {
    const image = 'registry.example/shop:1';
    const why = 'this cluster runs no containers, only local programs (`process`) and its demo images';
    await world.pod('web', { image });
    const first = await world.container('web', ({ state }) => state?.waiting?.reason === 'ErrImagePull');
    expect(first.state?.waiting?.message).toBe(why);
    await clock.step(2000);
    const next = await world.container('web', ({ state }) => state?.waiting?.reason === 'ImagePullBackOff');
    expect(next.state?.waiting?.message).toBe(`Back-off pulling image "${image}": ErrImagePull: ${why}`);
    expect(await world.told('web', 'Pulling')).toBe(`Pulling image "${image}"`);
    expect(await world.told('web', 'BackOff')).toBe(`Back-off pulling image "${image}"`);
    await clock.step(8000);
    await world.container('web', ({ state }) => state?.waiting?.reason === 'ErrImagePull');
  });
});

describe('a built-in image', () => {
  it('runs inside the server: told where to listen, what to say, and when to end', async () => {
    await world[Symbol.asyncDispose]();
    world = await createWorld({
      images: {
        'demo/one': async ({ host, port, env, args, signal, log }) => {
          log(`${host}:${port} ${env['MODE']} ${args.join(',')}`);
          await once(signal, 'abort');
          log('bye');
          return 0;
        },
        'demo/throws': () => Promise.reject(new Error('no disk')),
      },
    });
    await world.pod('one', {
      image: 'demo/one',
      args: ['a', '$(MODE)'],
      env: [{ name: 'MODE', value: 'fast' }],
      ports: [{ containerPort: 8123 }],
    });
    await world.pod('throws', { image: 'demo/throws' }, { restartPolicy: 'Never' });
    await world.running('one');
    expect(await world.log('one')).toBe(`${world.present('one')?.status?.podIP}:8123 fast a,fast\n`);
    expect((await world.ended('throws')).state?.terminated?.exitCode).toBe(1);
    expect(await world.log('throws')).toBe('no disk\n');
    const ended = world.ended('one');
    await world.api.client.delete(pods, 'one', namespace);
    expect((await ended).state?.terminated?.exitCode).toBe(0);
    await world.gone('one');
  });
});

describe('where a program listens', () => {
  it('is told where that is another address than HOST', async () => {
    const elsewhere = {
      command: [
        process.execPath,
        '-e',
        `require('node:http').createServer().listen(0, '127.0.0.1', () => console.log('up'))`,
      ],
    };
    await world.pod('web', { ...elsewhere, ports: [{ containerPort: 8080 }] });
    await up('web');
    await clock.step(2000);
    const host = world.present('web')?.status?.podIP;
    expect(await world.told('web', 'WrongAddress')).toMatch(
      new RegExp(
        `^Container main: listens on 127\\.0\\.0\\.1:\\d+, not on \\$\\(HOST\\)=${host} and \\$\\(PORT\\)=8080\\.`,
      ),
    );
  });

  it('is told where somebody else has the port, and the other’s answer does not make the Pod ready', async () => {
    const server = createServer((socket) => socket.end()).listen(0, '0.0.0.0');
    servers.push(server);
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const readinessProbe = { tcpSocket: { port }, periodSeconds: 7 };
    await world.pod('web', { ...waiting, ports: [{ containerPort: port }], readinessProbe });
    await world.running('web');
    await clock.step(0);
    expect(await world.told('web', 'Unhealthy')).toBe(
      `Readiness probe failed: port ${port} is taken: another program listens on 0.0.0.0:${port}. Stop it, or choose another port.`,
    );
    await clock.step(2000);
    expect(await world.told('web', 'PortTaken')).toMatch(`Container main: port ${port} is taken`);
    expect(world.present('web')?.status?.containerStatuses?.[0]?.ready).toBe(false);
  });

  it('is fine on HOST and PORT, and on all addresses', async () => {
    const [port = 0] = await freePorts(1);
    await world.pod('own', answering(`'ok'`, 8081));
    const all = `require('node:http').createServer().listen(Number(process.env.PORT), '0.0.0.0', () => console.log('up'))`;
    await world.pod('all', { command: [process.execPath, '-e', all], ports: [{ containerPort: port }] });
    await up('all');
    await world.running('own');
    const faults: string[] = [];
    world.api.observe(events, ({ object }) => {
      if (object.type === 'Warning') faults.push(object.message ?? '');
    });
    await clock.step(2000);
    await world.pod('after', { image: 'none' });
    await world.told('after', 'Failed');
    expect(faults.filter((message) => !message.includes('image') && !message.includes('ErrImagePull'))).toEqual([]);
  });

  async function up(name: string): Promise<void> {
    await world.running(name);
    const stream = await world.logs(name, { follow: true });
    await once(stream, 'data');
    stream.destroy();
  }
});
