import type { RequestListener } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const longestMs = 10_000;

/** What stands behind the gateways of tests: it tells what was asked of it. `?delay=500` has it take so long. */
export const echo =
  (backendOf: (address: string | undefined) => string): RequestListener =>
  async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { method, url = '/', headers, socket } = request;
    const wanted = Number(new URL(url, 'http://pod').searchParams.get('delay') ?? 0);
    if (wanted > 0) await delay(Math.min(wanted, longestMs));
    response.setHeader('content-type', 'application/json');
    const backend = backendOf(socket.localAddress);
    response.end(JSON.stringify({ backend, method, url, headers, body: Buffer.concat(chunks).toString() }));
  };
