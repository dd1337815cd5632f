import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent } from 'undici';

/** Serves what it gets from the service and does nothing else. */
export async function serveBare(origin: string): Promise<void> {
  const agent = new Agent({ connections: 128 });
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    agent.request({ origin, path, method: 'GET' }).then(
      ({ statusCode, headers, body }) => {
        response.writeHead(statusCode, headers as Record<string, string>);
        body.pipe(response);
      },
      () => response.destroy(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
}
