import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { LogOptions } from '../../../src/k8s/cluster.ts';

export interface LogLine {
  time: string;
  text: string;
}

/** Where the lines of a Pod's containers come from. */
export interface LogSource {
  /** Undefined when the Pod is not of this node. `previous`: of the run before the last restart. */
  lines(namespace: string, pod: string, previous?: boolean): readonly LogLine[] | undefined;
  /** Calls back with each new line, and with undefined when the Pod has ended, until the returned function is called. */
  follow(namespace: string, pod: string, listener: (line: LogLine | undefined) => void): () => void;
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
    const options = optionsOf(searchParams);
    const lines = root === 'containerLogs' ? source.lines(namespace, pod, options.previous) : undefined;
    if (!lines) {
      response.writeHead(404).end(`pod "${pod}" not found`);
      return;
    }
    response.writeHead(200, { 'content-type': 'text/plain' });
    const text = logText(lines, options);
    if (!options.follow) {
      response.end(text);
      return;
    }
    // An empty write would keep the headers back.
    if (text) response.write(text);
    response.flushHeaders();
    const stop = source.follow(namespace, pod, (line) => {
      if (line) response.write(lineText(line, options));
      else response.end();
    });
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

function optionsOf(query: URLSearchParams): LogOptions {
  const tail = query.get('tailLines');
  const since = query.get('sinceTime');
  return {
    previous: query.get('previous') === 'true',
    follow: query.get('follow') === 'true',
    timestamps: query.get('timestamps') === 'true',
    ...(tail !== null && { tailLines: Number(tail) }),
    ...(since !== null && { sinceTime: since }),
  };
}

/** The lines that are asked for, as a kubelet writes them. */
export function logText(lines: readonly LogLine[], { sinceTime, tailLines, timestamps }: LogOptions): string {
  const recent = sinceTime ? lines.filter(({ time }) => Date.parse(time) >= Date.parse(sinceTime)) : lines;
  const chosen = tailLines === undefined ? recent : recent.slice(Math.max(0, recent.length - tailLines));
  return chosen.map((line) => lineText(line, { timestamps: timestamps ?? false })).join('');
}

export function lineText({ time, text }: LogLine, { timestamps }: Pick<LogOptions, 'timestamps'>): string {
  return timestamps ? `${time} ${text}\n` : `${text}\n`;
}
