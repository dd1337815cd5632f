import { createServer, type Server } from 'node:http';
import { BootError } from '../../../boot-error.ts';
import type { Log } from '../../../log.ts';
import type { Dispatch } from './dispatch.ts';
import { answer, type Proxy } from './proxy.ts';
import { forwardUpgrade, isWebSocketUpgrade } from './upgrade.ts';

/** The listener of the data plane. Nothing a client or a backend does may end the process. */
export function createGatewayServer(dispatch: Dispatch, proxy: Proxy, log: Log): Server {
  const server = createServer({
    // Envoy's limit, where Node's own would refuse long cookies and tokens.
    maxHeaderSize: 60 * 1024,
    // An upload may take as long as it takes; what stands still is given up by the proxy.
    requestTimeout: 0,
    shouldUpgradeCallback: isWebSocketUpgrade,
  });
  server.on('request', (incoming, response) => {
    dispatch(incoming)
      .then(async (decision) => {
        if (response.destroyed) return;
        if ('outgoing' in decision) return await proxy.forward(incoming, response, decision.outgoing);
        const { status, message, headers } = decision.refusal;
        answer(response, status, message, headers);
        incoming.resume();
      })
      .catch((error: unknown) => {
        log.error({ err: error }, 'the gateway failed on a request');
        answer(response, 500, 'The gateway failed.');
      });
  });
  server.on('upgrade', (incoming, socket, head) => {
    forwardUpgrade(dispatch, incoming, socket, head).catch((error: unknown) => {
      log.error({ err: error }, 'the gateway failed on an upgrade');
      socket.destroy();
    });
  });
  return server;
}

/** Listens on loopback; resolves with the port. */
export function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' || error.code === 'EACCES' ? portError(port, error) : error);
    });
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

function portError(port: number, { code }: NodeJS.ErrnoException): BootError {
  const why = code === 'EACCES' ? 'may not be used' : 'is taken by another program';
  return new BootError([
    {
      module: 'server',
      field: 'SLIPWAY_GATEWAY_PORT',
      message: `port ${port} for the gateway ${why}.`,
      remedy: 'Stop that program, or set another port (0 picks a free one).',
    },
  ]);
}

/** Ends open connections too: a stream would hold the stop up for ever. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
