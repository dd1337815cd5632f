import { type AddressInfo, type Socket, createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Certificate } from '../../k8s/certificates.ts';

/** A raw TCP service that answers as it is told, whatever HTTP says about it. */
export interface Upstream extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  /** What each connection sent, in the order of the connections. */
  readonly requests: string[];
  /** How connections are answered from now on. Forgets the requests so far. */
  answerWith(script: Script | string | Buffer): void;
  /** Resolves when every connection so far is closed. */
  idle(): Promise<void>;
  /** Resolves with the next connection, once its request is in. */
  next(): Promise<Socket>;
}

/** A text is the whole answer, after which the connection is closed. */
export type Script = (socket: Socket, request: string) => void;

/** Runs `script` once for each connection, as soon as the head of a request and its body are in. */
export async function startUpstream(
  first: Script | string | Buffer,
  host = '127.0.0.1',
  tls?: Certificate,
): Promise<Upstream> {
  let script = first;
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const waiting: ((socket: Socket) => void)[] = [];
  const accept = (socket: Socket) => {
    const index = requests.push('') - 1;
    const own = requests;
    let started = false;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      const request = (own[index] += chunk.toString('latin1'));
      if (started || !complete(request)) return;
      started = true;
      if (typeof script === 'function') script(socket, request);
      else socket.end(script);
      waiting.shift()?.(socket);
    });
  };
  const server = tls ? createTlsServer(tls, accept) : createServer(accept);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    address: host,
    port: (server.address() as AddressInfo).port,
    requests,
    answerWith(next) {
      script = next;
      requests.length = 0;
    },
    async idle() {
      await Promise.all([...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    },
    next: () => new Promise((resolve) => void waiting.push(resolve)),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function complete(request: string): boolean {
  const [head = '', body] = request.split('\r\n\r\n', 2);
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
  return body !== undefined && request.length >= head.length + 4 + length;
}

/** An answer with a body of known length. */
export function answer(body: string | Buffer, headers: Record<string, string> = {}, status = '200 OK'): Buffer {
  const bytes = Buffer.from(body);
  const lines = { 'content-type': 'text/plain', 'content-length': String(bytes.length), ...headers };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${head.join('')}\r\n`), bytes]);
}

/** Writes until the other side has had enough. */
export function flood(socket: Socket, chunk: Buffer | string): void {
  const more = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', more);
  more();
}
