import type { IncomingMessage } from 'node:http';
import { randomUUID } from 'node:crypto';
import { Auth } from './auth.ts';
import { type Access, type Caller, fullAccess, localCaller } from './caller.ts';
import type { Clock } from './clock.ts';
import type { When } from './endings.ts';
import type { Cluster, KubeClient } from './k8s/cluster.ts';
import type { Log } from './log.ts';
import type { Context } from './module.ts';
import type { StartedModules } from './registry.ts';

/** What the server knows for all requests. */
export interface ContextSource {
  modules: StartedModules;
  cluster: Cluster;
  clock: Clock;
  log: Log;
}

export interface RequestParts {
  /** null: over a WebSocket, where the headers were those of its opening. */
  request: IncomingMessage | null;
  caller: Caller;
  signal: () => AbortSignal;
  whenGone: When;
  end: Context['end'];
}

/** Who sent this: by the auth module, or without one the single local user. */
export function authenticate(
  source: ContextSource,
  request: IncomingMessage,
  connectionParams?: Readonly<Record<string, unknown>>,
): Caller | Promise<Caller> {
  const auth = source.modules.find(Auth);
  if (!auth) return localCaller;
  return auth.everybody ?? auth.authenticate(headersOf(request), connectionParams);
}

/** All headers with all their values: Node keeps only the first of two Authorization headers, and two are no sign-in. */
function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
  return headers;
}

/** The context of one operation. */
export function createContext(source: ContextSource, parts: RequestParts): Context {
  return new OperationContext(source, parts);
}

/** Most operations look at few of its parts: each is made when it is asked for. */
class OperationContext implements Context {
  readonly caller: Caller;
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly use: Context['use'];
  readonly whenGone: When;
  readonly end: Context['end'];
  readonly request: Context['request'];
  readonly #source: ContextSource;
  readonly #makeSignal: () => AbortSignal;
  #signal: AbortSignal | undefined;
  #access: Access | undefined;
  #kube: KubeClient | undefined;
  #log: Log | undefined;
  #made: Map<unknown, unknown> | undefined;

  constructor(source: ContextSource, { request, caller, signal, whenGone, end }: RequestParts) {
    this.caller = caller;
    this.cluster = source.cluster;
    this.clock = source.clock;
    this.use = source.modules.use;
    this.whenGone = whenGone;
    this.end = end;
    this.request = new RequestHead(request);
    this.#source = source;
    this.#makeSignal = signal;
  }

  get signal(): AbortSignal {
    return (this.#signal ??= this.#makeSignal());
  }

  get access(): Access {
    return (this.#access ??= this.#source.modules.find(Auth)?.access(this.caller) ?? fullAccess);
  }

  get kube(): KubeClient {
    return (this.#kube ??= this.#source.cluster.as(this.caller));
  }

  get log(): Log {
    return (this.#log ??= this.#source.log.child({ request: this.request.id, caller: this.caller.name }));
  }

  perRequest<T>(make: (context: Context) => T): T {
    this.#made ??= new Map();
    if (!this.#made.has(make)) this.#made.set(make, make(this));
    return this.#made.get(make) as T;
  }
}

class RequestHead {
  readonly #request: IncomingMessage | null;
  #id: string | undefined;
  #headers: Headers | undefined;

  constructor(request: IncomingMessage | null) {
    this.#request = request;
  }

  get id(): string {
    return (this.#id ??= randomUUID());
  }

  get headers(): Headers {
    return (this.#headers ??= this.#request ? headersOf(this.#request) : new Headers());
  }
}

/** All parts of a context as members of its own, for libraries that copy them. */
export function wholeContext(context: Context): Context {
  const { request, caller, access, kube, cluster, clock, log, signal, whenGone, end, use } = context;
  const perRequest = <T>(make: (context: Context) => T) => context.perRequest(make);
  return { request, caller, access, kube, cluster, clock, log, signal, whenGone, end, use, perRequest };
}
