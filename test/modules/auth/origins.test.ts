import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type BareServer, startBare } from './bare.ts';
import { type Issuer, audience, startIssuer } from './issuer.ts';
import { bearer, openSocket, send } from './surface.ts';

const page = 'https://console.example.com';
const host = 'slipway.example.com';

let issuer: Issuer;
let server: BareServer;
beforeAll(async () => {
  issuer = await startIssuer();
  server = await startBare({
    config: { issuer: issuer.url, audience: [audience] },
    allowedHosts: [host],
    allowedOrigins: [page],
  });
});
afterAll(async () => {
  await server.stop();
  await issuer.close();
});

const from = async (headers: string[], options: object = {}) =>
  send(server.url, { headers: [...bearer(await issuer.sign()), ...headers], ...options });

describe('host names', () => {
  test.each([
    [host, 200],
    [`${host}:443`, 200],
    [host.toUpperCase(), 200],
    ['localhost:4000', 200],
    [`x.${host}`, 421],
    [`${host}.evil.example`, 421],
    [`${host}.`, 421],
    ['192.168.1.7', 421],
    ['evil.example', 421],
  ])('%s: %i', async (name, status) => {
    expect((await from(['Host', name])).status).toBe(status);
  });

  test('the probes answer to any name, as the kubelet calls by address', async () => {
    for (const path of ['/livez', '/readyz']) {
      expect((await send(server.url, { method: 'GET', path, headers: ['Host', '10.1.2.3:4000'] })).status).toBe(200);
    }
  });
});

describe('origins', () => {
  test.each([
    ["the server's own behind TLS", ['Host', host, 'Origin', `https://${host}`]],
    ["the server's own", ['Host', host, 'Origin', `http://${host}`]],
    ['one that is allowed', ['Origin', page]],
    ['one that is allowed, as a browser marks it', ['Origin', page, 'Sec-Fetch-Site', 'cross-site']],
  ])('%s may call', async (_, headers) => {
    expect((await from(headers)).status).toBe(200);
  });

  test.each([
    'https://evil.example',
    'null',
    'http://console.example.com',
    'https://console.example.com:8443',
    'https://console.example.com.evil.example',
    'https://evil-console.example.com',
    'https://x.console.example.com',
    'https://console.example.com.',
    'https://CONSOLE.example.com',
    'https://console.example.com/',
    'https://console.example.com@evil.example',
    'https://xn--console-.example.com',
    'https://console.example.co',
    `https://${host}`,
    'https://127.0.0.1',
    'file://',
    'chrome-extension://console.example.com',
    '*',
    '',
    `${page}, ${page}`,
  ])('"%s" may not, also with a token, and is never reflected', async (origin) => {
    const answer = await from(['Origin', origin]);
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([403, undefined]);
    const preflight = await send(server.url, {
      method: 'OPTIONS',
      headers: ['Origin', origin, 'Access-Control-Request-Method', 'POST'],
    });
    expect([preflight.status, preflight.headers['access-control-allow-origin']]).toEqual([403, undefined]);
    const socket = new WebSocket(server.url.replace('http', 'ws') + '/graphql', 'graphql-transport-ws', {
      headers: { origin, authorization: `Bearer ${await issuer.sign()}` },
    });
    socket.on('error', () => undefined); // 'unexpected-response' tells it in full
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(403);
    response.resume();
  });

  test('a preflight of an allowed one is answered without a token, and nothing else is', async () => {
    const preflight = await send(server.url, {
      method: 'OPTIONS',
      headers: ['Origin', page, 'Access-Control-Request-Method', 'POST'],
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': page,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization, content-type',
      vary: 'Origin',
    });
    expect(preflight.headers['access-control-allow-credentials']).toBeUndefined();
    const answer = await send(server.url, { headers: ['Origin', page] });
    // Readable for the page: it must learn that it has to sign in.
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([401, page]);
  });

  test('an allowed one may open a WebSocket, and needs a token too', async () => {
    const authorization = `Bearer ${await issuer.sign()}`;
    const connection = await openSocket(server.url, { authorization }, { origin: page });
    expect((await connection.next()).type).toBe('connection_ack');
    connection.socket.close();
    expect(await (await openSocket(server.url, {}, { origin: page })).closed).toBe(4403);
  });
});
