import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { type Socket, Server as NetServer } from 'node:net';
import { Bag } from '../bag.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { trackResponse } from './response-end.ts';
import type { WebSocketSurface } from './websocket.ts';

/** What is still under way then is cut: an orderly end has to be faster than the usual 30 s until SIGKILL. */
const longestMs = 20_000;
/** Where no new client came for so long, none is sent any more. */
const quietMs = 1_000;
/** So long new clients are served at most: sockets and what is under way need their time too. */
const longestLagMs = 12_000;
/** How much later than it was told to a client may leave an idle connection. */
const graceMs = 1_000;

export interface DrainParts {
  server: Server;
  clock: Clock;
  log: Log;
  /** A request that tells nothing of where clients are sent. */
  isProbe: (request: IncomingMessage) => boolean;
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
   * For `lagMs`, new connections are still served: whoever sends them learns late that we are leaving. Where that is later
   * still, they are served until none has come for a second, for 12 s at most. Then nothing more is accepted, sockets and
   * streams are closed one by one within `lagMs` again, and what is under way is completed. Resolves when nothing is left,
   * or after 20 s in all. With 0 sockets and streams end at once.
   */
  run(lagMs: number, sockets: WebSocketSurface): Promise<void>;
}

export function createDrain({ server, clock, log, isProbe, random = Math.random }: DrainParts): Drain {
  const underWay = new Bag<ServerResponse>();
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

  /** Resolves when it is over. */
  async function complete(lagMs: number, sockets: WebSocketSurface): Promise<void> {
    // All that is idle has been so since before we began: whoever was told how long it may be has left it by then.
    const told = waited(clock, server.keepAliveTimeout + graceMs);
    for (const response of underWay) lastOfConnection(response);
    await unsought({ server, clock, isProbe }, lagMs);
    // An HTTP server's own close would also cut idle connections, on which a request may be on its way. They end with
    // the next answer, or when the time is over that the client was told.
    const closed = new Promise((resolve) => NetServer.prototype.close.call(server, resolve));
    void told.then(() => server.closeIdleConnections());
    endStreams(lagMs);
    await Promise.all([sockets.leave(lagMs), closed]);
  }

  return {
    get begun() {
      return begun;
    },
    track(response) {
      trackResponse(response, underWay.add(response));
      if (begun) lastOfConnection(response);
    },
    stream: (response) => void streams.add(response),
    async run(lagMs, sockets) {
      begun = true;
      if (lagMs > 0) {
        const tooLong = waited(clock, longestMs).then(() => true);
        const cut = await Promise.race([tooLong, complete(lagMs, sockets).then(() => false)]);
        if (cut) log.warn({ requests: underWay.size }, 'it takes too long to end what is under way: it is cut');
      }
      endStreams(0);
      await sockets.close();
    },
  };
}

/** Resolves after `lagMs`, once no new client has come for a while. */
async function unsought(
  { server, clock, isProbe }: Pick<DrainParts, 'server' | 'clock' | 'isProbe'>,
  lagMs: number,
): Promise<void> {
  const newcomers = new WeakSet<Socket>();
  let clients = 0;
  const accepted = (socket: Socket) => void newcomers.add(socket);
  const came = (request: IncomingMessage) => {
    // Connections from before come back by themselves, and say nothing of where new ones go.
    if (newcomers.has(request.socket) && !isProbe(request)) clients += 1;
  };
  server.on('connection', accepted).on('request', came).on('upgrade', came);
  const stepMs = Math.min(quietMs, lagMs);
  await waited(clock, lagMs - stepMs);
  for (let passed = lagMs; ; passed += stepMs) {
    const before = clients;
    await waited(clock, stepMs);
    await caughtUp();
    if (clients === before || passed >= longestLagMs) break;
  }
  server.off('connection', accepted).off('request', came).off('upgrade', came);
}

function waited(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}

/**
 * Timers run before connections are accepted and read, and on a busy machine many wait by then: they would be reset when
 * the listener is closed.
 */
async function caughtUp(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
