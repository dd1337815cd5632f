import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { Auth } from '../../../src/auth.ts';
import { type Scope, everything, localCaller } from '../../../src/caller.ts';
import type { Cluster, Freshness } from '../../../src/k8s/cluster.ts';
import { createLog } from '../../../src/log.ts';
import { type AnyModule, defineModule } from '../../../src/module.ts';
import { health } from '../../../src/modules/health/index.ts';
import { Health } from '../../../src/modules/health/service.ts';
import { createMatcher } from '../../../src/modules/runs/filter.ts';
import { runs } from '../../../src/modules/runs/index.ts';
import { Runs } from '../../../src/modules/runs/service.ts';
import { createServer } from '../../../src/server.ts';
import { manualClock } from '../../schema/stream/world.ts';
import { createFakeRuns } from './world.ts';

export interface Event {
  type: string;
  cursor: string;
  id: string | null;
  previous: string | null;
  coalesced: number;
  at: string;
  serviceRun: { name: string; status: { health: string; message: string | null; transitions?: unknown } } | null;
}
export interface Answer {
  data?: { serviceHealthChanged: Event } | null;
  errors?: { message: string; extensions: Record<string, unknown> }[];
}

export const subscription = `subscription ($filter: ServiceRunFilter, $after: String) {
  serviceHealthChanged(filter: $filter, after: $after) {
    type cursor id previous coalesced at serviceRun { name status { health message } }
  }
}`;

/** A real server over HTTP and WebSocket, with the health module and runs that tests put and remove by hand. */
export async function startSurface({ modules = [] }: { modules?: readonly AnyModule[] } = {}) {
  const time = manualClock();
  const fake = createFakeRuns();
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-health-'));
  const turns = new Set<(state: Freshness) => void>();
  const rights = { scope: everything };
  const freshness = {
    state: 'FRESH' as Freshness,
    staleSince: null,
    watches: () => [],
    subscribe: (listener: (state: Freshness) => void) => {
      turns.add(listener);
      return () => turns.delete(listener);
    },
  };
  const cluster = {
    mode: 'EMBEDDED',
    freshness,
    as: () => ({}),
    synced: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  } as unknown as Cluster;
  const fakeRuns = defineModule({
    name: 'runs',
    provides: { runs: Runs },
    ...(runs.schema && { schema: runs.schema }),
    start: () => ({
      runs: { ...fake.runs, matcher: (filter, field = 'filter') => createMatcher(filter, field) } as Runs,
    }),
  });
  const auth = defineModule({
    name: 'auth',
    provides: { auth: Auth },
    start: () => ({
      auth: {
        authenticate: (_, params) =>
          Promise.resolve({
            ...localCaller,
            local: false,
            name: (params?.['name'] as string | undefined) ?? 'somebody',
          }),
        access: () => {
          const scope: Scope = rights.scope;
          return { scope: () => Promise.resolve(scope), allows: (_, place) => Promise.resolve(scope.includes(place)) };
        },
      },
    }),
  });
  const server = await createServer({
    modules: [auth, fakeRuns, health, ...modules],
    config: {},
    cluster: { open: () => Promise.resolve(cluster) },
    port: 0,
    dataDir,
    log: createLog('silent'),
    clock: time.clock,
  });
  const clients: Client[] = [];
  return {
    ...fake,
    time,
    rights,
    url: server.url,
    stream: server.modules.use(Health).changes,
    turn: (state: Freshness): void => {
      freshness.state = state;
      for (const listener of turns) listener(state);
    },
    /** A subscription over WebSocket; `closed` gets the close code. */
    overWebSocket: (
      variables: Record<string, unknown> = {},
      closed?: (code: number) => void,
      { query = subscription, name = 'somebody' } = {},
    ) => {
      const client = createClient({
        url: `${server.url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        retryAttempts: 0,
        connectionParams: { name },
        on: { closed: (event) => closed?.((event as { code: number }).code) },
      });
      clients.push(client);
      return client.iterate({ query, variables }) as AsyncIterableIterator<Answer>;
    },
    overSse: (variables: Record<string, unknown> = {}, query = subscription) =>
      sse(`${server.url}/graphql`, { query, variables }),
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) await client.dispose();
      await server.stop();
      await rm(dataDir, { recursive: true });
    },
  };
}

async function* sse(url: string, body: Record<string, unknown>): AsyncIterableIterator<Answer> {
  const aborter = new AbortController();
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify(body),
    signal: aborter.signal,
  });
  try {
    let text = '';
    for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const data = /^data: ?(.+)$/m.exec(block)?.[1];
        if (data) yield JSON.parse(data) as Answer;
      }
    }
  } finally {
    aborter.abort();
  }
}

/** The next event; an error of the operation is thrown. */
export async function nextEvent(events: AsyncIterator<Answer>): Promise<Event> {
  const { value } = (await events.next()) as IteratorResult<Answer, undefined>;
  if (!value?.data) throw new Error(JSON.stringify(value?.errors ?? 'the stream has ended'));
  return value.data.serviceHealthChanged;
}

/** `CHANGED a PROGRESSING HEALTHY` */
export async function nextShort(events: AsyncIterator<Answer>): Promise<string> {
  const { type, serviceRun, id, previous } = await nextEvent(events);
  return [type, serviceRun?.name ?? id, previous, serviceRun?.status.health].filter(Boolean).join(' ');
}
