import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

interface Answer<Data> {
  data?: Data | null;
  errors?: { message: string; extensions?: Record<string, unknown> }[];
}

export interface HealthEvent {
  type: string;
  previous: string | null;
  serviceRun: { id: string; name: string; status: { health: string; message: string | null } } | null;
}

const healthStream = `subscription { serviceHealthChanged {
  type previous serviceRun { id name status { health message } }
} }`;
interface HealthData {
  serviceHealthChanged: HealthEvent;
}

/** What a program of a user would do with the server at `/graphql`. */
export function createApiClient(endpoint: string) {
  return {
    async data<Data>(query: string, variables?: Record<string, unknown>): Promise<Data> {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify({ query, variables }),
      });
      const answer = (await response.json()) as Answer<Data>;
      if (answer.errors || !answer.data) throw new Error(JSON.stringify(answer.errors ?? answer));
      return answer.data;
    },
    async *healthOverWebSocket(): AsyncGenerator<HealthEvent> {
      const client = createClient({ url: endpoint.replace('http', 'ws'), webSocketImpl: WebSocket, retryAttempts: 0 });
      try {
        for await (const { data } of client.iterate<HealthData>({ query: healthStream })) {
          if (data) yield data.serviceHealthChanged;
        }
      } finally {
        await client.dispose();
      }
    },
    async *healthOverSse(): AsyncGenerator<HealthEvent> {
      const abort = new AbortController();
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
        body: JSON.stringify({ query: healthStream }),
        signal: abort.signal,
      });
      try {
        let text = '';
        for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
          const blocks = (text + chunk).split('\n\n');
          text = blocks.pop() ?? '';
          for (const block of blocks) {
            const json = /^data: ?(\{.+)$/m.exec(block)?.[1];
            const data = json && (JSON.parse(json) as Answer<HealthData>).data;
            if (data) yield data.serviceHealthChanged;
          }
        }
      } finally {
        abort.abort();
      }
    },
  };
}
export type ApiClient = ReturnType<typeof createApiClient>;

/** What a stream tells of one run's health. `synced` resolves when it has told what there was before. */
export function followHealth(stream: AsyncGenerator<HealthEvent>, name: string) {
  const synced = Promise.withResolvers<void>();
  return {
    synced: synced.promise,
    /** Resolves with all it was, once it is this. */
    async until(health: string): Promise<NonNullable<HealthEvent['serviceRun']>['status'][]> {
      const seen = [];
      for await (const { type, serviceRun } of stream) {
        if (type === 'SYNCED') synced.resolve();
        if (serviceRun?.name !== name) continue;
        seen.push(serviceRun.status);
        if (serviceRun.status.health === health) break;
      }
      return seen;
    },
  };
}
