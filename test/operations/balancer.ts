import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';

/** A balancer of TCP connections, as a Service is one: it knows nothing of HTTP, and what it knows of its targets is late. */
export interface Balancer {
  readonly url: string;
  add(target: string): void;
  /** New connections go elsewhere; open ones stay. */
  remove(target: string): void;
  /** Resolves when `count` more connections have gone to this target. */
  connections(target: string, count: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startBalancer(): Promise<Balancer> {
  const targets: string[] = [];
  const sockets = new Set<Socket>();
  const waiting = new Set<{ target: string; left: number; resolve: () => void }>();
  let turn = 0;

  const count = (target: string): void => {
    for (const one of waiting) {
      if (one.target !== target || --one.left > 0) continue;
      waiting.delete(one);
      one.resolve();
    }
  };
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  };

  const server = createServer((client) => {
    const target = targets[turn++ % targets.length];
    if (target === undefined) return void client.destroy();
    const { hostname, port } = new URL(target);
    const upstream = connect(Number(port), hostname, () => count(target));
    keep(client);
    keep(upstream);
    client.pipe(upstream).pipe(client);
    // A client learns of a refused connection as one of a Service does: its own is reset.
    upstream.on('error', () => client.resetAndDestroy());
    client.on('error', () => upstream.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    add: (target) => void targets.push(target),
    remove: (target) => void targets.splice(targets.indexOf(target), 1),
    connections: (target, left) => new Promise((resolve) => waiting.add({ target, left, resolve })),
    async stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
