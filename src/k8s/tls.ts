import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { buildConnector } from 'undici';
import type { Proxy } from './proxy.ts';
import { createTunnelConnector } from './tunnel.ts';

/** All in PEM. */
export interface TlsOptions {
  /** Absent: the system's authorities. */
  ca?: string;
  cert?: string;
  key?: string;
  servername?: string;
}

/** What a new connection is opened with. Asked for each one, since certificates and authorities rotate. */
export type TlsSource = () => Promise<TlsOptions>;

/** PEM text, or the file that has it. */
export type Pem = { readonly text: string } | { readonly path: string };

/** Reads files anew for each connection: who renews a certificate replaces its file. */
export function readTls(pems: Partial<Record<'ca' | 'cert' | 'key', Pem | undefined>>, servername?: string): TlsSource {
  const read = (pem: Pem | undefined) =>
    pem === undefined ? undefined : 'text' in pem ? pem.text : readFile(pem.path, 'utf8');
  return async () => {
    const [ca, cert, key] = await Promise.all([read(pems.ca), read(pems.cert), read(pems.key)]);
    return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }), ...(servername && { servername }) };
  };
}

/**
 * Opens connections for undici, through the proxy if there is one: the server's certificate and ours count end to end.
 * HTTP/1.1 only: each watch has a connection of its own then, and one that has gone silent is given up with its
 * connection instead of taking all others with it.
 */
export function createConnector(
  tls: TlsOptions | TlsSource,
  timeoutMs: number,
  proxy?: Proxy,
): buildConnector.connector {
  const source = typeof tls === 'function' ? tls : () => Promise.resolve(tls);
  let current: { options: TlsOptions; connect: buildConnector.connector } | undefined;

  async function connector(): Promise<buildConnector.connector> {
    const options = await source();
    // Kept while nothing changes: it remembers TLS sessions.
    if (!current || !isDeepStrictEqual(current.options, options)) {
      const direct = buildConnector({
        ...options,
        allowH2: false,
        timeout: timeoutMs,
        keepAlive: true,
        keepAliveInitialDelay: 5_000,
      });
      const { ca } = options;
      const connect = proxy ? createTunnelConnector({ proxy, connect: direct, ca, timeoutMs }) : direct;
      current = { options, connect };
    }
    return current.connect;
  }

  const open: (...parameters: Parameters<buildConnector.connector>) => Promise<void> = async (options, callback) => {
    try {
      const connect = await connector();
      // Throws at once for what is no certificate.
      connect(options, callback);
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)), null);
    }
  };
  return (options, callback) => void open(options, callback);
}
