import { deflateRawSync, deflateSync, brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { type CallLimits, type CallRequest, openCall } from '../../../src/modules/invoke/call.ts';
import { CallFailure } from '../../../src/modules/invoke/failure.ts';
import { type Result, readResponse } from '../../../src/modules/invoke/response.ts';
import { type Script, type Upstream, answer, startUpstream } from './upstream.ts';

const limits: CallLimits = { connectTimeoutMs: 1000, firstByteTimeoutMs: 5000, totalTimeoutMs: 5000 };
const maxBytes = 65_536;

interface Options {
  limits?: Partial<CallLimits>;
  signal?: AbortSignal;
  confirm?: () => boolean;
}

/** The result of one call, or the failure before there was an answer. */
async function call(upstream: Upstream, request: Partial<CallRequest> = {}, options: Options = {}) {
  const whole: CallRequest = {
    address: '127.0.0.1',
    port: upstream.port,
    authority: `demo.default:${upstream.port}`,
    method: 'GET',
    path: '/',
    headers: [],
    body: null,
    ...request,
  };
  try {
    const open = await openCall(whole, {
      limits: { ...limits, ...options.limits },
      clock: systemClock,
      signal: options.signal ?? new AbortController().signal,
      ...(options.confirm && { confirm: options.confirm }),
    });
    return await readResponse(open, whole.method, maxBytes);
  } catch (error) {
    if (!(error instanceof CallFailure)) throw error;
    return { outcome: error.outcome, message: error.message, response: null } as Omit<Result, 'response'> & {
      response: Result['response'] | null;
    };
  }
}

async function answered(script: Script | string | Buffer, request: Partial<CallRequest> = {}, options: Options = {}) {
  await using upstream = await startUpstream(script);
  const result = await call(upstream, request, options);
  await upstream.idle();
  return { ...result, requests: upstream.requests };
}

describe('what is sent', () => {
  test('method, path, headers and body arrive byte for byte over one connection', async () => {
    const { requests } = await answered(answer('ok'), {
      method: 'POST',
      path: '/a//b/..;x/%2F%00?q=%zz&q="<>|',
      headers: [
        { name: 'X-Twice', value: '1' },
        { name: 'x-twice', value: '2' },
        { name: 'X-HTTP-Method-Override', value: 'DELETE' },
      ],
      body: Buffer.from('GET /second HTTP/1.1\r\nhost: a\r\n\r\n'),
    });
    expect(requests).toHaveLength(1);
    const [head = '', ...body] = requests[0]?.split('\r\n\r\n') ?? [];
    const lines = head.split('\r\n');
    expect(lines[0]).toBe('POST /a//b/..;x/%2F%00?q=%zz&q="<>| HTTP/1.1');
    expect(lines.filter((line) => /^x-/i.test(line))).toEqual([
      'X-Twice: 1',
      'x-twice: 2',
      'X-HTTP-Method-Override: DELETE',
    ]);
    expect(lines.find((line) => /^host:/i.test(line))).toMatch(/^host: demo\.default:\d+$/);
    expect(lines.filter((line) => /^(content-length|transfer-encoding)/i.test(line))).toEqual(['content-length: 33']);
    expect(body.join('\r\n\r\n')).toBe('GET /second HTTP/1.1\r\nhost: a\r\n\r\n');
  });

  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'] as const)(
    '%s is really sent, with a body',
    async (method) => {
      const { requests, outcome, response } = await answered(answer('yes'), { method, body: Buffer.from('data') });
      expect(requests).toHaveLength(1);
      expect(requests[0]).toMatch(new RegExp(`^${method} / HTTP/1.1\r\n`));
      expect(requests[0]).toMatch(/\r\n\r\ndata$/);
      expect(outcome).toBe('COMPLETED');
      expect(response?.body).toBe(method === 'HEAD' ? null : 'yes');
    },
  );

  test('a target that is no longer the same after connecting gets not one byte', async () => {
    const { outcome, requests } = await answered(answer('no'), {}, { confirm: () => false });
    expect(outcome).toBe('UNREACHABLE');
    expect(requests.join('')).toBe('');
  });
});

