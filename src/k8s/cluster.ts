import type { Readable } from 'node:stream';
import type { buildConnector } from 'undici';
import type { Caller } from '../caller.ts';
import type { KubeObject, Resource } from './resources.ts';

export type ClusterMode = 'EMBEDDED' | 'KUBECONFIG' | 'IN_CLUSTER';

/** metav1.ListMeta with its items. */
export interface KubeList<T extends KubeObject> {
  items: T[];
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
}

export interface ListOptions {
  /** All namespaces when absent. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  /** The list exactly as it was at this resourceVersion; 410 when the server no longer knows. */
  at?: string;
  signal?: AbortSignal;
}

export interface WriteOptions {
  /** Checks everything and stores nothing (`dryRun=All`). */
  dryRun?: boolean;
  /** Default `slipway`. */
  fieldManager?: string;
  signal?: AbortSignal;
}

export interface DeleteOptions extends WriteOptions {
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  preconditions?: { uid?: string; resourceVersion?: string };
  gracePeriodSeconds?: number;
}

export interface LogOptions {
  container?: string;
  previous?: boolean;
  tailLines?: number;
  /** RFC 3339. */
  sinceTime?: string;
  follow?: boolean;
  /** Each line begins with its RFC 3339 time and a blank. */
  timestamps?: boolean;
  signal?: AbortSignal;
}

/** RFC 6902 operation. */
export interface JsonPatchOperation {
  op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test';
  path: string;
  from?: string;
  value?: unknown;
}

/**
 * Reads and writes objects of any kind with one identity. Every method rejects with an ApiError: the server's `Status`,
 * or the transport's failure; nothing is retried that may have been carried out.
 */
export interface KubeClient {
  get<T extends KubeObject>(
    resource: Resource<T>,
    name: string,
    namespace?: string,
    options?: { signal?: AbortSignal },
  ): Promise<T>;
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<KubeList<T>>;
  /** POST: a taken name is a 409 AlreadyExists. The namespace is the object's own. */
  create<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  /** PUT, conditional on `metadata.resourceVersion` where the object has one. `subresource`: `status`, `scale`. */
  replace<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: WriteOptions & { subresource?: string },
  ): Promise<T>;
  /** Server-side apply of exactly the fields in `object`; conflicts are never forced. */
  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: Partial<T> & { metadata: KubeObject['metadata'] },
    options?: WriteOptions & { subresource?: string },
  ): Promise<T>;
  /** `application/json-patch+json` for an array, `application/merge-patch+json` for an object. */
  patch<T extends KubeObject>(
    resource: Resource<T>,
    name: string,
    namespace: string | undefined,
    patch: readonly JsonPatchOperation[] | Record<string, unknown>,
    options?: WriteOptions & { subresource?: string },
  ): Promise<T>;
  /** Resolves with the object as last known; an already absent one is a 404. */
  delete<T extends KubeObject>(
    resource: Resource<T>,
    name: string,
    namespace?: string,
    options?: DeleteOptions,
  ): Promise<T>;
  /** The pod's log as text; destroy the stream to end a followed one. */
  podLogs(name: string, namespace: string, options?: LogOptions): Promise<Readable>;
}

/** What it takes to speak to the API server oneself, such as through its proxy subresources. */
export interface RawApi {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Stands before `/api`; without a final slash. */
  readonly pathPrefix: string;
  /** A proxy reads the requests and passes them on: what is 407 is its own answer. */
  readonly forwarded: boolean;
  /** Opens connections with our certificates and trust, through the proxy to the API server if there is one. */
  readonly connect: buildConnector.connector;
  /** Our credentials and whom we act as: for each request anew, since tokens rotate. */
  headers(): Promise<readonly { name: string; value: string }[]>;
}

/** What a module reads from the shared cache. One watch per kind, whoever asks for it. */
export interface Watch<T extends KubeObject = KubeObject> {
  resource: Resource<T>;
  /** The kind may be unknown to the cluster (a CRD that is not installed): then its cache is empty and says so. */
  optional?: boolean;
  /** That it is not served is nothing to tell: the kind belongs to one of several implementations. */
  alternative?: boolean;
  /** Objects that no watcher wants are dropped on entry. Absent: all are wanted. */
  wants?: (object: T) => boolean;
  /**
   * Fields that this watcher does not read, as paths in which `*` stands for each item: `spec.containers.*.env`. What all
   * watchers of a kind omit is dropped on entry, and what one of them reads is kept.
   */
  omits?: readonly string[];
}

