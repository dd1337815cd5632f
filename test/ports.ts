import { once } from 'node:events';
import { type Server, createServer } from 'node:net';

/** Below those that the system gives to whoever asks for any: none of these is taken by chance while nobody has it. */
const [lowest, highest] = [20_000, 32_000];

/** Makes a server listen on a port that it can have again after it was closed, and where nobody else answers meanwhile. */
export async function listenApart(server: Server, host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    try {
      server.listen(port, host);
      await once(server, 'listening');
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

/** The same, or again on the port that it had. */
export async function listenAgain(server: Server, port: number, host?: string): Promise<number> {
  if (port === 0) return listenApart(server, host);
  server.listen(port, host ?? '127.0.0.1');
  await once(server, 'listening');
  return port;
}

/** Ports that are free on every address, for programs that must be told one. They are held until all are known. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(servers.map((server) => listenApart(server, '0.0.0.0')));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
