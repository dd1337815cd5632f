import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium } from 'playwright-core';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Starts the machine's Chromium (SLIPWAY_TEST_BROWSER names another one); it talks to loopback only. */
export async function startBrowser(options: readonly string[] = []): Promise<Browser> {
  const executablePath = process.env['SLIPWAY_TEST_BROWSER'] ?? places.find((place) => existsSync(place));
  if (!executablePath)
    throw new Error('No Chromium found: install the Debian package chromium, or set SLIPWAY_TEST_BROWSER.');
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...options,
    ],
  });
}

export interface Page extends AsyncDisposable {
  readonly url: string;
}

/** A web page on an origin of its own. */
export async function servePage(html: string): Promise<Page> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
