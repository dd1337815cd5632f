import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Auth } from '../../../src/auth.ts';
import { type Access, type Verb, localCaller } from '../../../src/caller.ts';
import { type Clock, systemClock } from '../../../src/clock.ts';
import { connect } from '../../../src/k8s/connect.ts';
import { deployments, pods } from '../../../src/k8s/resources.ts';
import { createLog } from '../../../src/log.ts';
import { runs } from '../../../src/modules/runs/index.ts';
import { Runs, type RunView } from '../../../src/modules/runs/service.ts';
import { defineModule } from '../../../src/module.ts';
import { createServer } from '../../../src/server.ts';
import { type GraphQLAnswer, type TestServer, type TestServerOptions, startTestServer } from '../../../src/testing.ts';

export interface RunsServer extends TestServer {
  /** Resolves when the run with this name is as wanted. */
  until(name: string, wanted: (run: RunView) => boolean): Promise<RunView>;
  /** Resolves when no run has this name. */
  untilGone(name: string): Promise<void>;
}

/** A server with the runs module and nothing else, and a way to wait for views. */
export async function startRunsServer(options: Omit<TestServerOptions, 'modules'> = {}): Promise<RunsServer> {
  const probe: { runs?: Runs } = {};
  const spy = defineModule({
    name: 'spy',
    needs: { runs: Runs },
    start: ({ deps }) => {
      probe.runs = deps.runs;
    },
  });
  const server = await startTestServer({ ...options, modules: [runs, spy] });
  const service = probe.runs;
  if (!service) throw new Error('the runs module did not start');
  const named = (name: string) => [...service.all()].find((run) => run.name === name);
  const wait = async <T>(check: () => T | undefined): Promise<T> => {
    const changed = new EventTarget();
    const stop = service.subscribe(() => changed.dispatchEvent(new Event('change')));
    try {
      for (;;) {
        const next = once(changed, 'change', { signal: AbortSignal.timeout(100_000) });
        const found = check();
        if (found !== undefined) {
          next.catch(() => {});
          return found;
        }
        await next;
      }
    } finally {
      stop();
    }
  };
  return Object.assign(server, {
    until: (name: string, wanted: (run: RunView) => boolean) =>
      wait(() => {
        const run = named(name);
        return run && wanted(run) ? run : undefined;
      }),
    untilGone: (name: string) => wait(() => (named(name) ? undefined : true)).then(() => {}),
  });
}

export interface ReplicaOptions {
  /** Who every request comes from. @default the local user, who may do everything */
  as?: { name: string; access: () => Access };
  clock?: Clock;
  /** Of the Kubernetes API. @default the cluster's own */
  url?: string;
}

/** A second server on the same cluster: what a caller asks of it, by GraphQL. */
export async function startReplica(
  { embedded }: TestServer,
  { as, clock = systemClock, url = embedded.url }: ReplicaOptions = {},
) {
  const log = createLog('silent');
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-replica-'));
  const cluster = await connect({
    ...{ mode: 'EMBEDDED', embedded: { ...embedded, url }, namespaces: null, namespace: 'default', clock, log },
  });
  const modules = as ? [signedIn(as), runs] : [runs];
  const replica = await createServer({ modules, config: {}, cluster, port: 0, dataDir, log, clock });
  await replica.synced();
  const stop = async () => {
    await replica.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  return {
    stop,
    [Symbol.asyncDispose]: stop,
    cluster: replica.cluster,
    async query<Data = Record<string, unknown>>(query: string, variables?: object): Promise<GraphQLAnswer<Data>> {
      const response = await fetch(`${replica.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables }),
      });
      return (await response.json()) as GraphQLAnswer<Data>;
    },
  };
}

const signedIn = ({ name, access }: NonNullable<ReplicaOptions['as']>) =>
  defineModule({
    name: 'auth',
    provides: { auth: Auth },
    start: () => ({ auth: { authenticate: () => Promise.resolve({ ...localCaller, name }), access } }),
  });

/** Rights by verb and namespace. */
export function rights(allowed: Partial<Record<Verb, readonly string[]>>): Access {
  const includes = (verb: Verb, namespace: string) => allowed[verb]?.includes(namespace) ?? false;
  return {
    scope: (verb) =>
      Promise.resolve({
        key: `${verb}:${allowed[verb]?.join(',') ?? ''}`,
        includes: ({ namespace }) => includes(verb, namespace),
      }),
    allows: (verb, { namespace }) => Promise.resolve(includes(verb, namespace)),
  };
}

/** `CODE field reason` of each error of an answer. */
export function errorsOf(answer: GraphQLAnswer<unknown>): string[] {
  return (answer.errors ?? []).map(({ extensions }) =>
    [extensions['code'], extensions['field'], extensions['reason']].filter(Boolean).join(' '),
  );
}

/** A local program that answers on HOST and PORT with its arguments and writes a line first. */
export const answering = (...says: string[]) => ({
  command: [
    process.execPath,
    '-e',
    `console.log('hello from ' + process.env.PORT);
     require('node:http').createServer((request, response) => response.end('${says.join(' ')}'))
       .listen(Number(process.env.PORT), process.env.HOST)`,
  ],
});

export { deployments, pods };
