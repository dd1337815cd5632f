import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployments, services } from '../../../src/k8s/resources.ts';
import { annotations } from '../kubelet/pod-status.ts';
import { type ProductCluster, clusters } from './clusters.ts';
import { type WorkloadParts, serviceFor, workload } from './objects.ts';
import { type Product, startProduct } from './surface.ts';
import { type ShownRun, comparable, shownRuns } from './views.ts';

interface Scene {
  name: string;
  /** What the stand-in kubelet makes of the Pods. */
  pods: Record<string, string>;
  more?: Partial<WorkloadParts>;
  health: string;
  /** The first reason. */
  code: string;
}

const waiting = (reason: string, message: string) => ({
  [annotations.state]: 'waiting',
  [annotations.reason]: reason,
  [annotations.message]: message,
});

const scenes: readonly Scene[] = [
  { name: 'well', pods: {}, health: 'HEALTHY', code: 'NO_READINESS_PROBE' },
  {
    name: 'creating',
    pods: waiting('ContainerCreating', 'still at it'),
    health: 'DEGRADED',
    code: 'STARTING',
  },
  {
    name: 'no-image',
    pods: waiting('ImagePullBackOff', 'Back-off pulling image "team/forecast:1.4.2"'),
    health: 'DEGRADED',
    code: 'IMAGE_PULL',
  },
  {
    name: 'no-secret',
    pods: waiting('CreateContainerConfigError', 'secret "forecast" not found'),
    health: 'DEGRADED',
    code: 'CONTAINER_CONFIG',
  },
  {
    name: 'crashing',
    pods: { [annotations.state]: 'crash-loop', [annotations.restarts]: '7' },
    health: 'DEGRADED',
    code: 'CRASH_LOOP',
  },
  {
    name: 'out-of-memory',
    pods: { [annotations.state]: 'oom-killed', [annotations.restarts]: '3' },
    health: 'DEGRADED',
    code: 'OOM_KILLED',
  },
  {
    name: 'not-ready',
    pods: { [annotations.state]: 'not-ready' },
    more: { container: { readinessProbe: { httpGet: { path: '/ready', port: 8080 } } } },
    health: 'DEGRADED',
    code: 'READINESS_FAILING',
  },
  {
    name: 'no-node',
    pods: {},
    more: { pod: { nodeSelector: { 'acme.dev/gpu': 'yes' } } },
    health: 'DEGRADED',
    code: 'UNSCHEDULABLE',
  },
  {
    name: 'too-big',
    pods: {},
    more: { container: { resources: { requests: { memory: '900Ti' } } } },
    health: 'DEGRADED',
    code: 'UNSCHEDULABLE',
  },
];

const shown: unknown[] = [];

describe.each(clusters)('health on %s', (_, open) => {
  let cluster: ProductCluster;
  let product: Product;
  let runs: ShownRun[];

  beforeAll(async () => {
    cluster = await open();
    const namespace = await cluster.namespace('health');
    // What takes longer than this to start is not starting any more.
    product = await startProduct({ kubeconfig: cluster.kubeconfig, config: { runs: { startDeadlineMs: 1000 } } });
    for (const { name, pods, more } of scenes) {
      const labels = { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': name };
      await cluster.kube.create(deployments, workload(name, namespace, { labels, annotations: pods, ...more }));
      await cluster.kube.create(services, serviceFor(name, namespace, labels));
    }
    for (const { name, health, code } of scenes) {
      await product.until(
        namespace,
        name,
        ({ status }) => status.health === health && status.reasons.some((reason) => reason.code === code),
      );
    }
    runs = await shownRuns(product, namespace);
    shown.push(comparable(runs, namespace));
  }, 120_000);
  afterAll(async () => {
    await product.stop();
    await cluster.close();
  });

  it.each(scenes)('$name is $health for $code', ({ name, health, code }) => {
    const run = runs.find((each) => each.name === name);
    const [first] = run?.status.reasons ?? [];
    expect(run?.status).toMatchObject({ health, message: health === 'HEALTHY' ? null : first?.message });
    expect(first?.code).toBe(code);
  });
});

it('both clusters give the same reasons, in the same words', () => {
  const [real, embedded] = shown;
  expect(real).toBeDefined();
  expect(embedded).toEqual(real);
});
