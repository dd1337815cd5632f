import { type AddressInfo, createServer } from 'node:net';
import type { KubeObject } from '../../resources.ts';

/**
 * On Pods and Services whose ports could not be had as they are: JSON from the declared port to the one really listened
 * on, such as `{"80":40123}`. Happens where the system has no loopback aliases, and for ports below 1024 without rights.
 */
export const portsAnnotation = 'slipway.dev/ports';

/** The declared ports that are served on another number. */
export function portMap(object: KubeObject): Record<string, number> {
  const text = object.metadata.annotations?.[portsAnnotation];
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return {};
    return Object.fromEntries(Object.entries(value).filter(([, port]) => Number.isInteger(port)));
  } catch {
    // Somebody else's text: as if it were not there.
    return {};
  }
}

/** Where a declared port of an embedded Pod or Service is really listened on. */
export function mappedPort(object: KubeObject, port: number): number {
  return portMap(object)[String(port)] ?? port;
}

/** Listens for a moment, and tells the port; rejects with the system's error. */
export function probeListen(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => {
      const bound = (server.address() as AddressInfo).port;
      server.close(() => resolve(bound));
    });
  });
}

/** True if this user may listen on the port number at all. */
export async function mayListen(host: string, port: number): Promise<boolean> {
  try {
    await probeListen(host, port);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EACCES';
  }
}

/** Where nothing says on which address: the one that every system has. */
const loopback = '127.0.0.1';

/**
 * For ports that can't be had as they are declared, free ones to listen on instead: all of them where the system has no
 * loopback aliases, else those that this user may not listen on.
 */
export async function freePorts(
  declared: readonly number[],
  { aliases }: { aliases: boolean },
): Promise<Record<string, number>> {
  const moved: Record<string, number> = {};
  for (const port of new Set(declared)) {
    if (aliases && (port >= 1024 || (await mayListen(loopback, port)))) continue;
    moved[String(port)] = await probeListen(loopback, 0);
  }
  return moved;
}
