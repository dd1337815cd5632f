import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type Clock, systemClock } from '../../../../src/clock.ts';
import type { LogOptions } from '../../../../src/k8s/cluster.ts';
import { startApi } from '../../../../src/k8s/embedded/api/index.ts';
import { startControllers } from '../../../../src/k8s/embedded/controllers/index.ts';
import { createAddressPool } from '../../../../src/k8s/embedded/runtime/addresses.ts';
import { type BuiltinImage, processImage } from '../../../../src/k8s/embedded/runtime/images.ts';
import { startTimeOf } from '../../../../src/k8s/embedded/runtime/os-process.ts';
import type { ProcessRecord } from '../../../../src/k8s/embedded/runtime/process-records.ts';
import { startRuntime } from '../../../../src/k8s/embedded/runtime/index.ts';
import { ensureNamespace } from '../../../../src/k8s/embedded/seed/namespaces.ts';
import {
  type Container,
  type ContainerStatus,
  events,
  type Pod,
  pods,
  type Service,
  services,
} from '../../../../src/k8s/resources.ts';
import { createLog } from '../../../../src/log.ts';
import { createTestClock } from '../../../faults/test-clock.ts';
import { until } from '../gateway/world.ts';

export const namespace = 'lab';

/** A clock that stands, and moves when somebody waits for it. */
export interface StepClock extends Clock {
  advance(ms: number): void;
  /** Resolves as soon as somebody waits for exactly so long. */
  waited(ms: number): Promise<void>;
  /** Lets `ms` pass as soon as somebody waits for it. */
  step(ms: number): Promise<void>;
}

export function createStepClock(): StepClock {
  const clock = createTestClock();
  const waits = new Set<{ ms: number }>();
  const listeners = new Set<() => void>();
  const waited = (ms: number) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (![...waits].some((wait) => wait.ms === ms)) return;
        listeners.delete(check);
        resolve();
      };
      listeners.add(check);
      check();
    });
  return {
    now: () => clock.now(),
    advance: (ms) => clock.advance(ms),
    after(ms, task) {
      const wait = { ms };
      const cancel = clock.after(ms, () => {
        waits.delete(wait);
        task();
      });
      waits.add(wait);
      for (const listener of [...listeners]) listener();
      return () => {
        waits.delete(wait);
        cancel();
      };
    },
    waited,
    async step(ms) {
      await waited(ms);
      clock.advance(ms);
    },
  };
}

export interface WorldOptions {
  clock?: Clock;
  /** Whether the system has loopback aliases. */
  aliases?: boolean;
  /** Given: it is kept at the end. */
  dataDir?: string;
  images?: Readonly<Record<string, BuiltinImage>>;
}

