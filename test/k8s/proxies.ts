import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer, request as send } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type Server as TcpServer, type Socket, connect, createServer as createTcpServer } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import { listenApart } from '../ports.ts';

export interface TestProxy extends AsyncDisposable {
  readonly port: number;
  /** What it was asked for, such as `CONNECT api.test:6443`. */
  readonly asked: readonly string[];
  /** The credentials that came with each of it; null: none. */
  readonly credentials: readonly (string | null)[];
  /** All that clients sent through tunnels, as it went over the wire. */
  passed(): string;
  /** Which program answers for a host and port; others are not reached. */
  route(authority: string, url: string): void;
  /** From now on it answers so itself; 0: not at all; null: as it should. */
  refuse(status: number | null): void;
  /** Ends what goes through it. */
  cut(): void;
}

/** What both kinds of proxies remember. */
function createRecord() {
  const targets = new Map<string, { host: string; port: number }>();
  const asked: string[] = [];
  const credentials: (string | null)[] = [];
  const passed: Buffer[] = [];
  const sockets = new Set<Duplex>();
  return {
    ...{ targets, asked, credentials },
    /** What it answers by itself, as `refuse` has said. */
    refusal: null as number | null,
    hold(socket: Duplex): void {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    },
    /** Joins a client's socket to what answers for the authority. */
    join(client: Duplex, target: { host: string; port: number }, opened: () => void): void {
      const upstream = connect(target, opened);
      this.hold(upstream);
      client.on('data', (chunk: Buffer) => passed.push(chunk));
      client.pipe(upstream).pipe(client);
      client.on('close', () => upstream.destroy());
      upstream.on('close', () => client.destroy());
    },
    surface: {
      asked,
      credentials,
      passed: () => Buffer.concat(passed).toString('latin1'),
      route(authority: string, url: string) {
        const { hostname, port } = new URL(url);
        targets.set(authority, { host: hostname, port: Number(port) });
      },
      cut() {
        for (const socket of sockets) socket.destroy();
      },
    },
  };
}

async function listen(server: TcpServer, record: ReturnType<typeof createRecord>): Promise<TestProxy> {
  const port = await listenApart(server);
  return {
    ...record.surface,
    port,
    refuse(status) {
      record.refusal = status;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      record.surface.cut();
      await once(server, 'close');
    },
  };
}

/** A proxy for tunnels and for requests of plain HTTP. */
export async function startHttpProxy(tls?: SecureContextOptions): Promise<TestProxy> {
  const record = createRecord();
  const note = (request: IncomingMessage): void => {
    record.asked.push(`${request.method} ${request.url}`);
    record.credentials.push(request.headers['proxy-authorization'] ?? null);
  };
  const server: Server = tls ? createTlsServer(tls) : createServer();
  server.on('connection', (socket: Socket) => record.hold(socket));
  server.on('tlsClientError', () => {});
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    note(request);
    record.hold(socket);
    if (record.refusal === 0) return;
    const target = record.targets.get(request.url ?? '');
    if (record.refusal !== null || !target)
      return void socket.end(`HTTP/1.1 ${record.refusal ?? 502} No\r\n\r\nsecret-of-the-proxy`);
    record.join(socket, target, () => socket.write('HTTP/1.1 200 Connection established\r\n\r\n'));
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    note(request);
    if (record.refusal === 0) return;
    const url = new URL(request.url ?? '', 'http://none');
    const target = record.targets.get(url.host);
    if (record.refusal !== null || !target)
      return void response.writeHead(record.refusal ?? 502).end('secret-of-the-proxy');
    forward(request, response, { ...target, path: url.pathname + url.search });
  });
  return listen(server, record);
}

function forward(
  request: IncomingMessage,
  response: ServerResponse,
  target: { host: string; port: number; path: string },
): void {
  const { 'proxy-authorization': _, ...headers } = request.headers;
  const outgoing = send({ ...target, method: request.method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    answer.on('error', () => response.destroy()).pipe(response);
    response.on('close', () => answer.destroy());
  });
  outgoing.on('error', () => response.destroy());
  response.on('close', () => outgoing.destroy());
  request.pipe(outgoing);
}

/** RFC 1928 and 1929; asks for a name and a password if there are any. */
export async function startSocksProxy(account?: { username: string; password: string }): Promise<TestProxy> {
  const record = createRecord();

  async function serve(socket: Socket): Promise<void> {
    record.hold(socket);
    const [, methods = 0] = await take(socket, 2);
    const offered = await take(socket, methods);
    const method = account ? 2 : 0;
    if (!offered.includes(method)) return void socket.end(Buffer.from([5, 0xff]));
    socket.write(Buffer.from([5, method]));
    if (account && !(await signIn(socket))) return void socket.end(Buffer.from([1, 1]));
    if (account) socket.write(Buffer.from([1, 0]));
    else record.credentials.push(null);
    const authority = await authorityOf(socket);
    record.asked.push(`CONNECT ${authority}`);
    const target = record.targets.get(authority);
    const reply = (code: number) => Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0]);
    if (record.refusal === 0) return;
    if (record.refusal !== null || !target) return void socket.end(reply(record.refusal ?? 4));
    record.join(socket, target, () => socket.write(reply(0)));
  }

  async function signIn(socket: Socket): Promise<boolean> {
    const [, length = 0] = await take(socket, 2);
    const username = (await take(socket, length)).toString();
    const [secret = 0] = await take(socket, 1);
    const password = (await take(socket, secret)).toString();
    record.credentials.push(`${username}:${password}`);
    return username === account?.username && password === account.password;
  }

  const server = createTcpServer((socket) => void serve(socket).catch(() => socket.destroy()));
  return listen(server, record);
}

async function authorityOf(socket: Socket): Promise<string> {
  const [, , , kind] = await take(socket, 4);
  let host = '';
  if (kind === 1) host = [...(await take(socket, 4))].join('.');
  else host = (await take(socket, (await take(socket, 1))[0] ?? 0)).toString();
  return `${host}:${(await take(socket, 2)).readUInt16BE()}`;
}

async function take(socket: Socket, bytes: number): Promise<Buffer> {
  for (;;) {
    const chunk = socket.read(bytes) as Buffer | null;
    if (chunk) return chunk;
    await once(socket, 'readable');
  }
}
