import { once } from 'node:events';
import { type AddressInfo, type Socket, createServer as createTcpServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../../src/k8s/api-error.ts';
import { createTransport } from '../../src/k8s/transport.ts';
import { createAuthority } from './certificates.ts';
import { type Answer, linesOf, ok, startHttpServer } from './http-world.ts';

const get = { method: 'GET', path: '/api/v1/pods' } as const;

/** What a promise rejects with, which must be an ApiError. */
async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await promise.then(
    () => new Error('it did not reject'),
    (reason: unknown) => reason,
  );
  if (error instanceof ApiError) return error;
  throw error;
}

const status = (code: number, body: unknown, headers: Record<string, string> = {}): Answer => {
  return (_, response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
};

describe('requests', () => {
  test('have method, path, query and body as given, below the path of the base URL', async () => {
    await using server = await startHttpServer(ok({ fine: true }));
    const transport = createTransport({ url: `${server.url}/k8s/clusters/one/` });
    const query = { labelSelector: 'a in (b,c)', limit: 5, watch: true, continue: undefined };
    expect(await transport.json({ method: 'PATCH', path: '/api/v1/pods', query, body: { a: 'ü' } })).toEqual({
      fine: true,
    });
    await transport.json({ method: 'PATCH', path: '/x', body: [], contentType: 'application/json-patch+json' });
    expect(server.received[0]).toMatchObject({
      method: 'PATCH',
      path: '/k8s/clusters/one/api/v1/pods?labelSelector=a+in+%28b%2Cc%29&limit=5&watch=true',
      body: '{"a":"ü"}',
    });
    expect(server.received.map((request) => linesOf(request, 'content-type'))).toEqual([
      ['application/json'],
      ['application/json-patch+json'],
    ]);
    await transport.close();
  });

  test('200 of them, 20 at a time, share one set of connections', async () => {
    await using server = await startHttpServer(ok({}));
    const transport = createTransport({ url: server.url });
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(Array.from({ length: 20 }, () => transport.json(get)));
    }
    expect(server.received).toHaveLength(200);
    // The pool opens another one where none has been given back yet: how many is a matter of time.
    expect(server.connections).toBeLessThan(100);
    await transport.close();
  });

  test('200 of them over TLS, one after the other, need two connections at most', async () => {
    const authority = createAuthority();
    await using server = await startHttpServer(ok({}), authority.forServer());
    const transport = createTransport({ url: server.url, tls: { ca: authority.cert } });
    for (let count = 0; count < 200; count += 1) await transport.json(get);
    expect(server.connections).toBeLessThanOrEqual(2);
    expect(transport.counts).toMatchObject({ requests: 200, answers: { 2: 200 } });
    await transport.close();
  });

  test('never go over HTTP/2, where one dead connection would take every watch with it', async () => {
    const authority = createAuthority();
    await using server = await startHttpServer(ok({}), { ...authority.forServer(), http2: true });
    const transport = createTransport({ url: server.url, tls: { ca: authority.cert } });
    await transport.json(get);
    expect(server.received[0]?.httpVersion).toBe('1.1');
    await transport.close();
  });

  test('impersonate with a line for each group, names as UTF-8', async () => {
    await using server = await startHttpServer(ok({}));
    const transport = createTransport({ url: server.url });
    await transport.json({ ...get, identity: { user: 'oidc:änne', groups: ['oidc:a, b', 'oidc:c', 'système'] } });
    await transport.json({ ...get, identity: { user: 'oidc:bob', groups: [] } });
    const [first, second] = server.received;
    const utf8 = (line: string) => Buffer.from(line, 'latin1').toString('utf8');
    expect(first && linesOf(first, 'impersonate-user').map(utf8)).toEqual(['oidc:änne']);
    expect(first && linesOf(first, 'impersonate-group').map(utf8)).toEqual(['oidc:a, b', 'oidc:c', 'système']);
    expect(second && linesOf(second, 'impersonate-group')).toEqual([]);
    await transport.close();
  });

  test.for(['', ' padded', 'two\r\nlines', 'nul\0', 'tab\t'])(
    'that would act as %j are refused before anything is sent',
    async (name) => {
      await using server = await startHttpServer(ok({}));
      const transport = createTransport({ url: server.url });
      expect(await failure(transport.json({ ...get, identity: { user: name, groups: [] } }))).toMatchObject({
        status: 403,
      });
      const groups = ['fine', name];
      expect(await failure(transport.json({ ...get, identity: { user: 'a', groups } }))).toMatchObject({ status: 403 });
      expect(server.received).toEqual([]);
      await transport.close();
    },
  );

  test('carry the credentials of the moment, and say which were refused', async () => {
    await using server = await startHttpServer((_, response) => {
      response.writeHead(server.received.length === 2 ? 401 : 200, { 'content-type': 'application/json' });
      response.end('{}');
    });
    let count = 0;
    const refused: (string | null)[] = [];
    const transport = createTransport({
      url: server.url,
      credentials: {
        authorization: () => Promise.resolve(`Bearer ${(count += 1)}`),
        refused: (authorization) => refused.push(authorization),
      },
    });
    await transport.json(get);
    await failure(transport.json(get));
    await transport.json(get);
    expect(server.received.map((request) => linesOf(request, 'authorization'))).toEqual([
      ['Bearer 1'],
      ['Bearer 2'],
      ['Bearer 3'],
    ]);
    expect(refused).toEqual(['Bearer 2']);
    await transport.close();
  });

  test('do not follow redirects, which would carry the credentials away', async () => {
    await using elsewhere = await startHttpServer(ok({}));
    await using server = await startHttpServer(status(307, {}, { location: elsewhere.url }));
    const transport = createTransport({ url: server.url });
    expect(await failure(transport.json(get))).toMatchObject({ status: 307 });
    expect(elsewhere.received).toEqual([]);
    await transport.close();
  });
});

