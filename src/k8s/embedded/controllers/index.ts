import type { Log } from '../../../log.ts';
import {
  deployments,
  endpointSlices,
  type KubeObject,
  pods,
  type Resource,
  replicaSets,
  services,
} from '../../resources.ts';
import type { EmbeddedApi, StoreEvent } from '../api/service.ts';
import type { Controller, ControllerPart } from './controller.ts';
import { createDeploymentController } from './deployment-controller.ts';
import { createEndpointSliceController } from './endpoint-slice-controller.ts';
import { selects, serviceNameLabel } from './endpoints.ts';
import { createEventRecorder } from './events.ts';
import { adopters, hasController, type Owner } from './ownership.ts';
import { createReplicaSetController } from './replica-set-controller.ts';
import type { EmbeddedPart, Running } from './service.ts';
import { createWorkQueue, type WorkQueue } from './work-queue.ts';

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function controllerKey(object: KubeObject, kind: string): string[] {
  const owner = object.metadata.ownerReferences?.find((reference) => reference.controller && reference.kind === kind);
  return owner ? [`${object.metadata.namespace}/${owner.name}`] : [];
}

/** Whom a changed object concerns: its controller, or those that would adopt it. */
function ownerKeys(api: EmbeddedApi, object: KubeObject, owners: Resource<Owner>): string[] {
  const orphan = !hasController(object) && object.metadata.deletionTimestamp === undefined;
  if (!orphan) return controllerKey(object, owners.kind);
  return adopters(api.list(owners, object.metadata.namespace), object).map(keyOf);
}

/** Logs a failed sync; one that lost a race against another writer is only tried again. */
export function logFailure(log: Log, name: string): (key: string, error: unknown) => void {
  return (key, error) => {
    const status = (error as { status?: number } | undefined)?.status;
    log[status === 409 || status === 404 ? 'debug' : 'warn']({ controller: name, key, err: error }, 'sync failed');
  };
}

/** Runs a controller on a queue of its own. `sources` says which keys a changed object concerns. */
function run(
  part: ControllerPart,
  make: (part: ControllerPart) => Controller,
  sources: (
    on: <T extends KubeObject>(resource: Resource<T>, keys: (event: StoreEvent<T>) => string[]) => void,
  ) => void,
): { stop(): Promise<void> } {
  let queue: WorkQueue | undefined;
  const controller = make({ ...part, requeue: (key, ms) => queue?.addAfter(key, ms) });
  const own = createWorkQueue({
    clock: part.clock,
    work: (key) => controller.sync(key),
    failed: logFailure(part.log, controller.name),
  });
  queue = own;
  const stops: (() => void)[] = [];
  sources((resource, keys) => {
    stops.push(part.api.observe(resource, (event) => keys(event).forEach((key) => own.add(key))));
  });
  return {
    async stop() {
      for (const stop of stops) stop();
      await own.stop();
    },
  };
}

function servicesOf(api: EmbeddedApi, known: Map<string, KubeObject>, event: StoreEvent): string[] {
  // Labels may have changed: the Services that matched before are concerned as well.
  const before = known.get(event.object.metadata.uid ?? '');
  if (event.type === 'DELETED') known.delete(event.object.metadata.uid ?? '');
  else known.set(event.object.metadata.uid ?? '', event.object);
  const versions = [event.object, ...(before ? [before] : [])] as Parameters<typeof selects>[1][];
  return api
    .list(services, event.object.metadata.namespace)
    .filter((service) => versions.some((pod) => selects(service, pod)))
    .map(keyOf);
}

/** Starts the control loops of the embedded cluster: Deployments, ReplicaSets, EndpointSlices. */
export async function startControllers({ api, clock, log }: EmbeddedPart): Promise<Running> {
  const failed = logFailure(log, 'events');
  const deploymentEvents = createEventRecorder({ api, clock, failed }, 'deployment-controller');
  const replicaSetEvents = createEventRecorder({ api, clock, failed }, 'replicaset-controller');
  const part = { api, clock, log, requeue: () => {} };
  const self = ({ object }: StoreEvent) => [keyOf(object)];
  const knownPods = new Map<string, KubeObject>();

  const running = [
    run({ ...part, events: deploymentEvents }, createDeploymentController, (on) => {
      on(deployments, self);
      on(replicaSets, ({ object }) => ownerKeys(api, object, deployments));
      on(pods, ({ type, object }) => (type === 'DELETED' ? deploymentOfPod(api, object) : []));
    }),
    run({ ...part, events: replicaSetEvents }, createReplicaSetController, (on) => {
      on(replicaSets, self);
      on(pods, ({ object }) => ownerKeys(api, object, replicaSets));
    }),
    run({ ...part, events: replicaSetEvents }, createEndpointSliceController, (on) => {
      on(services, self);
      on(pods, (event) => servicesOf(api, knownPods, event));
      on(endpointSlices, ({ object }) => {
        const name = object.metadata.labels?.[serviceNameLabel];
        return name === undefined ? [] : [`${object.metadata.namespace}/${name}`];
      });
    }),
  ];

  return {
    async stop() {
      await Promise.all(running.map((loop) => loop.stop()));
      await Promise.all([deploymentEvents.stop(), replicaSetEvents.stop()]);
    },
  };
}

function deploymentOfPod(api: EmbeddedApi, pod: KubeObject): string[] {
  return controllerKey(pod, 'ReplicaSet').flatMap((key) => {
    const [namespace, name = ''] = key.split('/');
    const replicaSet = api.get(replicaSets, namespace, name);
    return replicaSet ? controllerKey(replicaSet, 'Deployment') : [];
  });
}
