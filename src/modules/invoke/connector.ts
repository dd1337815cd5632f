import { Socket, isIP } from 'node:net';
import { type SecureContext, connect } from 'node:tls';
import type { Clock } from '../../clock.ts';
import { sameAddress } from './addresses.ts';
import { CallFailure } from './failure.ts';

/** The call that a connection is opened for. */
export interface Dial {
  connectTimeoutMs: number;
  clock: Clock;
  /** Asked once the connection is up and before anything is sent; false: the target is no longer the same. */
  confirm: () => boolean;
  connected(): void;
  /** Registers what ends the attempt when the call ends; returns the function that unregisters it. */
  onEnd: (end: () => void) => () => void;
}

/** Where a connection leads. */
export interface Place {
  address: string;
  port: number;
  /** How it is encrypted; null: not at all. */
  tls: ServiceTls | null;
}

export interface ServiceTls {
  /** For which the certificate has to be. */
  name: string;
  /** With the authorities that are trusted. */
  context: SecureContext;
}

/** Takes what arrives and keeps none of it; false: read no more for now. */
export type Take = (bytes: Buffer) => boolean;

/**
 * Every plain connection reads into it: what is in it has been taken before the next one reads.
 */
const readBuffer = Buffer.allocUnsafeSlow(65_536);

/**
 * Connects to one address, whatever host the request names: so no name is ever looked up and no proxy is used. Rejects with
 * a CallFailure.
 */
export async function connectPinned({ address, port, tls }: Place, dial: Dial, take: Take): Promise<Socket> {
  if (isIP(address) === 0) throw new CallFailure('UNREACHABLE', 'The service has no address.');
  const { clock, connectTimeoutMs } = dial;
  const deadline = clock.now() + connectTimeoutMs;
  const socket = tls ? new Socket() : createReading(take);
  socket.setNoDelay(true).connect({ host: address, port });
  try {
    await ready(socket, 'connect', dial, connectTimeoutMs);
    if (!socket.remoteAddress || !sameAddress(socket.remoteAddress, address) || !dial.confirm()) {
      throw new CallFailure('UNREACHABLE', 'The service changed its address during the call. Try again.');
    }
    const left = Math.max(1, deadline - clock.now());
    const opened = tls ? await encrypted(socket, tls, dial, left) : socket;
    if (tls) readInto(opened, take);
    dial.connected();
    return opened;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function createReading(take: Take): Socket {
  const callback = (bytes: number) => take(readBuffer.subarray(0, bytes));
  return new Socket({ onread: { buffer: readBuffer, callback } });
}

/** For a socket that was made without. */
export function readInto(socket: Socket, take: Take): void {
  socket.on('data', (bytes: Buffer) => {
    if (!take(bytes)) socket.pause();
  });
}

async function encrypted(plain: Socket, { name, context }: ServiceTls, dial: Dial, timeoutMs: number): Promise<Socket> {
  const socket = connect({
    socket: plain,
    servername: name,
    secureContext: context,
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
  });
  await ready(socket, 'secureConnect', dial, timeoutMs);
  return socket;
}

function ready(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  { clock, connectTimeoutMs, onEnd }: Dial,
  timeoutMs: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error) => {
      cancel();
      forget();
      socket.off(event, onReady).off('error', onError);
      // Until the connection listens, a late error must not be unhandled.
      socket.on('error', () => {});
      if (error) reject(error);
      else resolve();
    };
    const onReady = () => finish();
    const onError = (error: Error) => finish(new CallFailure('UNREACHABLE', problemOf(event, error)));
    const cancel = clock.after(timeoutMs, () =>
      finish(new CallFailure('UNREACHABLE', `The service took no connection within ${connectTimeoutMs} ms.`)),
    );
    const forget = onEnd(() => finish(new CallFailure('CANCELLED', 'The call was cancelled.')));
    socket.once(event, onReady).once('error', onError);
  });
}

const notEncrypted =
  'The port is one of https, but no encrypted connection came about. If the service speaks http, name its port so.';

function problemOf(event: 'connect' | 'secureConnect', error: Error): string {
  if (event === 'connect') return 'The service refused the connection.';
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string' || !isCertificateProblem(code)) return notEncrypted;
  return 'The certificate of the service is not one that is trusted here for its name.';
}

/** The codes are those of OpenSSL's X509_V_ERR, and Node's for a certificate of another name. */
function isCertificateProblem(code: string): boolean {
  return code === 'ERR_TLS_CERT_ALTNAME_INVALID' || !/^(E[A-Z]+|ERR_.*)$/.test(code);
}
