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

/** One WebSocket with one subscription, as thin as can be, so that many fit into one process. */
export interface Subscriber {
  readonly socket: WebSocket;
  /** Resolves at SYNCED. */
  readonly synced: Promise<void>;
  readonly closed: Promise<number>;
}

export function subscribe(
  url: string,
  tell: (event: HealthEvent) => void,
  after: string | null = null,
  query = subscription,
): Subscriber {
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
}

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
