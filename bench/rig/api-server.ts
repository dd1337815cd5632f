// An API server with nothing behind it, in a process of its own: whole kinds can change while no watch is open.
import { writeKubeconfig } from '../../test/faults/watching.ts';
import { startFakeApi } from '../../test/faults/api-server/server.ts';
import { systemClock } from '../../src/clock.ts';
import { type Deployment, type KubeObject, deployments, services } from '../../src/k8s/resources.ts';

/** What it is told over IPC; each is answered with the same number when it is done. */
export type Order =
  | { number: number; do: 'fill'; runs: number; fat: number; bytes: number }
  | { number: number; do: 'touch'; run: number; nonce: number }
  /** Its rollout stalls, or it is as it was. */
  | { number: number; do: 'stall'; run: number; since: string | null }
  | { number: number; do: 'make'; run: number }
  | { number: number; do: 'remove'; run: number }
  /** All of them change while no watch is open, and what changed is no longer known: they must be listed again. */
  | { number: number; do: 'relist'; nonce: number };

const [kubeconfig] = process.argv.slice(2);
if (!kubeconfig) throw new Error('usage: api-server.ts KUBECONFIG');

const namespace = 'lab';
const api = await startFakeApi({ clock: systemClock });
await writeKubeconfig(api.url, { path: kubeconfig });
const made = new Map<number, Deployment>();

/** A run that is stopped: its message names the replicas that it would have again. */
function deployment(name: string, argument: string): Deployment {
  const labels = { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': name };
  const container = { name: 'main', image: 'shop:1', args: [argument], ports: [{ containerPort: 8080 }] };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels, annotations: {}, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
    status: { observedGeneration: 1 },
  };
}

function service(name: string): KubeObject {
  const labels = { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': name };
  const ports = [{ port: 80, targetPort: 8080, protocol: 'TCP' }];
  const spec = { type: 'ClusterIP', clusterIP: '10.96.0.1', selector: labels, ports };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec,
  } as KubeObject;
}

function present(index: number): Deployment {
  const object = made.get(index);
  if (!object) throw new Error(`there is no run ${index}`);
  return object;
}

function make(index: number, argument = ''): void {
  const object = deployment(`run-${index}`, argument);
  made.set(index, object);
  api.of(deployments).store(object);
  api.of(services).store(service(`run-${index}`));
}

function remove(index: number): void {
  made.delete(index);
  for (const kind of [deployments, services]) api.of(kind).remove(`run-${index}`, namespace);
}

function stall(index: number, since: string | null): void {
  const object = present(index);
  const stalled = { type: 'Progressing', status: 'False' as const, reason: 'ProgressDeadlineExceeded' };
  const conditions = since === null ? [] : [{ ...stalled, lastTransitionTime: since }];
  const spec = { ...object.spec, replicas: since === null ? 0 : 1 };
  const changed: Deployment = { ...object, spec, status: { observedGeneration: 1, replicas: 2, conditions } };
  api.of(deployments).store(changed);
}

function touch(index: number, nonce: number): void {
  const object = present(index);
  const { metadata } = object;
  api
    .of(deployments)
    .store({ ...object, metadata: { ...metadata, annotations: { 'slipway.dev/replicas': `${nonce}` } } });
}

function carryOut(order: Order): void {
  if (order.do === 'touch') return touch(order.run, order.nonce);
  if (order.do === 'stall') return stall(order.run, order.since);
  if (order.do === 'make') return make(order.run);
  if (order.do === 'remove') return remove(order.run);
  if (order.do === 'fill') {
    for (let index = 0; index < order.runs; index++) make(index, 'x'.repeat(index < order.fat ? order.bytes : 0));
    return;
  }
  const open = api.openWatches();
  api.mute();
  for (const index of made.keys()) touch(index, order.nonce);
  api.compact();
  for (const { exchange } of open) exchange.reset();
}

process.on('message', (order: Order) => {
  carryOut(order);
  process.send?.(order.number);
});
process.on('disconnect', () => void api.stop());
process.send?.(0);
