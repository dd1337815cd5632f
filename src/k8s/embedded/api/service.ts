import type { KubeClient, LogOptions } from '../../cluster.ts';
import type { KubeObject, Resource } from '../../resources.ts';

/** A committed change in the store. */
export interface StoreEvent<T extends KubeObject = KubeObject> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: T;
}

/** Where the embedded API server gets Pod logs from. */
export interface PodLogs {
  /** The log as it stands and, with `follow`, as it grows until the signal is aborted. */
  read(pod: { namespace: string; name: string; uid: string }, options: LogOptions): AsyncIterable<Uint8Array>;
}

/**
 * The embedded API server without HTTP, for the controllers, the runtime and the gateway that live in the same
 * process. Semantics (validation, conflicts, generation, resourceVersion) are those of the HTTP surface: both are thin
 * layers over the same store.
 */
export interface EmbeddedApi {
  /** `http://127.0.0.1:6443`. */
  readonly url: string;
  readonly client: KubeClient;
  /** The present object, synchronously. */
  get<T extends KubeObject>(resource: Resource<T>, namespace: string | undefined, name: string): T | undefined;
  list<T extends KubeObject>(resource: Resource<T>, namespace?: string): T[];
  /** ADDED for each present object, then every change in order. Listeners run after the commit, not inside it. */
  observe<T extends KubeObject>(resource: Resource<T>, listener: (event: StoreEvent<T>) => void): () => void;
  /** The runtime says where logs come from once it is up. */
  servePodLogs(logs: PodLogs): void;
  stop(): Promise<void>;
}
