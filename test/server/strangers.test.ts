import { once } from 'node:events';
import { type RequestOptions, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { auth } from '../../src/modules/auth/index.ts';
import { type TestServer, startTestServer } from '../../src/testing.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ modules: [auth] });
});
afterAll(() => server.stop());

const viewer = JSON.stringify({ query: '{ viewer { name } }' });

/** Unlike fetch, node:http lets a test say any Host. */
async function send(
  options: RequestOptions & { body?: string },
): Promise<{ status: number; text: string; cors: unknown }> {
  const { port } = new URL(server.url);
  const { body, ...rest } = options;
  const outgoing = request({ host: '127.0.0.1', port, path: '/graphql', method: 'POST', ...rest });
  outgoing.end(body ?? viewer);
  const [response] = await once(outgoing, 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, text, cors: response.headers['access-control-allow-origin'] };
}

const json = { 'content-type': 'application/json' };

describe('a listener without sign-in', () => {
  test('answers its own page and programs', async () => {
    const { host } = new URL(server.url);
    expect((await send({ headers: json })).text).toContain('local');
    expect((await send({ headers: { ...json, origin: `http://${host}` } })).text).toContain('local');
    expect((await send({ headers: { ...json, host: `localhost:${new URL(server.url).port}` } })).status).toBe(200);
  });

  test.each([
    'https://evil.example',
    'null',
    'http://127.0.0.1',
    'http://127.0.0.1:1',
    'http://localhost.evil.example',
    'http://127.0.0.1.evil.example:4000',
  ])('tells a web page of origin %s nothing, and reflects no CORS', async (origin) => {
    const { status, text, cors } = await send({ headers: { ...json, origin } });
    expect([status, cors, text.includes('local')]).toEqual([403, undefined, false]);
    const preflight = await send({
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
      body: '',
    });
    expect([preflight.status, preflight.cors]).toEqual([403, undefined]);
  });

  test.each(['evil.example', 'evil.example:4000', '192.168.1.7:4000', '[::2]:4000', 'localhost.evil.example', 'a b'])(
    'tells a rebound host name %s nothing',
    async (host) => {
      const { status, text } = await send({ headers: { ...json, host, origin: `http://${host}` } });
      expect([status === 421 || status === 400, text.includes('local')]).toEqual([true, false]);
    },
  );

  test('refuses a cross-site GET that carries no Origin', async () => {
    const path = `/graphql?query=${encodeURIComponent('{ viewer { name } }')}`;
    expect((await send({ method: 'GET', path, headers: { 'sec-fetch-site': 'cross-site' }, body: '' })).status).toBe(
      403,
    );
    expect((await send({ method: 'GET', path, body: '' })).status).toBe(200);
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json; charset=utf-7',
    'text/plain; application/json',
    '',
  ])('takes no body of type "%s"', async (type) => {
    const headers = { ...(type && { 'content-type': type }), 'content-length': String(viewer.length) };
    const { status, text } = await send({ headers });
    expect([status, JSON.parse(text).errors[0].extensions.code]).toEqual([415, 'INVALID']);
  });

  test.each([
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ host: 'evil.example' }, 421],
  ])('upgrades no WebSocket for %j', async (headers, status) => {
    const socket = new WebSocket(server.url.replace('http', 'ws') + '/graphql', 'graphql-transport-ws', { headers });
    socket.on('error', () => undefined); // the refusal, which 'unexpected-response' tells in full
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(status);
    response.resume();
  });

  test('GraphiQL is served to this machine only, and may not be framed', async () => {
    const page = await fetch(`${server.url}/graphiql`);
    expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect((await send({ method: 'GET', path: '/graphiql', headers: { host: 'evil.example' }, body: '' })).status).toBe(
      421,
    );
  });
});