/** The node with the control loops, on an embedded API with namespace `lab`. */
export async function createWorld(options: WorldOptions = {}) {
  const log = createLog(process.env['SLIPWAY_TEST_LOG'] ?? 'silent');
  const { clock = systemClock, aliases = true, images = {} } = options;
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'slipway-runtime-')));
  const addresses = await createAddressPool({ aliases });
  const api = await startApi({
    dataDir,
    port: 0,
    clock,
    log,
    allocateClusterIP: () => addresses.allocate(),
    releaseClusterIP: (address) => addresses.release(address),
  });
  await ensureNamespace(api, namespace);
  const part = { api, clock, log, dataDir, addresses };
  const controllers = await startControllers(part);
  const runtime = await startRuntime({ ...part, images });
  const { client } = api;
  let stopped = false;
  const metadata = (name: string, more: Partial<Pod['metadata']>) => ({ name, namespace, ...more });

  const world = {
    api,
    dataDir,
    addresses,
    /** A Pod with one container, a local program unless it says otherwise. */
    pod: (name: string, container: Partial<Container>, spec: Partial<Pod['spec']> = {}, more = {}): Promise<Pod> =>
      client.create(pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: metadata(name, more),
        spec: { containers: [{ name: 'main', image: processImage, ...container }], ...spec },
      }),
    present: (name: string) => api.get(pods, namespace, name),
    until: (name: string, wanted: (pod: Pod) => boolean): Promise<Pod> => until(api, pods, namespace, name, wanted),
    /** The status of a container, the first one unless named, once it is as wanted. */
    async container(
      name: string,
      wanted: (status: ContainerStatus) => boolean,
      which?: string,
    ): Promise<ContainerStatus> {
      const find = (pod: Pod) =>
        [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].find(
          (status) => which === undefined || status.name === which,
        );
      const pod = await world.until(name, (candidate) => {
        const status = find(candidate);
        return status !== undefined && wanted(status);
      });
      return find(pod) as ContainerStatus;
    },
    running: (name: string) => world.container(name, ({ state }) => state?.running !== undefined),
    ready: (name: string) => world.container(name, ({ ready }) => ready === true),
    ended: (name: string) => world.container(name, ({ state }) => state?.terminated !== undefined),
    /** Resolves when there is no such Pod. */
    gone: (name: string): Promise<void> =>
      new Promise((resolve) => {
        if (!api.get(pods, namespace, name)) return resolve();
        const stop = api.observe(pods, ({ type, object }) => {
          if (type !== 'DELETED' || object.metadata.name !== name) return;
          stop();
          resolve();
        });
      }),
    /** Resolves with the message of an event about the object with this reason. */
    told: (name: string, reason: string): Promise<string> =>
      new Promise((resolve) => {
        let done = false;
        let stop = () => {};
        stop = api.observe(events, ({ object }) => {
          if (done || object.involvedObject.name !== name || object.reason !== reason) return;
          done = true;
          stop();
          resolve(object.message ?? '');
        });
        if (done) stop();
      }),
    logs: (name: string, logOptions: LogOptions = {}): Promise<Readable> => client.podLogs(name, namespace, logOptions),
    log: async (name: string, logOptions: LogOptions = {}): Promise<string> => text(await world.logs(name, logOptions)),
    service: (name: string, spec: Partial<Service['spec']> = {}): Promise<Service> =>
      client.create(services, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: metadata(name, {}),
        spec: { selector: { app: name }, ports: [{ name: 'http', port: 8080 }], ...spec },
      }),
    /** Ends it; the data folder stays. */
    async stop() {
      if (stopped) return;
      stopped = true;
      await runtime.stop();
      await controllers.stop();
      await api.stop();
    },
    async [Symbol.asyncDispose]() {
      await world.stop();
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
  return world;
}
export type World = Awaited<ReturnType<typeof createWorld>>;

/** A program that does this and ends. */
export const shell = (script: string) => ({ command: ['/bin/sh', '-c', script] });

/** A program that runs until it is told to end. */
export const waiting = shell('exec sleep 1000');

/** A program that answers HTTP on HOST and PORT with what `answer` gives, an expression that may use `request`. */
export const answering = (answer = `'ok'`, port = 8080) => ({
  command: [
    process.execPath,
    '-e',
    `require('node:http').createServer((request, response) => response.end(String(${answer})))
      .listen(Number(process.env.PORT), process.env.HOST)`,
  ],
  ports: [{ name: 'http', containerPort: port }],
});

/** True while the program with this pid runs. */
export const runs = (pid: number): boolean => startTimeOf(pid) !== undefined;

/** The pids of the programs of a Pod, by their records. */
export function pidsOf(world: World, name: string): number[] {
  const folder = join(world.dataDir, 'processes');
  const uid = world.present(name)?.metadata.uid;
  return readdirSync(folder)
    .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as ProcessRecord)
    .flatMap(({ podUid, process }) => (podUid === uid && process ? [process.pid] : []));
}

/** Resolves with what a connection brings until it is closed, or the word for how it failed. */
export function dial(host: string, port: number, send = ''): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect({ host, port });
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('close', () => resolve(received));
    socket.once('connect', () => socket.end(send));
  });
}
