import type { Access, Scope } from '../../caller.ts';
import type { Cluster, KubeClient } from '../../k8s/cluster.ts';
import type {
  Deployment,
  EndpointSlice,
  KubeEvent,
  KubeObject,
  Pod,
  ReplicaSet,
  Service,
} from '../../k8s/resources.ts';
import { type Context, manyRef, serviceRef } from '../../module.ts';
import { HealthStatus as HealthStatusEnum } from './schema/enums.ts';
import { ServiceRunFilter as ServiceRunFilterInput } from './schema/inputs.ts';

export { speaksTls } from './service-info.ts';

// GraphQL types that other modules use too, each as a function of the builder.
export const HealthStatus = HealthStatusEnum;
export const ServiceRunFilter = ServiceRunFilterInput;

export type RunState = 'CREATED' | 'PENDING' | 'RUNNING' | 'STOPPED' | 'ERROR' | 'COMPLETED' | 'DELETING';
export type HealthStatus = 'HEALTHY' | 'PROGRESSING' | 'DEGRADED' | 'SUSPENDED' | 'MISSING' | 'UNKNOWN';
export type ServiceProtocol = 'HTTP' | 'OPEN_INFERENCE' | 'OPENAI';
export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
export type ServiceRunAction = 'INVOKE' | 'SCALE' | 'STOP' | 'RESUME' | 'RESTART' | 'DELETE' | 'EXPOSE';
export type HealthReasonCode =
  | 'IMAGE_PULL'
  | 'CRASH_LOOP'
  | 'OOM_KILLED'
  | 'CONTAINER_CONFIG'
  | 'STARTUP_FAILING'
  | 'READINESS_FAILING'
  | 'LIVENESS_FAILING'
  | 'UNSCHEDULABLE'
  | 'VOLUME_PENDING'
  | 'QUOTA_EXCEEDED'
  | 'ADMISSION_DENIED'
  | 'ROLLOUT_STALLED'
  | 'ROLLING_OUT'
  | 'STARTING'
  | 'NO_READINESS_PROBE'
  | 'EVICTED'
  | 'NODE_LOST'
  | 'NO_ENDPOINTS'
  | 'SELECTOR_MISMATCH'
  | 'PORT_MISMATCH'
  | 'SERVICE_MISSING'
  | 'WORKLOAD_MISSING'
  | 'SCALED_TO_ZERO'
  | 'TERMINATING'
  | 'STALE'
  | 'UNKNOWN';

/** Times in views are ms since the epoch. */
export type Millis = number;

export interface ObjectRef {
  apiVersion: string | null;
  kind: string;
  namespace: string | null;
  name: string;
}

export interface HealthReason {
  code: HealthReasonCode;
  /** Kubernetes' own word, or a module's. */
  rawReason: string | null;
  message: string;
  /** What to do next. */
  hint: string;
  object: ObjectRef | null;
  count: number;
  since: Millis | null;
}

export interface ServicePort {
  name: string | null;
  port: number;
  protocol: string;
  targetPort: string;
  nodePort: number | null;
}

export interface ServiceUrl {
  name: string;
  url: string;
  method: HttpMethod;
  port: number;
  path: string;
  description: string | null;
}

export interface ServiceInfo {
  name: string;
  namespace: string;
  type: string;
  clusterIP: string | null;
  externalName: string | null;
  externalIPs: string[];
  ip: string | null;
  hostname: string | null;
  ports: ServicePort[];
  /** host:port without a scheme, as the platform writes it. */
  url: string | null;
  urls: ServiceUrl[];
  aliases: string[];
}

export interface OpenInferenceInfo {
  baseUrl: string;
  model: string | null;
  inferenceUrl: string | null;
  modelMetadataUrl: string | null;
  modelReadinessUrl: string | null;
  readinessUrl: string;
  livenessUrl: string;
}

export interface OpenAIInfo {
  baseUrl: string;
  model: string | null;
  engine: string | null;
  features: string[];
}

export interface RunContainerView {
  name: string;
  image: string;
  ready: boolean;
  restartCount: number;
  state: string | null;
  reason: string | null;
  message: string | null;
  lastExitCode: number | null;
  /** Runs to its end before the others start. */
  init: boolean;
}

export interface RunPodView {
  name: string;
  uid: string;
  phase: string;
  ready: boolean;
  ip: string | null;
  node: string | null;
  startedAt: Millis | null;
  containers: RunContainerView[];
}

export interface RunStatus {
  state: RunState;
  health: HealthStatus;
  /** One plain sentence; null only when HEALTHY. */
  message: string | null;
  /** Most important first. */
  reasons: HealthReason[];
  replicas: { desired: number; ready: number; updated: number; available: number };
  /** Within the restart window. */
  restarts: number;
  /** From condition, Pod and container times, so replicas agree. */
  since: Millis;
  observedAt: Millis;
  service: ServiceInfo | null;
  openInference: OpenInferenceInfo | null;
  openAI: OpenAIInfo | null;
}

