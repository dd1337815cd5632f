import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BootError } from '../boot-error.ts';

/** Whom to name when listening fails: the module, and the variables that say where. */
export interface ListenSettings {
  module: string;
  host: string;
  port: string;
}

/** Listens and gives the origin: `http://127.0.0.1:4000`. Rejects with a BootError that names the setting. */
export function listen(
  server: Server,
  { host, port }: { host: string; port: number },
  settings: ListenSettings,
): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      const message = taken
        ? `port ${port} on ${host} is taken.`
        : `can't listen on ${host}:${port}: ${error.message}.`;
      const remedy = taken
        ? 'Stop the other program or set another port (0 picks a free one).'
        : `Set ${settings.host} and ${settings.port}.`;
      reject(new BootError([{ module: settings.module, field: settings.port, message, remedy }]));
    });
    server.listen(port, host, () => {
      const address = server.address() as AddressInfo;
      resolve(`http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`);
    });
  });
}
