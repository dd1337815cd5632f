import dns from 'node:dns';
import { type AddressInfo, type Server, Socket, createServer } from 'node:net';

/** Everything this process does on the network while it is open. */
export interface NetworkLog extends Disposable {
  /** `host:port` of every attempt to connect. */
  readonly connections: string[];
  /** Every name that was looked up. */
  readonly lookups: string[];
  clear(): void;
}

interface ConnectOptions {
  host?: string;
  port?: number | string;
  path?: string;
}

/** Listens in on `Socket.connect` and on the resolver: what is not seen here did not happen. */
export function logNetwork(): NetworkLog {
  const connections: string[] = [];
  const lookups: string[] = [];
  // oxlint-disable-next-line typescript/unbound-method -- called with its socket below
  const connect = Socket.prototype.connect;
  // The parameters are those of net.connect once it has put them in order, or those of a direct call.
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    const [first] = Array.isArray(args[0]) ? (args[0] as unknown[]) : args;
    const { host, port, path } = (typeof first === 'object' ? first : { port: first, host: args[1] }) as ConnectOptions;
    connections.push(path ?? `${host}:${port}`);
    return Reflect.apply(connect, this, args) as Socket;
  };
  const restores: (() => void)[] = [
    () => {
      Socket.prototype.connect = connect;
    },
  ];
  for (const target of [dns, dns.promises] as unknown as Record<string, unknown>[]) {
    for (const name of Object.keys(target).filter((each) => /^(lookup|resolve|reverse)/.test(each))) {
      const original = target[name];
      if (typeof original !== 'function') continue;
      target[name] = (...args: unknown[]) => {
        lookups.push(String(args[0]));
        return Reflect.apply(original, target, args) as unknown;
      };
      restores.push(() => {
        target[name] = original;
      });
    }
  }
  return {
    connections,
    lookups,
    clear() {
      connections.length = 0;
      lookups.length = 0;
    },
    [Symbol.dispose]() {
      for (const restore of restores) restore();
    },
  };
}

/** A listener that nobody may ever reach. */
export interface Canary extends AsyncDisposable {
  readonly port: number;
  readonly touched: () => number;
}

/** Resolves with null where the system has no such address. */
export async function startCanary(host: string, port: number): Promise<Canary | null> {
  let touched = 0;
  const server: Server = createServer((socket) => {
    touched += 1;
    // What is never read never ends: the listener could not be closed.
    socket
      .on('error', () => {})
      .resume()
      .end('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\ncanary');
  });
  const listening = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false)).listen(port, host, () => resolve(true));
  });
  if (!listening) return null;
  return {
    port: (server.address() as AddressInfo).port,
    touched: () => touched,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Holds every connection to this address back until the returned function lets it go. */
export function holdConnections(address: string): { attempted: Promise<void>; go(): void } {
  const attempted = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  // oxlint-disable-next-line typescript/unbound-method -- called with its socket below
  const connect = Socket.prototype.connect;
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    const own = JSON.stringify(args).includes(`"${address}"`);
    if (!own) return Reflect.apply(connect, this, args) as Socket;
    Socket.prototype.connect = connect;
    void gate.promise.then(() => Reflect.apply(connect, this, args) as Socket);
    attempted.resolve();
    return this;
  };
  return { attempted: attempted.promise, go: () => gate.resolve() };
}
