import { type Socket, connect, isIP } from 'node:net';
import type { buildConnector } from 'undici';
import type { Clock } from '../../clock.ts';
import { sameAddress } from './addresses.ts';
import { AnswerStream } from './answer-stream.ts';
import { CallFailure } from './failure.ts';

export interface Dial {
  address: string;
  port: number;
  /** Of the request that will be sent. */
  method: string;
  connectTimeoutMs: number;
  clock: Clock;
  signal: AbortSignal;
  /** Asked once the connection is up and before anything is sent; false: the target is no longer the same. */
  confirm?: (() => boolean) | undefined;
  connected(): void;
}

/**
 * Connects to one address, once. undici asks it whatever host the request names, so no name is ever looked up, no
 * proxy is used, and a lost connection is not opened again: one call is one connection.
 */
export function pinnedConnector(dial: Dial): buildConnector.connector {
  let used = false;
  return (_options, callback) => {
    if (used || isIP(dial.address) === 0 || dial.signal.aborted) {
      callback(new CallFailure('PROTOCOL_ERROR', 'The service closed the connection without an answer.'), null);
      return;
    }
    used = true;
    void pass(dial, callback);
  };
}

async function pass(dial: Dial, callback: buildConnector.Callback): Promise<void> {
  let socket: Socket;
  try {
    socket = await open(dial);
  } catch (error) {
    callback(error as Error, null);
    return;
  }
  // undici uses a socket as a duplex stream and nothing more.
  callback(null, new AnswerStream(socket, dial.method) as unknown as Socket);
}

async function open(dial: Dial): Promise<Socket> {
  const socket = connect({ host: dial.address, port: dial.port, noDelay: true });
  try {
    await connected(socket, dial);
    if (!socket.remoteAddress || !sameAddress(socket.remoteAddress, dial.address) || dial.confirm?.() === false) {
      throw new CallFailure('UNREACHABLE', 'The service changed its address during the call. Try again.');
    }
    dial.connected();
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function connected(socket: Socket, { clock, connectTimeoutMs, signal }: Dial): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error) => {
      cancel();
      signal.removeEventListener('abort', onAbort);
      socket.off('connect', onConnect).off('error', onError);
      // undici listens once it has the socket; until then a late error must not be unhandled.
      socket.on('error', () => {});
      if (error) reject(error);
      else resolve();
    };
    const onConnect = () => finish();
    const onAbort = () => finish(new CallFailure('CANCELLED', 'The call was cancelled.'));
    const onError = () => finish(new CallFailure('UNREACHABLE', 'The service refused the connection.'));
    const cancel = clock.after(connectTimeoutMs, () =>
      finish(new CallFailure('UNREACHABLE', `The service took no connection within ${connectTimeoutMs} ms.`)),
    );
    socket.once('connect', onConnect).once('error', onError);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
