import { once } from 'node:events';
import { createServer } from 'node:https';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LogLine {
  time: string;
  text: string;
}

/** Where the lines of a Pod's containers come from. */
export interface LogSource {
  /** Undefined when the Pod is not of this node. */
  lines(namespace: string, pod: string): readonly LogLine[] | undefined;
  /** Calls back with each new line until the returned function is called. */
  follow(namespace: string, pod: string, listener: (line: LogLine) => void): () => void;
}

export interface LogServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** The part of a kubelet's own API that kube-apiserver asks for logs. */
export async function serveLogs(source: LogSource, tls: { cert: string; key: string }): Promise<LogServer> {
  const server = createServer(tls, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://node');
    const [, root, namespace = '', pod = ''] = pathname.split('/').map(decodeURIComponent);
    const lines = root === 'containerLogs' ? source.lines(namespace, pod) : undefined;
    if (!lines) {
      response.writeHead(404).end(`pod "${pod}" not found`);
      return;
    }
    response.writeHead(200, { 'content-type': 'text/plain' });
    for (const line of chosen(lines, searchParams)) write(response, line, searchParams);
    if (searchParams.get('follow') !== 'true') {
      response.end();
      return;
    }
    response.flushHeaders();
    const stop = source.follow(namespace, pod, (line) => write(response, line, searchParams));
    response.once('close', stop);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function chosen(lines: readonly LogLine[], query: URLSearchParams): readonly LogLine[] {
  const since = query.get('sinceTime');
  const recent = since ? lines.filter(({ time }) => Date.parse(time) >= Date.parse(since)) : lines;
  const tail = query.get('tailLines');
  return tail === null ? recent : recent.slice(Math.max(0, recent.length - Number(tail)));
}

function write(response: ServerResponse, { time, text }: LogLine, query: URLSearchParams): void {
  response.write(query.get('timestamps') === 'true' ? `${time} ${text}\n` : `${text}\n`);
}
