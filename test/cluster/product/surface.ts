import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { Auth } from '../../../src/auth.ts';
import { fullAccess, localCaller } from '../../../src/caller.ts';
import { type Clock, systemClock } from '../../../src/clock.ts';
import { connect } from '../../../src/k8s/connect.ts';
import { type AnyModule, defineModule } from '../../../src/module.ts';
import { builtinModules } from '../../../src/modules/index.ts';
import { Gateways, type GatewayView } from '../../../src/modules/gateways/service.ts';
import { Runs, type RunView } from '../../../src/modules/runs/service.ts';
import { createServer } from '../../../src/server.ts';
import type { GraphQLAnswer } from '../../../src/testing.ts';
import { waitFor } from '../../modules/gateways/surface.ts';
import { log } from './clusters.ts';

export interface ProductOptions {
  kubeconfig: string;
  /** The namespaces to watch. @default all */
  namespaces?: readonly string[];
  /** One value for each module, by its name. */
  config?: Record<string, unknown>;
  /** In place of somebody who may do everything, with the server's own identity. */
  auth?: AnyModule;
  clock?: Clock;
}

/** Somebody who is signed in and may do everything. */
const somebody = defineModule({
  name: 'auth',
  provides: { auth: Auth },
  start: () => ({
    auth: {
      authenticate: () => Promise.resolve({ ...localCaller, local: false, ownIdentity: true, name: 'test:somebody' }),
      access: () => fullAccess,
    },
  }),
});

const replaced = ['auth', 'metrics'];

/** The whole product, connected by a kubeconfig, reached as a client would. */
export async function startProduct({ kubeconfig, namespaces, config = {}, auth = somebody, clock }: ProductOptions) {
  const probe: { runs?: Runs; gateways?: Gateways } = {};
  const spy = defineModule({
    name: 'spy',
    needs: { runs: Runs, gateways: Gateways },
    start: ({ deps }) => void Object.assign(probe, deps),
  });
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-product-'));
  const time = clock ?? systemClock;
  const server = await createServer({
    modules: [auth, spy, ...builtinModules.filter(({ name }) => !replaced.includes(name))],
    config,
    cluster: await connect({ mode: 'KUBECONFIG', kubeconfig, clock: time, log, ...(namespaces && { namespaces }) }),
    ...{ port: 0, dataDir, log, clock: time },
  });
  await server.synced();
  const { runs, gateways } = probe;
  if (!runs || !gateways) throw new Error('the modules did not start');
  const clients: { dispose(): void | Promise<void> }[] = [];
  const query = async <Data = Record<string, unknown>>(
    document: string,
    variables?: object,
    token?: string,
  ): Promise<GraphQLAnswer<Data>> => {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ query: document, variables }),
    });
    return (await response.json()) as GraphQLAnswer<Data>;
  };
  return {
    server,
    url: server.url,
    cluster: server.cluster,
    runs,
    query,
    async data<Data = Record<string, unknown>>(document: string, variables?: object, token?: string): Promise<Data> {
      const answer = await query<Data>(document, variables, token);
      if (answer.errors || !answer.data) throw new Error(JSON.stringify(answer.errors ?? answer));
      return answer.data;
    },
    /** Over WebSocket. */
    subscribe<Data>(document: string, variables: object = {}): AsyncIterableIterator<GraphQLAnswer<Data>> {
      const client = createClient({
        url: `${server.url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        retryAttempts: 0,
      });
      clients.push(client);
      return client.iterate({ query: document, variables: { ...variables } }) as AsyncIterableIterator<
        GraphQLAnswer<Data>
      >;
    },
    /** Resolves when the run with this name is as wanted. */
    until: (namespace: string, name: string, wanted: (run: RunView) => boolean): Promise<RunView> =>
      waitFor(runs, () =>
        [...runs.all()].find((run) => run.namespace === namespace && run.name === name && wanted(run)),
      ),
    untilGateway: (namespace: string, name: string, wanted: (gateway: GatewayView) => boolean): Promise<GatewayView> =>
      waitFor(gateways, () =>
        [...gateways.all()].find((view) => view.namespace === namespace && view.name === name && wanted(view)),
      ),
    async stop() {
      for (const client of clients) await client.dispose();
      await server.stop();
      await rm(dataDir, { recursive: true });
    },
  };
}

export type Product = Awaited<ReturnType<typeof startProduct>>;

/** The next event that says something of a run: a busy cluster may be stale for a moment at any time. */
export async function nextOfRuns<Event extends { type: string }>(
  stream: AsyncIterator<GraphQLAnswer<{ serviceHealthChanged: Event }>>,
): Promise<Event> {
  for (;;) {
    const { serviceHealthChanged: event } = await nextOf(stream);
    if (!['STALE', 'FRESH'].includes(event.type)) return event;
  }
}

/** The data of the next answer; an error of the operation is thrown. */
export async function nextOf<Data>(stream: AsyncIterator<GraphQLAnswer<Data>>): Promise<Data> {
  const { value } = (await stream.next()) as IteratorResult<GraphQLAnswer<Data>, undefined>;
  if (!value?.data) throw new Error(JSON.stringify(value?.errors ?? 'the stream has ended'));
  return value.data;
}
