import type { LogOptions } from '../../../cluster.ts';
import type { PodLogSource } from '../pod-logs.ts';
import { invalid, methodNotAllowed } from '../status.ts';
import { invalidValue } from '../validation/field-errors.ts';
import { flag, integer } from './options.ts';
import type { Target } from './route.ts';
import type { Exchange } from './server.ts';

/** Streams the log of a Pod's container. */
export async function serveLog(logs: PodLogSource, exchange: Exchange, target: Target): Promise<void> {
  if (exchange.method !== 'GET') throw methodNotAllowed();
  const bytes = logs.open(target.namespace ?? '', target.name ?? '', logOptions(exchange));
  const { response } = exchange;
  response.writeHead(200, {
    'content-type': 'text/plain',
    'cache-control': 'no-cache, private',
    'x-content-type-options': 'nosniff',
  });
  response.flushHeaders();
  for await (const chunk of bytes) {
    if (exchange.signal.aborted) break;
    if (!response.write(chunk)) await drained(exchange);
  }
  response.end();
}

function drained({ response, signal }: Exchange): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });
}

function logOptions({ query, signal }: Exchange): LogOptions {
  const container = query.get('container');
  const sinceTime = query.get('sinceTime');
  const tailLines = integer(query, 'tailLines');
  if (tailLines !== undefined && tailLines < 0) {
    const error = invalidValue('tailLines', tailLines, 'must be greater than or equal to 0');
    throw invalid({ group: '', kind: 'PodLogOptions' }, '', [error]);
  }
  const since = integer(query, 'sinceSeconds');
  const from = sinceTime ?? (since === undefined ? undefined : new Date(Date.now() - since * 1000).toISOString());
  return {
    ...(container && { container }),
    ...(from !== undefined && { sinceTime: from }),
    ...(tailLines !== undefined && { tailLines }),
    follow: flag(query.get('follow')) ?? false,
    previous: flag(query.get('previous')) ?? false,
    timestamps: flag(query.get('timestamps')) ?? false,
    signal,
  };
}
