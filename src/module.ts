import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ExecutionResult, OperationTypeNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Access, Caller } from './caller.ts';
import type { Clock } from './clock.ts';
import type { When } from './endings.ts';
import type { Cluster, KubeClient, Watch } from './k8s/cluster.ts';
import type { KubeObject } from './k8s/resources.ts';
import type { Log } from './log.ts';
import type { Builder } from './schema/builder.ts';

/** Version of this contract; a module made for another one is refused at boot. */
export const contractVersion = 1;

const brand = Symbol.for('slipway.module');

/** Typed name of a service. Compared by id, so two copies of a package agree. */
export interface ServiceRef<S> {
  readonly id: string;
  /** Any number of providers; users get an array. */
  readonly many?: true;
  /** Carries `S` for inference only; never set. */
  readonly service?: S;
}

/** A ref that any number of modules may provide; its users get an array. */
export interface ManyRef<S> extends ServiceRef<S> {
  readonly many: true;
}

export type Refs = Record<string, ServiceRef<unknown>>;

/** What a user of the refs gets: the service, or for a `many` ref the array of all providers' services. */
export type Services<R extends Refs> = { [K in keyof R]: ServiceOf<R[K]> };
export type ServiceOf<R> = R extends ManyRef<infer S> ? readonly S[] : R extends ServiceRef<infer S> ? S : never;
type Optional<R extends Refs> = {
  [K in keyof R]: R[K] extends ManyRef<infer S> ? readonly S[] : ServiceOf<R[K]> | undefined;
};

/** Standard Schema 1 (https://standardschema.dev): zod, valibot, arktype and others implement it. */
export interface StandardSchema<Output> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };

/** rbac.authorization.k8s.io/v1 PolicyRule. */
export interface PolicyRule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
}

/** What a module may look at to say what is missing. */
export interface CheckTarget<Config> {
  config: Config;
  client: KubeClient;
  /** The watched ones; null: all. */
  namespaces: readonly string[] | null;
}

/** Something on the cluster that keeps a module from working, and how to mend it. */
export interface Finding {
  message: string;
  remedy: string;
}

/** What it rejects with before its answer began is sent as an error, by its code. `caller` has been signed in. */
export type RouteHandler = (request: IncomingMessage, response: ServerResponse, caller: Caller) => void | Promise<void>;

/** Is told what becomes of operations. */
export interface OperationObserver {
  /** A document can not be read or is not valid, so nothing is carried out. */
  refused(error: unknown): void;
  /** One begins; what this gives back is told its result, or of a subscription with what errors it did not open. */
  begin(type: OperationTypeNode): (result: ExecutionResult) => void;
  /** A subscription is open until what this gives back is called. */
  opened(): () => void;
}

/** What a module's `start` gets; its functions may be taken apart from it. */
export interface Host<Config, Needs extends Refs, Uses extends Refs> {
  /** The module's own configuration, validated. */
  readonly config: Config;
  /** The services of `needs`, and those of `uses` that are there. */
  readonly deps: Services<Needs> & Optional<Uses>;
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** A folder for files of the whole server: the data folder. */
  readonly dataDir: string;
  readonly log: Log;
  /** Aborted when the server stops. */
  readonly signal: AbortSignal;
  /** Serves `path` and all below it over HTTP, behind the same Host and Origin checks as GraphQL. */
  readonly route: (path: string, handler: RouteHandler) => void;
  /** Is told of every GraphQL operation, whatever the transport. */
  readonly observe: (observer: OperationObserver) => void;
  /** Adds a graphql-yoga plug-in. It sees every request, so none takes the short way any more: to count, `observe`. */
  readonly plugin: (plugin: Plugin) => void;
  /** Runs at stop, in reverse order of registration. */
  readonly onStop: (stop: () => void | Promise<void>) => void;
  /** `/readyz` names each check that gives a reason: null is ready, a sentence is why not. */
  readonly ready: (check: () => string | null) => void;
}