describe('true answers', () => {
  test.each([
    200, 201, 202, 206, 299, 300, 301, 302, 303, 305, 307, 308, 400, 401, 403, 404, 409, 418, 422, 429, 500, 502, 503,
    599,
  ])('status %i is mirrored with its headers and body', async (status) => {
    const headers = {
      Location: 'http://127.0.0.1:1/',
      Refresh: '0; url=http://127.0.0.1:1/',
      'WWW-Authenticate': 'Basic',
    };
    const { outcome, response, requests } = await answered(answer('why', headers, `${status} Some Words`));
    expect(outcome).toBe('COMPLETED');
    expect(response).toMatchObject({ status, statusText: 'Some Words', body: 'why', bodyBytes: 3, truncated: false });
    expect(response?.headers).toContainEqual({ name: 'Location', value: 'http://127.0.0.1:1/' });
    expect(requests).toHaveLength(1);
  });

  test.each([204, 304])('%i has no body', async (status) => {
    const { outcome, response } = await answered(`HTTP/1.1 ${status} X\r\netag: "1"\r\n\r\n`);
    expect({ outcome, body: response?.body }).toEqual({ outcome: 'COMPLETED', body: null });
  });

  test('headers keep their order, case and repetitions', async () => {
    const { response } = await answered(
      'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Y: \xe9\r\ncontent-length: 0\r\n\r\n',
    );
    expect(response?.headers.slice(0, 2)).toEqual([
      { name: 'Set-Cookie', value: 'a=1' },
      { name: 'Set-Cookie', value: 'b=2' },
    ]);
    expect(response?.body).toBe('');
  });

  test.each([
    [
      'chunked',
      'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    ],
    ['until the end of the connection', 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nabc'],
    [
      'after interim answers',
      'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc',
    ],
    ['after 100 Continue', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc'],
  ])('a body %s is read whole', async (_, bytes) => {
    const { outcome, response } = await answered(bytes);
    expect({ outcome, body: response?.body }).toEqual({ outcome: 'COMPLETED', body: 'abc' });
  });
});

describe('compressed answers', () => {
  const text = 'Grüße, '.repeat(1000);
  test.each([
    ['gzip', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['br', brotliCompressSync(text)],
    ['zstd', zstdCompressSync(text)],
    ['gzip, br', brotliCompressSync(gzipSync(text))],
  ])('%s is decoded', async (encoding, body) => {
    const { outcome, response } = await answered(answer(body, { 'content-encoding': encoding }));
    expect(outcome).toBe('COMPLETED');
    expect(response?.body).toBe(text);
    expect(response?.bodyBytes).toBe(Buffer.byteLength(text));
  });

  const zeros = Buffer.alloc(50_000_000, 'a');
  test.each([
    ['gzip', gzipSync(zeros)],
    ['deflate', deflateRawSync(zeros)],
    ['br', brotliCompressSync(zeros)],
    ['zstd', zstdCompressSync(zeros)],
    ['gzip, gzip', gzipSync(gzipSync(zeros))],
  ])('a %s bomb is stopped at the cap', async (encoding, body) => {
    const { outcome, response } = await answered(answer(body, { 'content-encoding': encoding }));
    expect(outcome).toBe('RESPONSE_TOO_LARGE');
    expect(response).toMatchObject({ bodyBytes: maxBytes, truncated: true, status: 200 });
  });

  test('an endless run of empty gzip members is stopped too', async () => {
    const members = Buffer.concat(Array.from({ length: 2000 }, () => gzipSync('')));
    const { outcome } = await answered((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\n\r\n');
      const more = () => {
        while (!socket.destroyed && socket.write(members));
      };
      socket.on('drain', more);
      more();
    });
    expect(outcome).toBe('RESPONSE_TOO_LARGE');
  });

  test.each([
    ['gzip', Buffer.from('not gzip at all')],
    ['gzip', gzipSync(text).subarray(0, 40)],
    ['deflate', Buffer.from('\xff\xff\xff\xff')],
    ['br', Buffer.from('nonsense, no brotli')],
    ['zstd', Buffer.from('nonsense, no zstd')],
  ])('a damaged %s body is a protocol error with its status', async (encoding, body) => {
    const { outcome, response } = await answered(answer(body, { 'content-encoding': encoding }));
    expect({ outcome, status: response?.status }).toEqual({ outcome: 'PROTOCOL_ERROR', status: 200 });
  });

  test.each(['compress', 'gzip, gzip, gzip, gzip', 'constructor'])(
    'an encoding "%s" is not decoded',
    async (encoding) => {
      const { outcome, response } = await answered(answer('abc', { 'content-encoding': encoding }));
      expect({ outcome, body: response?.body }).toEqual({ outcome: 'UNSUPPORTED_CONTENT', body: null });
    },
  );
});

describe('hostile answers', () => {
  test.each([
    ['an SMTP banner', '220 mail.internal.example ESMTP\r\n'],
    ['a Redis error', '-ERR wrong number of arguments\r\n'],
    ['a TLS alert', Buffer.from('15030100020228', 'hex')],
    ['HTTP/0.9', '<html>old</html>'],
    ['no status', 'HTTP/1.1\r\n\r\n'],
    ['status 000', 'HTTP/1.1 000 X\r\ncontent-length: 0\r\n\r\n'],
    ['status 999', 'HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n'],
    ['switching protocols', 'HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'],
    ['a bad chunk size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n'],
    [
      'length and chunks',
      'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc'],
    ['a length too long', 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\nabc'],
    ['a length too short', 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1\r\n\r\nabc'],
    ['cut chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'],
    ['a NUL in a header', 'HTTP/1.1 200 OK\r\nx-a: b\0c\r\ncontent-length: 0\r\n\r\n'],
    ['large headers', `HTTP/1.1 200 OK\r\nx-a: ${'b'.repeat(20_000)}\r\ncontent-length: 0\r\n\r\n`],
    ['a thousand headers', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(1000)}content-length: 0\r\n\r\n`],
    ['eleven interim answers', 'HTTP/1.1 103 X\r\n\r\n'.repeat(11) + 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
    ['nothing', ''],
  ])('%s is a protocol error that repeats nothing of it', async (_, bytes) => {
    const { outcome, message, requests } = await answered(bytes);
    expect(outcome).toBe('PROTOCOL_ERROR');
    expect(message).not.toMatch(/mail|ERR|127\.0|old/);
    expect(requests).toHaveLength(1);
  });

  test.each([
    ['before an answer', ''],
    ['in the middle of the body', 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\nabc'],
  ])('a reset %s is a protocol error and nothing is sent again', async (_, bytes) => {
    const { outcome, requests } = await answered((socket) => socket.write(bytes, () => socket.resetAndDestroy()));
    expect(outcome).toBe('PROTOCOL_ERROR');
    expect(requests).toHaveLength(1);
  });

  test('a refused connection is unreachable', async () => {
    const upstream = await startUpstream('');
    await upstream[Symbol.asyncDispose]();
    expect(await call(upstream)).toMatchObject({ outcome: 'UNREACHABLE', response: null });
  });

  test('an endless body is cut at the cap and the connection closed', async () => {
    const { outcome, response } = await answered((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n');
      const more = () => {
        while (!socket.destroyed && socket.write('ab'.repeat(8192)));
      };
      socket.on('drain', more);
      more();
    });
    expect(outcome).toBe('RESPONSE_TOO_LARGE');
    expect(response).toMatchObject({ bodyBytes: maxBytes, truncated: true });
  });

  test.each([
    ['silent', '', null],
    [
      'silent after the headers',
      'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\nab',
      { status: 200, body: 'ab', truncated: true },
    ],
  ])('a service that is %s times out', async (_, bytes, shown) => {
    const { outcome, response } = await answered(
      (socket) => socket.write(bytes),
      {},
      { limits: { totalTimeoutMs: 100 } },
    );
    expect(outcome).toBe('TIMEOUT');
    expect(response && { status: response.status, body: response.body, truncated: response.truncated }).toEqual(shown);
  });

  test('a caller who goes away ends the call upstream', async () => {
    const aborter = new AbortController();
    const { outcome } = await answered(() => aborter.abort(), {}, { signal: aborter.signal });
    expect(outcome).toBe('CANCELLED');
  });
});

describe('content', () => {
  test.each([
    ['image/png', Buffer.from('\x89PNG\r\n\x1a\n\0', 'latin1')],
    ['application/octet-stream', Buffer.from('abc')],
    ['application/pdf', Buffer.from('%PDF-1.7')],
    ['text/plain', Buffer.from('\x89PNG\r\n\x1a\n\0', 'latin1')],
    ['application/json', Buffer.from('\x7fELF\x02\x01', 'latin1')],
    ['text/plain', Buffer.from('a\0b')],
  ])('%s that is not text has status and headers only', async (type, body) => {
    const { outcome, response } = await answered(answer(body, { 'content-type': type }));
    expect(outcome).toBe('UNSUPPORTED_CONTENT');
    expect(response).toMatchObject({ status: 200, body: null, bodyBytes: body.length, truncated: false });
  });
});