describe('answers that are none', () => {
  test.for([
    {
      what: 'a Status',
      answer: status(409, {
        kind: 'Status',
        code: 409,
        reason: 'AlreadyExists',
        message: 'it is there',
        details: { name: 'a' },
      }),
      error: { status: 409, reason: 'AlreadyExists', message: 'it is there', details: { name: 'a' } },
    },
    { what: 'HTML', answer: status(502, '<html>'), error: { status: 502, message: 'the API server answered 502' } },
    { what: 'nothing', answer: status(404, ''), error: { status: 404, reason: 'NotFound' } },
    { what: 'JSON that is no Status', answer: status(500, null), error: { status: 500, reason: 'InternalError' } },
    {
      what: 'a Status that names another code',
      answer: status(403, { kind: 'Status', code: 200, reason: 'Forbidden' }),
      error: { status: 403, reason: 'Forbidden' },
    },
    {
      what: 'Retry-After',
      answer: status(429, {}, { 'retry-after': '3' }),
      error: { status: 429, reason: 'TooManyRequests', retryAfterMs: 3000 },
    },
    {
      what: 'Retry-After in a Status only',
      answer: status(429, { kind: 'Status', details: { retryAfterSeconds: 4 } }),
      error: { retryAfterMs: 4000 },
    },
    {
      what: 'Retry-After that is no number',
      answer: status(503, {}, { 'retry-after': 'soon' }),
      error: { status: 503, reason: 'ServiceUnavailable', retryAfterMs: undefined },
    },
    { what: '200 with HTML', answer: status(200, '<html>'), error: { status: 0, reason: 'BadAnswer' } },
    { what: '200 with nothing', answer: status(200, ''), error: { status: 0, reason: 'BadAnswer' } },
  ])('$what', async ({ answer, error }) => {
    await using server = await startHttpServer(answer);
    const transport = createTransport({ url: server.url });
    expect(await failure(transport.json(get))).toMatchObject(error);
    // What is no JSON may still be a stream.
    expect(await failure(error.status === 0 ? transport.json(get) : transport.stream(get))).toMatchObject(error);
    await transport.close();
  });

  test('a server that does not answer: NoAnswerInTime, and nothing is tried again', async () => {
    await using server = await startHttpServer(() => {});
    const transport = createTransport({ url: server.url, headersTimeoutMs: 50 });
    expect(await failure(transport.json({ ...get, method: 'POST', body: {} }))).toMatchObject({
      status: 0,
      reason: 'NoAnswerInTime',
    });
    expect(server.received).toHaveLength(1);
    await transport.close();
  });

  test('a server that accepts and never speaks TLS: NoAnswerInTime', async () => {
    const sockets: Socket[] = [];
    const server = createTcpServer((socket) => sockets.push(socket.on('error', () => {}))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const transport = createTransport({ url: `https://127.0.0.1:${port}`, connectTimeoutMs: 50 });
    expect(await failure(transport.json(get))).toMatchObject({ status: 0, reason: 'NoAnswerInTime' });
    await transport.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  test('a body that stops: NoAnswerInTime', async () => {
    await using server = await startHttpServer((_, response) => response.writeHead(200).write('{"half":'));
    const transport = createTransport({ url: server.url, bodyTimeoutMs: 50 });
    expect(await failure(transport.json(get))).toMatchObject({ status: 0, reason: 'NoAnswerInTime' });
    await transport.close();
  });

  test('a connection that breaks, before and in the middle of an answer: Unreachable', async () => {
    await using server = await startHttpServer((_, response) => {
      if (server.received.length === 1) response.socket?.resetAndDestroy();
      else response.writeHead(200).write('{"half":', () => response.socket?.resetAndDestroy());
    });
    const transport = createTransport({ url: server.url });
    expect(await failure(transport.json(get))).toMatchObject({ status: 0, reason: 'Unreachable' });
    expect(await failure(transport.json(get))).toMatchObject({ status: 0, reason: 'Unreachable' });
    expect(transport.counts).toMatchObject({ requests: 2, answers: { 0: 1, 2: 1 } });
    await transport.close();
  });

  test('a port where nobody listens: Unreachable with the reason and without the address', async () => {
    const server = await startHttpServer(ok({}));
    await server.close();
    const transport = createTransport({ url: server.url });
    const error = await failure(transport.json(get));
    expect(error).toMatchObject({ status: 0, reason: 'Unreachable' });
    expect(error.message).toContain('ECONNREFUSED');
    expect(error.message).not.toContain('127.0.0.1');
    await transport.close();
  });

  test('something that does not speak HTTP: BadAnswer', async () => {
    const server = createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n\r\n')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const transport = createTransport({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    expect(await failure(transport.json(get))).toMatchObject({ status: 0, reason: 'BadAnswer' });
    await transport.close();
    server.close();
  });

  test('a request that is given up: Aborted, and the server notices', async () => {
    const gone = Promise.withResolvers<void>();
    await using server = await startHttpServer((_, response) => {
      response.on('close', () => gone.resolve());
      abort.abort();
    });
    const abort = new AbortController();
    const transport = createTransport({ url: server.url });
    expect(await failure(transport.json({ ...get, signal: abort.signal }))).toMatchObject({
      status: 0,
      reason: 'Aborted',
    });
    await gone.promise;
    expect(server.received).toHaveLength(1);
    await transport.close();
  });
});

describe('streams', () => {
  test('come as they are written, whatever the time-out of a body', async () => {
    const last = Promise.withResolvers<void>();
    await using server = await startHttpServer((_, response) => {
      response.writeHead(200).write('first');
      void last.promise.then(() => response.end(' last'));
    });
    const transport = createTransport({ url: server.url, bodyTimeoutMs: 1 });
    const stream = await transport.stream(get);
    await once(stream, 'readable');
    // Undici's own clock ticks once a second; two answers later its time-out would have come.
    last.resolve();
    expect(await text(stream)).toBe('first last');
    await transport.close();
  });

  test('end with their request', async () => {
    const gone = Promise.withResolvers<void>();
    await using server = await startHttpServer((_, response) => {
      response.on('close', () => gone.resolve());
      response.writeHead(200).write('first');
    });
    const abort = new AbortController();
    const transport = createTransport({ url: server.url });
    const stream = await transport.stream({ ...get, signal: abort.signal });
    abort.abort();
    await gone.promise;
    expect(stream.destroyed).toBe(true);
    await transport.close();
  });
});