/** What a resolver gets: one per operation. */
export interface Context {
  readonly request: { readonly id: string; readonly headers: Headers };
  readonly caller: Caller;
  /** The caller's rights, resolved at most once per request. */
  readonly access: Access;
  /** Acts as the caller. */
  readonly kube: KubeClient;
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal;
  /** Calls `end` when the caller goes away, as the signal does: for what is short, and would make a signal just for that. */
  readonly whenGone: When;
  /** The service behind a ref: throws when no enabled module provides it; `[]` for a `many` ref without providers. */
  readonly use: <R extends ServiceRef<unknown>>(ref: R) => ServiceOf<R>;
  /**
   * Ends the caller's connection: a WebSocket with this close code (architecture: 4403 right withdrawn, 4410 too slow),
   * an SSE response, which has no codes, by ending it.
   */
  readonly end: (code: 4403 | 4410, reason: string) => void;
  /** One value per request and `make` function: for DataLoaders. */
  perRequest<T>(make: (context: Context) => T): T;
}

/**
 * A feature as one value. Third parties write the same thing as the built-in modules; nothing built in can do what
 * they can't.
 *
 * @example
 * export default defineModule({
 *   name: '@acme/cost',
 *   needs: { runs: Runs },
 *   schema: (builder) => {
 *     builder.objectField('ServiceRun', 'costPerHour', (t) =>
 *       t.float({ description: 'In euro.', nullable: true, resolve: (run) => run.replicas.ready * 0.04 }),
 *     );
 *   },
 * });
 */
export interface Module<
  Config = unknown,
  Provides extends Refs = Refs,
  Needs extends Refs = Refs,
  Uses extends Refs = Refs,
> {
  /** Kebab-case or npm-scoped; also its key in the configuration. */
  readonly name: string;
  /** One sentence for the module table and `slipway check`. */
  readonly description?: string;
  /** Record of refs; `start` returns the same keys (for a `many` ref: an array). */
  readonly provides?: Provides;
  /** Started first; missing ones are a boot error. */
  readonly needs?: Needs;
  /** Optional needs: started first if some enabled module provides them. A module's own `many` services are left out. */
  readonly uses?: Uses;
  readonly config?: StandardSchema<Config>;
  /** What our own identity needs in the cluster; rendered into the chart. */
  readonly rbac?: readonly PolicyRule[] | ((config: Config) => readonly PolicyRule[]);
  /**
   * What callers need for what they ask of this module. Our own identity needs it only where it acts for them: without
   * impersonation (authorizer `roles`), or for the local user.
   */
  readonly callerRbac?: readonly PolicyRule[] | ((config: Config) => readonly PolicyRule[]);
  /** What else must be true of the cluster; `slipway check` asks with our own identity. Rejects only with an ApiError. */
  readonly check?: (target: CheckTarget<Config>) => Promise<readonly Finding[]>;
  /** Kinds read from the shared cache: one watch per kind, whoever asks. */
  readonly watches?: readonly Watch[] | ((config: Config) => readonly Watch[]);
  /** Pure: no I/O, no services; may run many times in a process. */
  readonly schema?: (builder: Builder) => void;
  readonly start?: (
    host: Host<Config, Needs, Uses>,
  ) => Services<Provides> | Promise<Services<Provides>> | (keyof Provides extends never ? void | Promise<void> : never);
}

/** A module whose type parameters no longer matter: what lists of modules hold. */
// oxlint-disable-next-line typescript/no-explicit-any -- the parameters are contravariant: nothing narrower accepts every module
export type AnyModule = Module<any, any, any, any>;

/** Declares a service by its id. The value and the service's interface share one PascalCase name. */
export function serviceRef<S>(id: string): ServiceRef<S> {
  return { id };
}

/** Declares a service with any number of providers. */
export function manyRef<S>(id: string): ManyRef<S> {
  return { id, many: true };
}

// biome-ignore lint: {} is the empty record of refs
type None = {};

/** Makes a module: infers its types and marks it with the contract's version. */
export function defineModule<
  Config = undefined,
  Provides extends Refs = None,
  Needs extends Refs = None,
  Uses extends Refs = None,
>(module: Module<Config, Provides, Needs, Uses>): Module<Config, Provides, Needs, Uses> {
  return Object.assign(module, { [brand]: contractVersion });
}

/** The contract version a value was made for; undefined when it is no module. */
export function moduleVersion(value: unknown): number | undefined {
  return typeof value === 'object' && value !== null ? (value as { [brand]?: number })[brand] : undefined;
}

/** A `Watch` with its object type kept for `wants`. */
export function watch<T extends KubeObject>(watch: Watch<T>): Watch {
  return watch as unknown as Watch;
}
