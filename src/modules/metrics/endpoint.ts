import { createServer } from 'node:http';
import type { Registry } from 'prom-client';
import { createHttpGuard, isLoopback } from '../../http-guard.ts';
import { listen } from '../../server/listen.ts';

export interface MetricsEndpoint {
  /** `http://127.0.0.1:9464/metrics` */
  readonly url: string;
  stop(): Promise<void>;
}

/** Serves the metrics on a port of their own: whoever may reach it may read them. */
export async function serveMetrics(registry: Registry, at: { host: string; port: number }): Promise<MetricsEndpoint> {
  // Beyond loopback the scraper names us by any address; on it, only web pages of strangers would use another name.
  const guard = createHttpGuard({ allowsHost: () => !isLoopback(at.host) });
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, connectionsCheckingInterval: 5_000 });
  server.on('request', (request, response) => {
    const refusal = guard(request);
    const found = request.method === 'GET' && request.url?.split('?')[0] === '/metrics';
    if (refusal ?? !found) {
      response.writeHead(refusal?.status ?? 404, { 'content-type': 'text/plain' }).end();
      return;
    }
    registry.metrics().then(
      (text) =>
        response.writeHead(200, { 'content-type': registry.contentType, 'cache-control': 'no-store' }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  const origin = await listen(server, at, {
    module: 'metrics',
    host: 'SLIPWAY_METRICS_HOST',
    port: 'SLIPWAY_METRICS_PORT',
  });
  return {
    url: `${origin}/metrics`,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
