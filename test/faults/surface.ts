import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { Auth } from '../../src/auth.ts';
import { fullAccess, localCaller } from '../../src/caller.ts';
import { connect } from '../../src/k8s/connect.ts';
import { createLog } from '../../src/log.ts';
import { defineModule } from '../../src/module.ts';
import { health } from '../../src/modules/health/index.ts';
import { runs } from '../../src/modules/runs/index.ts';
import { createServer } from '../../src/server.ts';
import { type FakeApi, startFakeApi } from './api-server/server.ts';
import { createTestClock } from './test-clock.ts';
import { createFlow, writeKubeconfig } from './watching.ts';

/** Somebody who is signed in and may do everything. */
const auth = defineModule({
  name: 'auth',
  provides: { auth: Auth },
  start: () => ({
    auth: {
      authenticate: () => Promise.resolve({ ...localCaller, local: false, name: 'test:somebody' }),
      access: () => fullAccess,
    },
  }),
});

/** A whole server that reaches the scripted API server by a kubeconfig, with a clock moved by hand. */
export async function startServerOnFakeApi(prepare: (api: FakeApi) => void = () => {}) {
  const clock = createTestClock();
  const api = await startFakeApi({ clock });
  prepare(api);
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-faults-'));
  const kubeconfig = join(dataDir, 'kubeconfig');
  await writeKubeconfig(api.url, { path: kubeconfig, user: { token: 'secret' } });
  const log = createLog('silent');
  const server = await createServer({
    modules: [auth, runs, health],
    config: {},
    cluster: await connect({ mode: 'KUBECONFIG', kubeconfig, clock, log, random: () => 0 }),
    ...{ port: 0, dataDir, log, clock },
  });
  const flow = createFlow(clock);
  const clients: { dispose(): void | Promise<void> }[] = [];
  return {
    api,
    clock,
    cluster: server.cluster,
    flow,
    /** Lets time pass until a promise is settled. */
    async resolved<T>(promise: Promise<T>, withinMs: number): Promise<T> {
      let settled = false;
      const settle = () => {
        settled = true;
      };
      promise.then(settle, settle);
      await flow(() => settled, withinMs);
      return promise;
    },
    async data<Data>(query: string): Promise<Data> {
      const response = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
      const answer = (await response.json()) as { data: Data; errors?: unknown };
      if (answer.errors) throw new Error(JSON.stringify(answer.errors));
      return answer.data;
    },
    probe: async (path: '/livez' | '/readyz'): Promise<{ status: number; body: { reasons?: string[] } }> => {
      const response = await fetch(server.url + path);
      return { status: response.status, body: (await response.json()) as { reasons?: string[] } };
    },
    subscribe(query: string): AsyncIterableIterator<{ data?: unknown }> {
      const url = `${server.url.replace('http', 'ws')}/graphql`;
      const client = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0 });
      clients.push(client);
      return client.iterate({ query });
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client.dispose();
      await server.stop();
      await api.stop();
      await rm(dataDir, { recursive: true });
    },
  };
}

export type ServerOnFakeApi = Awaited<ReturnType<typeof startServerOnFakeApi>>;
