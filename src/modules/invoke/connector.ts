import { isIP } from 'node:net';
import type { buildConnector } from 'undici';
import type { Clock } from '../../clock.ts';
import { sameAddress } from './addresses.ts';
import { AnswerSocket } from './answer-socket.ts';
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

/**
 * Connects to one address, whatever host the request names: so no name is ever looked up and no proxy is used. `dial`
 * gives the call that waits for the connection; null: none does, so there is nothing to connect for.
 */
export function pinnedConnector(
  address: string,
  port: number,
  dial: () => Dial | null,
  opened: (socket: AnswerSocket) => void,
): buildConnector.connector {
  return (_options, callback) => {
    const call = dial();
    if (!call || isIP(address) === 0) {
      callback(new CallFailure('PROTOCOL_ERROR', 'The service closed the connection without an answer.'), null);
      return;
    }
    void pass(open(address, port, call), opened, callback);
  };
}

async function pass(
  opening: Promise<AnswerSocket>,
  opened: (socket: AnswerSocket) => void,
  callback: buildConnector.Callback,
): Promise<void> {
  let socket: AnswerSocket;
  try {
    socket = await opening;
  } catch (error) {
    callback(error as Error, null);
    return;
  }
  opened(socket);
  callback(null, socket);
}

async function open(address: string, port: number, dial: Dial): Promise<AnswerSocket> {
  const socket = new AnswerSocket();
  socket.setNoDelay(true).connect({ host: address, port });
  try {
    await connected(socket, dial);
    if (!socket.remoteAddress || !sameAddress(socket.remoteAddress, address) || !dial.confirm()) {
      throw new CallFailure('UNREACHABLE', 'The service changed its address during the call. Try again.');
    }
    dial.connected();
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function connected(socket: AnswerSocket, { clock, connectTimeoutMs, onEnd }: Dial): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error) => {
      cancel();
      forget();
      socket.off('connect', onConnect).off('error', onError);
      // undici listens once it has the socket; until then a late error must not be unhandled.
      socket.on('error', () => {});
      if (error) reject(error);
      else resolve();
    };
    const onConnect = () => finish();
    const onError = () => finish(new CallFailure('UNREACHABLE', 'The service refused the connection.'));
    const cancel = clock.after(connectTimeoutMs, () =>
      finish(new CallFailure('UNREACHABLE', `The service took no connection within ${connectTimeoutMs} ms.`)),
    );
    const forget = onEnd(() => finish(new CallFailure('CANCELLED', 'The call was cancelled.')));
    socket.once('connect', onConnect).once('error', onError);
  });
}
