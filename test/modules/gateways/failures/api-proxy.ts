import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/**
 * What becomes of a request: `refused` is answered with 403, `lost` gets no answer and is not carried out, `unanswered` is
 * carried out and gets no answer. `diedBefore` and `diedAfter` are the same, and nothing that the server asks later arrives
 * either: its process is gone.
 */
export type Fault = 'refused' | 'lost' | 'unanswered' | 'diedBefore' | 'diedAfter';

export interface ApiProxy {
  readonly url: string;
  /** From now on: the faults, by the number of the request. */
  arm(faults: ReadonlyMap<number, Fault>): void;
  /** Resolves when the process is gone. */
  readonly death: Promise<void>;
  /** The requests since about what fails here, as `PATCH securitypolicies`. */
  readonly asked: readonly string[];
  stop(): Promise<void>;
}

/** Between one server and the API server: single requests about objects of these kinds fail at it. */
export async function startApiProxy(
  target: string,
  kinds: readonly string[] = ['httproutes', 'securitypolicies'],
): Promise<ApiProxy> {
  let faults: ReadonlyMap<number, Fault> = new Map();
  let asked: string[] = [];
  let dead = false;
  const sockets = new Set<Socket>();
  const death = Promise.withResolvers<void>();
  const die = () => {
    dead = true;
    death.resolve();
    for (const socket of sockets) socket.destroy();
  };

  const server = createServer((request, response) => {
    const what = subjectOf(request, kinds);
    if (what === null) return void forward(target, request, response);
    const fault = faults.get(asked.push(what) - 1);
    if (fault === undefined) return void forward(target, request, response);
    if (fault === 'refused') return refuse(response);
    if (fault === 'lost') return void request.socket.destroy();
    if (fault === 'diedBefore') return die();
    void forward(target, request, null).then(() => (fault === 'diedAfter' ? die() : request.socket.destroy()));
  });
  server.on('connection', (socket: Socket) => {
    if (dead) return socket.destroy();
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arm(next) {
      [faults, asked] = [next, []];
    },
    death: death.promise,
    get asked() {
      return asked;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Requests about one object; lists and watches always pass. */
function subjectOf({ method = 'GET', url = '' }: IncomingMessage, kinds: readonly string[]): string | null {
  const [, plural = '', name] = /\/namespaces\/[^/]+\/(\w+)(?:\/([^?]+))?/.exec(url) ?? [];
  if (!kinds.includes(plural) || (method === 'GET' && !name)) return null;
  return `${method} ${plural}${url.includes('dryRun') ? ' dry' : ''}`;
}

export function refuse(response: ServerResponse): void {
  response.writeHead(403, { 'content-type': 'application/json' });
  const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Forbidden', code: 403 };
  response.end(JSON.stringify({ ...status, message: 'the test objects' }));
}

/** Resolves when the answer is complete; without `response` it goes nowhere. */
export function forward(target: string, request: IncomingMessage, response: ServerResponse | null): Promise<void> {
  const { hostname, port, host } = new URL(target);
  return new Promise((resolve) => {
    const { method, url: path, headers } = request;
    const outgoing = httpRequest({ hostname, port, method, path, headers: { ...headers, host } }, (answer) => {
      answer.once('close', resolve);
      if (!response) return answer.resume();
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      // At once: of a watch that has nothing to say only the head comes.
      response.flushHeaders();
      answer.on('error', () => response.destroy()).pipe(response);
      response.once('close', () => answer.destroy());
    });
    outgoing.on('error', () => {
      response?.destroy();
      resolve();
    });
    response?.once('close', () => outgoing.destroy());
    request.pipe(outgoing);
  });
}