export type CacheEvent<T extends KubeObject> =
  | { type: 'ADDED'; object: T }
  | { type: 'MODIFIED'; object: T; previous: T }
  | { type: 'DELETED'; object: T };

/** The present objects of one kind: raw JSON, shared and frozen by convention (never change one). */
export interface Cache<T extends KubeObject> {
  readonly resource: Resource<T>;
  /** True once the first list is in. */
  readonly synced: boolean;
  readonly size: number;
  get(namespace: string | undefined, name: string): T | undefined;
  byUid(uid: string): T | undefined;
  /** Of one namespace, or all. */
  list(namespace?: string): Iterable<T>;
  /** Those with objects; '' stands for none. */
  namespaces(): Iterable<string>;
  /** Those with an owner reference to this uid. */
  byOwner(uid: string): Iterable<T>;
  /** Adds an index; an object is found under each key that `keys` gives for it. Idempotent by name. */
  index(name: string, keys: (object: T) => readonly string[]): (key: string) => Iterable<T>;
  /** Changes from now on, in order, each exactly once. A listener that throws is logged and harms nobody else. */
  subscribe(listener: (event: CacheEvent<T>) => void): () => void;
  /**
   * Resolves true as soon as the cache has seen this write (the object a write returned) or a later one of the same
   * object, false after `timeoutMs` (default 2000). For a deleted object pass `deleted: true`.
   */
  seen(object: KubeObject, options?: { timeoutMs?: number; deleted?: boolean }): Promise<boolean>;
}

export type Freshness = 'FRESH' | 'STALE';

export interface WatchState {
  resource: string;
  namespace: string | null;
  objects: number;
  synced: boolean;
  lastEventAt: number | null;
  lastContactAt: number | null;
  restarts: number;
  error: string | null;
  /** Since when this watch has been down; null while it is up. */
  downSince: number | null;
  /** How often what is kept was compared with a list, and how often it was not the same. */
  checks: number;
  mismatches: number;
}

/** How fresh the caches are, as a value and as a stream of changes. */
export interface FreshnessSource {
  /** STALE while some watch has been down for 5 s: a little less, so that clients know by then. */
  readonly state: Freshness;
  /** When it turned STALE, in ms since the epoch; null while FRESH. */
  readonly staleSince: number | null;
  watches(): WatchState[];
  subscribe(listener: (state: Freshness) => void): () => void;
}

/** The connection to one Kubernetes cluster, shared by every module. */
export interface Cluster {
  readonly mode: ClusterMode;
  /** `v1.36.2`; null until the server has said it. */
  readonly kubernetesVersion: string | null;
  /** Base URL of the Kubernetes API. */
  readonly url: string;
  /** Default namespace for writes. */
  readonly namespace: string;
  /** The namespaces watched; null: all. */
  readonly watchedNamespaces: readonly string[] | null;
  /** Acts with our own identity. Never use it for what a caller asked for: see `as`. */
  readonly client: KubeClient;
  /** Acts as the caller (impersonation where that is on; the embedded cluster's single user needs none). */
  as(caller: Caller): KubeClient;
  /** Acts as the caller, for requests that no KubeClient method makes. */
  raw(caller: Caller): RawApi;
  /** The cache of a kind that some module's `watches` names; throws when none does. */
  cache<T extends KubeObject>(resource: Resource<T>): Cache<T>;
  /** The namespaces of all cached objects of a kind; none when no module watches it. */
  namespacesOf(resource: Resource): Iterable<string>;
  readonly freshness: FreshnessSource;
  /** Present in embedded mode only. */
  readonly embedded: EmbeddedInfo | null;
  /** Resolves when every watched kind is listed, or is known to be missing or forbidden. */
  synced(): Promise<void>;
  stop(): Promise<void>;
}

export interface EmbeddedInfo {
  /** Where the embedded data plane listens: `http://127.0.0.1:8080`. */
  readonly gatewayUrl: string;
  /** The one Gateway of the embedded cluster. */
  readonly gatewayParent: { namespace: string; name: string; sectionName?: string };
  readonly kubeconfig: string;
  /** True for addresses that the embedded cluster gives to Pods and Services. */
  ownsAddress(address: string): boolean;
}

/** Starts the caches; what `connect` and the embedded cluster return before the modules have said what they watch. */
export interface ClusterConnection {
  /** Merges the watches of all modules (one per kind), starts them and gives the cluster the modules see. */
  open(watches: readonly Watch[]): Promise<Cluster>;
}
