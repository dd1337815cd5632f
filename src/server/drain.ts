import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { Clock } from '../clock.ts';
import type { WebSocketSurface } from './websocket.ts';

/** What is still under way then is cut: an orderly end has to be faster than the usual 30 s until SIGKILL. */
const longestMs = 20_000;

export interface DrainParts {
  server: Server;
  clock: Clock;
  /** In [0, 1). */
  random?: () => number;
}

/** Ends the service of a server without losing a request. */
export interface Drain {
  /** True from the first moment on: the server is no longer ready. */
  readonly begun: boolean;
  /** Of every response, before anything is written. */
  track(response: ServerResponse): void;
  /** This one is a stream of events: it would never end by itself. */
  stream(response: ServerResponse): void;
  /**
   * For `lagMs`, new connections are still served: whoever sends them learns late that we are leaving. Then nothing more
   * is accepted, sockets and streams are closed one by one within `lagMs` again, and what is under way is completed.
   * Resolves when nothing is left, or after 20 s in all. With 0 sockets and streams end at once.
   */
  run(lagMs: number, sockets: WebSocketSurface): Promise<void>;
}

export function createDrain({ server, clock, random = Math.random }: DrainParts): Drain {
  const underWay = new Set<ServerResponse>();
  const streams = new WeakSet<ServerResponse>();
  let begun = false;

  // It makes the client open its next connection elsewhere. Closing an idle one instead can cross with a request.
  const lastOfConnection = (response: ServerResponse): void => {
    if (!response.headersSent) response.setHeader('connection', 'close');
  };

  const endStreams = (spreadMs: number): void => {
    for (const response of underWay) {
      if (!streams.has(response)) continue;
      if (spreadMs === 0) response.destroy();
      else
        response.once(
          'close',
          clock.after(random() * spreadMs, () => response.destroy()),
        );
    }
  };

  return {
    get begun() {
      return begun;
    },
    track(response) {
      underWay.add(response);
      if (begun) lastOfConnection(response);
      response.once('close', () => underWay.delete(response));
    },
    stream: (response) => void streams.add(response),
    async run(lagMs, sockets) {
      begun = true;
      if (lagMs > 0) {
        for (const response of underWay) lastOfConnection(response);
        const tooLong = new Promise<void>((resolve) => clock.after(longestMs, resolve));
        await new Promise<void>((resolve) => clock.after(lagMs, resolve));
        // An HTTP server's own close would also cut idle connections, on which a request may be on its way. They end with
        // the next answer, or when the time is over that the client was told.
        const closed = new Promise((resolve) => NetServer.prototype.close.call(server, resolve));
        endStreams(lagMs);
        await Promise.race([tooLong, Promise.all([sockets.leave(lagMs), closed])]);
      }
      endStreams(0);
      await sockets.close();
    },
  };
}
