import type { Clock } from '../../../clock.ts';
import type { Log } from '../../../log.ts';
import type { KubeObject, Resource } from '../../resources.ts';
import { createLocalClient } from './client.ts';
import { type Core, createCore } from './core.ts';
import type { Definition, Draft } from './definition.ts';
import { createHandler } from './http/handler.ts';
import { serve } from './http/server.ts';
import { kinds } from './kinds/index.ts';
import { startExpiry } from './lifecycle/expiry.ts';
import { startGarbageCollector } from './lifecycle/garbage-collector.ts';
import { startNamespaceLifecycle } from './lifecycle/namespaces.ts';
import { createPodLogs } from './pod-logs.ts';
import type { EmbeddedApi, StoreEvent } from './service.ts';
import { openStore } from './store.ts';

export interface ApiOptions {
  dataDir: string;
  /** 0 picks a free one. */
  port: number;
  clock: Clock;
  log: Log;
  /** Kinds besides the built-in ones. @default none */
  kinds?: readonly Definition[];
  /** Gives new Services their address; absent: they begin without one. */
  allocateClusterIP?: () => string;
  releaseClusterIP?: (address: string) => void;
}

/** Starts the Kubernetes API server for one machine on loopback. What was stored before is there again. */
export async function startApi(options: ApiOptions): Promise<EmbeddedApi> {
  const { clock, log } = options;
  const definitions = [...kinds, ...(options.kinds ?? [])];
  const store = openStore({
    dataDir: options.dataDir,
    definitions,
    onListenerError: (error) => log.error({ error }, 'a listener of the embedded API failed'),
  });
  const core = createCore({
    store,
    clock,
    definitions,
    allocateClusterIP: options.allocateClusterIP ?? (() => ''),
    releaseClusterIP: options.releaseClusterIP ?? (() => {}),
  });
  const logs = createPodLogs(core);
  const stops = [() => store.close()];
  try {
    stops.push(startNamespaceLifecycle(core), startGarbageCollector(core), startExpiry(core));
    const server = await serve(options.port, createHandler(core, logs), log);
    return {
      url: server.url,
      client: createLocalClient(core, logs),
      get: (resource, namespace, name) =>
        collectionOf(core, resource).get(resource.namespaced ? namespace : undefined, name) as never,
      list: (resource, namespace) => collectionOf(core, resource).list(namespace) as never,
      observe: (resource, listener) => observe(core, resource, listener, log),
      servePodLogs: (source) => logs.serve(source),
      async stop() {
        await server.stop();
        for (const stop of stops.toReversed()) stop();
      },
    };
  } catch (error) {
    for (const stop of stops.toReversed()) stop();
    throw error;
  }
}

function collectionOf(core: Core, resource: Resource) {
  const definition = core.find(resource.group, resource.version, resource.plural);
  if (!definition)
    throw new Error(`The embedded API does not serve ${resource.kind} of ${resource.group || 'the core group'}.`);
  return core.collection(definition);
}

/** ADDED for what is there, then every change in order. */
function observe<T extends KubeObject>(
  core: Core,
  resource: Resource<T>,
  listener: (event: StoreEvent<T>) => void,
  log: Log,
): () => void {
  const collection = collectionOf(core, resource);
  const tell = (type: StoreEvent['type'], object: Draft) => {
    try {
      listener({ type, object: object as unknown as T });
    } catch (error) {
      log.error({ error, kind: resource.kind }, 'a listener of the embedded API failed');
    }
  };
  const unsubscribe = collection.subscribe(({ type, object }) => tell(type, object));
  for (const object of collection.list()) tell('ADDED', object);
  return unsubscribe;
}
