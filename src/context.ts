import { randomUUID } from 'node:crypto';
import { Auth } from './auth.ts';
import { type Caller, fullAccess, localCaller } from './caller.ts';
import type { Clock } from './clock.ts';
import type { Cluster } from './k8s/cluster.ts';
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
  headers: Headers;
  caller: Caller;
  signal: AbortSignal;
  end: Context['end'];
}

/** Who sent this: by the auth module, or without one the single local user. */
export function authenticate(
  source: ContextSource,
  headers: Headers,
  connectionParams?: Readonly<Record<string, unknown>>,
): Promise<Caller> {
  const auth = source.modules.find(Auth);
  return auth ? auth.authenticate(headers, connectionParams) : Promise.resolve(localCaller);
}

/** The context of one operation. */
export function createContext(source: ContextSource, { headers, caller, signal, end }: RequestParts): Context {
  const id = randomUUID();
  const made = new Map<unknown, unknown>();
  const context: Context = {
    request: { id, headers },
    caller,
    access: source.modules.find(Auth)?.access(caller) ?? fullAccess,
    kube: source.cluster.as(caller),
    cluster: source.cluster,
    clock: source.clock,
    log: source.log.child({ request: id, caller: caller.name }),
    signal,
    end,
    use: source.modules.use,
    perRequest(make) {
      if (!made.has(make)) made.set(make, make(context));
      return made.get(make) as ReturnType<typeof make>;
    },
  };
  return context;
}