/** One run as everybody sees it: computed once per change, shared, never changed in place. */
export interface RunView {
  /** `namespace/runId`: stable over restarts; what global ids are made of. */
  key: string;
  /** Global id of `ServiceRun`. */
  id: string;
  /** uid of the workload, else of the Service: another one means another run of the same name. */
  uid: string;
  runId: string;
  name: string;
  namespace: string;
  project: string | null;
  function: string | null;
  kind: string | null;
  source: string;
  user: string | null;
  labels: Readonly<Record<string, string>>;
  createdAt: Millis;
  protocol: ServiceProtocol;
  spec: {
    image: string | null;
    command: string[];
    args: string[];
    replicas: number;
    env: { name: string; value: string | null; secret: boolean }[];
  };
  status: RunStatus;
  pods: RunPodView[];
  /** When the view may change by itself (restart window, rollout deadline); null: never. */
  changesAt: Millis | null;
  /** The raw objects it was made of, for modules that need more. */
  objects: RunObjects;
}

/** The cluster's objects that make up one run. */
export interface RunObjects {
  workload: Deployment | null;
  /** The primary Service. */
  service: Service | null;
  /** Further Services that select the same Pods. */
  aliases: Service[];
  /** Further workloads that claim the same run: none when all is well. */
  duplicates?: Deployment[];
  /** Of the workload, newest revision first. */
  replicaSets?: ReplicaSet[];
  pods: Pod[];
  slices: EndpointSlice[];
  /** Warnings only, newest last. */
  events: KubeEvent[];
  /** What this server has seen of the Pods, by uid. */
  sightings?: ReadonlyMap<string, PodSightings>;
  /** Kinds that this server can not read: that there are none of them says nothing. */
  unreadable?: readonly string[];
}

/** What Kubernetes does not keep of a Pod, in its own times. */
export interface PodSightings {
  /** When runs of its containers ended, by container. */
  ends: ReadonlyMap<string, readonly Millis[]>;
  /** When it stopped being ready. */
  losses: readonly Millis[];
}

export interface RunChange {
  key: string;
  /** Absent for a new run. */
  before?: RunView;
  /** Absent for a removed run. */
  after?: RunView;
  revision: number;
}

/** The fields of `ServiceRunFilter`; null or absent means no filter, [] matches nothing. */
export interface RunFilter {
  namespace?: readonly string[] | null | undefined;
  project?: readonly string[] | null | undefined;
  function?: readonly string[] | null | undefined;
  kind?: readonly string[] | null | undefined;
  source?: readonly string[] | null | undefined;
  state?: readonly RunState[] | null | undefined;
  health?: readonly HealthStatus[] | null | undefined;
  search?: string | null | undefined;
  labelSelector?: string | null | undefined;
  active?: boolean | null | undefined;
}

/** The views of all runs, kept current from the shared caches. */
export interface Runs {
  /** Rises with every change of any view. */
  readonly revision: number;
  /** Resolves when every run there is has been judged for the first time: before, there may be more than are known. */
  known(): Promise<void>;
  /** The same for whoever answers a request; false when the cluster is stale and was never listed. */
  whenKnown(): Promise<boolean>;
  get(key: string): RunView | undefined;
  /** The run behind a global id; undefined for any other id. */
  byId(id: string): RunView | undefined;
  /** The run whose primary or alias Service this is. */
  byService(namespace: string, name: string): RunView | undefined;
  all(): Iterable<RunView>;
  /** The run behind a global id if the caller may see it; else NOT_FOUND on `field`. */
  visible(id: string, access: Access, field?: string): Promise<RunView>;
  /** Compiles a filter; a bad label selector is INVALID with field `<field>.labelSelector`. */
  matcher(filter: RunFilter | null | undefined, field?: string): (run: RunView) => boolean;
  /** A time to give to `statusAt`: what happens from now on comes after it. */
  now(): Millis;
  /** The health a run had at a time of the last minutes; what is older is not kept. */
  statusAt(run: RunView, at: Millis): Pick<RunStatus, 'health' | 'since'>;
  /** True when the scope includes the run. */
  includes(scope: Scope, run: RunView): boolean;
  /** Changes from now on, in order, each exactly once; also when nothing but health changed with time. */
  subscribe(listener: (change: RunChange) => void): () => void;
  /** The view once it reflects this written (or with `deleted` removed) object, at most 2 s later, else as it is then. */
  after(written: KubeObject, key: string, options?: { deleted?: boolean }): Promise<RunView | undefined>;
}
export const Runs = serviceRef<Runs>('slipway.runs');

/** What a source says of the labels of one object; null when it is not one of its runs. */
export interface RunIdentity {
  runId: string;
  /** The run's name for people; default: the workload's name. */
  name?: string;
  project: string | null;
  function: string | null;
  kind: string | null;
  user: string | null;
  protocol: ServiceProtocol;
  model: string | null;
  engine?: string | null;
  /** Of OPENAI: TextGeneration (default), TextEmbedding, Reranking, SpeechToText. */
  features?: string[];
  /** Only for Services: false for an alias. */
  primary?: boolean;
}

/** Where runs come from: a selector and a mapping of labels to fields (architecture, section 5). */
export interface RunSource {
  /** The value of `ServiceRun.source`. */
  readonly name: string;
  /** Pure and cheap: called for each changed Deployment and Service. The first source that knows it wins. */
  identify(object: Deployment | Service): RunIdentity | null;
}
export const RunSource = manyRef<RunSource>('slipway.run-source');

/** Something that can be done to a run; contributes to `ServiceRun.actions`. */
export interface RunAction {
  readonly action: ServiceRunAction;
  /** Whether this caller may do it to this run now. */
  allowed(run: RunView, context: Context): boolean | Promise<boolean>;
}
export const RunAction = manyRef<RunAction>('slipway.run-action');

export type { Cluster, KubeClient };
