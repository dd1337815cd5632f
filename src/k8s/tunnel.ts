import { type Socket, isIP } from 'node:net';
import { createSecureContext, getCACertificates } from 'node:tls';
import { Client, Socks5ProxyAgent, buildConnector } from 'undici';
import { ApiError } from './api-error.ts';
import { type Proxy, proxyAuthorization } from './proxy.ts';

export interface TunnelOptions {
  proxy: Proxy;
  /** Opens TLS to the server, inside the tunnel. */
  connect: buildConnector.connector;
  /** The server's authorities, which kubectl trusts with the proxy, too; absent: the system's alone. */
  ca: string | undefined;
  timeoutMs: number;
}

/** Opens connections through a proxy: of a server without TLS those to the proxy itself, else a tunnel to the server. */
export function createTunnelConnector(options: TunnelOptions): buildConnector.connector {
  const { proxy, connect } = options;
  const dial = dialer(options);
  const open: (...parameters: Parameters<buildConnector.connector>) => Promise<void> = async (target, callback) => {
    let socket: Socket;
    try {
      if (proxy.protocol === 'socks5:') socket = await throughSocks(options, dial, target);
      else socket = await (target.protocol === 'https:' ? throughHttp(options, dial, target) : dialed(dial, target));
    } catch (error) {
      return callback(proxyError(error), null);
    }
    if (target.protocol !== 'https:') return callback(null, socket);
    connect({ ...target, httpSocket: socket }, callback);
  };
  return (target, callback) => void open(target, callback);
}

/** Connects to the proxy, whatever it is asked for. */
function dialer({ proxy, ca, timeoutMs }: TunnelOptions): buildConnector.connector {
  const { hostname, port, protocol } = proxy;
  const secure = protocol === 'https:';
  const connect = buildConnector({
    ...(secure && ca && { secureContext: createSecureContext({ ca: [...getCACertificates(), ca] }) }),
    ...{ allowH2: false, timeout: timeoutMs, keepAlive: true, keepAliveInitialDelay: 5_000 },
  });
  const address = {
    ...{ hostname, host: hostname, port: String(port), protocol: secure ? 'https:' : 'http:' },
    ...(secure && isIP(hostname) === 0 && { servername: hostname }),
  };
  return (_target, callback) => connect(address, callback);
}

function dialed(dial: buildConnector.connector, target: buildConnector.Options): Promise<Socket> {
  return new Promise((resolve, reject) =>
    dial(target, (...[error, socket]) => (error ? reject(error) : resolve(socket))),
  );
}

async function throughHttp(
  { proxy, timeoutMs }: TunnelOptions,
  dial: buildConnector.connector,
  { host = '', port }: buildConnector.Options,
): Promise<Socket> {
  const authority = port ? host : `${host}:443`;
  const authorization = proxyAuthorization(proxy);
  const client = new Client('http://proxy', { connect: dial });
  try {
    const { statusCode, socket } = await client.connect({
      path: authority,
      headers: {
        host: authority,
        'user-agent': 'slipway',
        ...(authorization && { 'proxy-authorization': authorization }),
      },
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (statusCode === 200) return socket as Socket;
    socket.on('error', () => {}).destroy();
    throw proxyRefusal(statusCode);
  } finally {
    // The tunnel is no longer its own.
    void client.destroy();
  }
}

async function throughSocks(
  { proxy, timeoutMs }: TunnelOptions,
  dial: buildConnector.connector,
  { hostname, port, protocol }: buildConnector.Options,
): Promise<Socket> {
  const agent = new Socks5ProxyAgent(proxy.url, { connect: dial, connectTimeout: timeoutMs, ...proxy.credentials });
  const opener = agent as unknown as SocksOpener;
  return opener.createSocks5Connection(hostname, Number(port) || (protocol === 'https:' ? 443 : 80));
}

/** What undici's agent has besides its types: it opens the connections that its own requests go over. */
interface SocksOpener {
  createSocks5Connection(host: string, port: number): Promise<Socket>;
}

const timeouts = new Set(['UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT']);

/** What keeps a connection from coming about before the server is spoken to; without addresses. */
function proxyError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const { code, name } = Object(error) as { code?: unknown; name?: unknown };
  if (name === 'TimeoutError' || timeouts.has(String(code))) {
    return new ApiError(0, 'NoAnswerInTime', 'the proxy on the way did not answer in time', { cause: error });
  }
  const socks = String(code).startsWith('UND_ERR_SOCKS5_');
  const what = socks ? 'refused the connection' : 'can not be reached, or it ended the connection';
  const detail = typeof code === 'string' ? ` (${code})` : '';
  return new ApiError(0, 'Unreachable', `the proxy on the way ${what}${detail}`, { cause: error });
}

/** The proxy's answer is no tunnel. */
export function proxyRefusal(statusCode: number): ApiError {
  const what = statusCode === 407 ? 'wants other credentials' : 'does not connect to the server';
  return new ApiError(0, 'Unreachable', `the proxy on the way ${what} (${statusCode})`);
}
