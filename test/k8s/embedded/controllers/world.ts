import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApi } from '../../../../src/k8s/embedded/api/index.ts';
import { startControllers } from '../../../../src/k8s/embedded/controllers/index.ts';
import { createAddressPool } from '../../../../src/k8s/embedded/runtime/addresses.ts';
import { ensureNamespace } from '../../../../src/k8s/embedded/seed/namespaces.ts';
import {
  type Condition,
  type Deployment,
  deployments,
  type EndpointSlice,
  endpointSlices,
  events,
  type Pod,
  pods,
  type ReplicaSet,
  replicaSets,
  type Service,
  services,
} from '../../../../src/k8s/resources.ts';
import { createLog } from '../../../../src/log.ts';
import { createTestClock } from '../../../faults/test-clock.ts';

export const namespace = 'lab';

/** The control loops on an embedded API whose time stands, with the test in the place of the node. */
export async function createWorld() {
  const log = createLog(process.env['SLIPWAY_TEST_LOG'] ?? 'silent');
  const clock = createTestClock();
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-controllers-'));
  const addresses = await createAddressPool({ aliases: true });
  const api = await startApi({ dataDir, port: 0, clock, log, allocateClusterIP: () => addresses.allocate() });
  await ensureNamespace(api, namespace);
  const controllers = await startControllers({ api, clock, log, dataDir, addresses });
  const { client } = api;

  /** Nothing here waits for anything but promises: when the event loop turns, all is done. */
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
  const metadata = (name: string) => ({ name, namespace });

  const world = {
    api,
    clock,
    settled,
    async pass(ms: number): Promise<void> {
      await settled();
      clock.advance(ms);
      await settled();
    },
    async deployment(name: string, spec: Partial<Deployment['spec']> = {}, version = 'v1'): Promise<Deployment> {
      await client.create(deployments, {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: metadata(name),
        spec: { selector: { matchLabels: { app: name } }, template: template(name, version), ...spec },
      });
      await settled();
      return world.get(name);
    },
    get: (name: string) => present(api.get(deployments, namespace, name)),
    async edit(name: string, spec: Partial<Deployment['spec']>): Promise<void> {
      await client.patch(deployments, name, namespace, { spec });
      await settled();
    },
    /** A new template: another image. */
    roll: (name: string, version: string) => world.edit(name, { template: template(name, version) }),
    condition: (name: string, type: string): Condition | undefined =>
      world.get(name).status?.conditions?.find((condition) => condition.type === type),
    replicaSets: (): ReplicaSet[] => api.list(replicaSets, namespace),
    pods: (): Pod[] => api.list(pods, namespace),
    /** How many Pods there are of each image. */
    versions(): Record<string, number> {
      const images = world.pods().map(({ spec }) => spec.containers[0]?.image ?? '');
      return Object.fromEntries(
        [...new Set(images)].sort().map((image) => [image, images.filter((i) => i === image).length]),
      );
    },
    async pod(name: string, labels: Record<string, string>, more: Partial<Pod['metadata']> = {}): Promise<void> {
      const { spec } = template('x', 'bare');
      await client.create(pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...metadata(name), labels, ...more },
        spec,
      });
      await settled();
    },
    /** As the node would: a Pod that is bound is held at its deletion until the node lets it go. */
    async bind(...names: string[]): Promise<void> {
      for (const name of names) await client.patch(pods, name, namespace, { spec: { nodeName: 'local' } });
      await settled();
    },
    async report(ready: boolean, names: readonly string[], status: Pod['status'] = {}): Promise<void> {
      for (const name of names) {
        const lastTransitionTime = new Date(clock.now()).toISOString().replace('.000', '');
        const condition: Condition = { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime };
        const next = { phase: 'Running' as const, conditions: [condition], ...status };
        await client.patch(pods, name, namespace, { status: next }, { subresource: 'status' });
      }
      await settled();
    },
    /** Those that are not ready become it. */
    async ready(count = Number.POSITIVE_INFINITY): Promise<void> {
      await world.report(
        true,
        unready(world.pods())
          .slice(0, count)
          .map(({ metadata: { name } }) => name),
      );
    },
    async remove(name: string): Promise<void> {
      await client.delete(pods, name, namespace, { gracePeriodSeconds: 0 });
      await settled();
    },
    async service(name: string, spec: Partial<Service['spec']> = {}): Promise<Service> {
      await client.create(services, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: metadata(name),
        spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
      });
      await settled();
      return present(api.get(services, namespace, name));
    },
    slices: (): EndpointSlice[] => api.list(endpointSlices, namespace),
    /** `reason: message` of the events about an object, by its name. */
    told: (name: string): string[] =>
      api
        .list(events, namespace)
        .filter(({ involvedObject }) => involvedObject.name === name)
        .map(({ reason, message }) => `${reason}: ${message}`),
    async [Symbol.asyncDispose]() {
      await controllers.stop();
      await api.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
  return world;
}
export type World = Awaited<ReturnType<typeof createWorld>>;

function present<T>(object: T | undefined): T {
  if (!object) throw new Error('the object is not there');
  return object;
}

export function template(app: string, version: string): Deployment['spec']['template'] {
  return {
    metadata: { labels: { app } },
    spec: { containers: [{ name: 'main', image: version, ports: [{ name: 'http', containerPort: 8080 }] }] },
  };
}

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
}

export function unready(all: readonly Pod[]): Pod[] {
  return all.filter((pod) => !isReady(pod));
}

/** The most Pods, and after the first time all were ready the fewest ready ones, that there have been at any time. */
export function watchLimits(world: World): { most: number; fewestReady: number } {
  const seen = { most: 0, fewestReady: Number.POSITIVE_INFINITY };
  world.api.observe(pods, () => {
    const all = world.pods();
    seen.most = Math.max(seen.most, all.length);
    seen.fewestReady = Math.min(seen.fewestReady, all.filter(isReady).length);
  });
  return seen;
}
