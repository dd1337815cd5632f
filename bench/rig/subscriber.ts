import { Agent, type IncomingMessage, request } from 'node:http';
import { WebSocket } from 'ws';

export interface HealthEvent {
  type: 'ADDED' | 'CHANGED' | 'REMOVED' | 'SYNCED' | 'RESET' | 'STALE' | 'FRESH';
  cursor: string;
  id: string | null;
  coalesced: number;
  serviceRun: { name: string; status: { state: string; health: string; message: string | null } } | null;
}

export const subscription = `subscription ($after: String) { serviceHealthChanged(after: $after) {
  type cursor id coalesced serviceRun { name status { state health message } } } }`;

/** One connection with one subscription, as thin as can be, so that many fit into one process. */
export interface Subscriber {
  readonly socket: Pick<WebSocket, 'pause' | 'resume' | 'terminate'>;
  /** Resolves at SYNCED. */
  readonly synced: Promise<void>;
  /** Gives the close code; SSE has none. */
  readonly closed: Promise<number | null>;
}

export type Subscribe = (
  url: string,
  tell: (event: HealthEvent) => void,
  after?: string | null,
  query?: string,
) => Subscriber;

/** Over WebSocket. */
export const subscribe: Subscribe = (url, tell, after = null, query = subscription) => {
  const socket = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws', { perMessageDeflate: false });
  const synced = Promise.withResolvers<void>();
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined);
  socket.once('open', () => socket.send('{"type":"connection_init"}'));
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as {
      type: string;
      payload?: { data?: { serviceHealthChanged: HealthEvent }; errors?: unknown };
    };
    if (message.type === 'connection_ack') {
      socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query, variables: { after } } }));
    } else if (message.type === 'next' && message.payload?.data) {
      const event = message.payload.data.serviceHealthChanged;
      tell(event);
      if (event.type === 'SYNCED') synced.resolve();
    } else if (message.type === 'error' || message.payload?.errors) synced.reject(new Error(data.toString()));
  });
  closed.then(
    () => synced.reject(new Error('closed before SYNCED')),
    () => undefined,
  );
  synced.promise.catch(() => undefined);
  return { socket, synced: synced.promise, closed };
};

/** Over SSE. */
export const subscribeSse: Subscribe = (url, tell, after = null, query = subscription) => {
  const headers = { 'content-type': 'application/json', accept: 'text/event-stream' };
  const sent = request(url, { method: 'POST', headers, agent: new Agent() });
  sent.end(JSON.stringify({ query, variables: { after } }));
  const synced = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<null>();
  let rest = '';
  const take = (chunk: string): void => {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = block.indexOf('data: ');
      if (data < 0) continue;
      const answer = JSON.parse(block.slice(data + 6)) as { data?: { serviceHealthChanged: HealthEvent } };
      if (!answer.data) return synced.reject(new Error(block));
      tell(answer.data.serviceHealthChanged);
      if (answer.data.serviceHealthChanged.type === 'SYNCED') synced.resolve();
    }
  };
  const over = (): void => {
    closed.resolve(null);
    synced.reject(new Error('closed before SYNCED'));
  };
  synced.promise.catch(() => undefined);
  sent.on('error', over);
  let response: IncomingMessage | null = null;
  sent.once('response', (answer) => {
    response = answer;
    answer.setEncoding('utf8').on('data', take).on('error', over).once('close', over);
  });
  const socket = {
    pause: () => void response?.pause(),
    resume: () => void response?.resume(),
    terminate: () => void sent.destroy(),
  };
  return { socket, synced: synced.promise, closed: closed.promise };
};

/** Opens subscriptions a few at a time. */
export async function subscribeAll(count: number, open: (index: number) => Subscriber): Promise<Subscriber[]> {
  const all: Subscriber[] = [];
  for (let index = 0; index < count; index += 50) {
    const some = Array.from({ length: Math.min(50, count - index) }, (_, offset) => open(index + offset));
    all.push(...some);
    await Promise.all(some.map(({ synced }) => synced));
  }
  return all;
}
