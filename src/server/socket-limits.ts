import type { WebSocket } from 'ws';
import type { Caller } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { limits } from '../schema/limits.ts';

export interface SocketLimits {
  /** WebSockets at once on this server. */
  sockets: number;
  /** WebSockets at once of one caller; the local user has as many as the server. */
  socketsPerCaller: number;
}

export const socketLimits: SocketLimits = { sockets: 2_000, socketsPerCaller: 10 };

/** How many sockets each caller has. */
export interface SocketsByCaller {
  /** Counts one more until it closes; false: the caller has as many as one may have. */
  take(caller: Caller, socket: WebSocket): boolean;
}

export function countSocketsByCaller({ socketsPerCaller }: SocketLimits): SocketsByCaller {
  const counts = new Map<string, number>();
  return {
    take(caller, socket) {
      if (caller.local) return true;
      const count = counts.get(caller.name) ?? 0;
      if (count >= socketsPerCaller) return false;
      counts.set(caller.name, count + 1);
      socket.once('close', () => {
        const left = (counts.get(caller.name) ?? 1) - 1;
        if (left > 0) counts.set(caller.name, left);
        else counts.delete(caller.name);
      });
      return true;
    },
  };
}

/** The messages of one socket in its present window of time. */
export interface MessageRate {
  /** No more operations are begun in this window. */
  readonly exceeded: boolean;
}

/**
 * Counts a socket's messages. Operations beyond the limit are for the caller to refuse; twice as many can only be a
 * flood, and `flooded` is called.
 */
export function countMessages(socket: WebSocket, clock: Clock, flooded: () => void): MessageRate {
  let began = clock.now();
  let count = 0;
  // First of all listeners: whoever reads the message knows the count with it.
  socket.prependListener('message', () => {
    const now = clock.now();
    if (now - began >= limits.messagesMs || now < began) [began, count] = [now, 0];
    count += 1;
    if (count > 2 * limits.messages) flooded();
  });
  return {
    get exceeded() {
      return count > limits.messages;
    },
  };
}
