import type { Transform } from 'node:stream';
import {
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  deflateRawSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type InvokeServer, type PlayedRun, type Way } from './surface.ts';
import { type Script, answer, flood } from './upstream.ts';

const maxResponseBytes = 1_048_576;
const shortCall = 'mutation ($input: InvokeServiceInput!) { invokeService(input: $input) { invocation { outcome } } }';

/** What services may answer without harm, whatever the way to them. */
export function hostileAnswersContract({ open, reach }: Way): void {
  const direct = reach === 'direct';
  /** What the API server can't make sense of is a service that it does not reach. */
  const broken = direct ? 'PROTOCOL_ERROR' : 'UNREACHABLE';
  let server: InvokeServer;
  let run: PlayedRun;
  beforeAll(async () => {
    server = await open();
    run = await server.play('evil', '');
  });
  afterAll(() => server.stop());

  async function called(script: Script | string | Buffer, input: object = {}) {
    run.upstream.answerWith(script);
    const invocation = await server.call(run, input);
    // The API server's own connections are its own business.
    if (direct) await run.upstream.idle();
    // Whatever went wrong, what is said tells nothing of the network, the cluster or the program.
    expect(invocation.message ?? '').not.toMatch(/\d+\.\d+\.\d+|evil|\.[jt]s\b|errno|ECONN|UND_/i);
    return { ...invocation, connections: run.upstream.requests.length };
  }

  describe('what is not HTTP', () => {
    test.each<[name: string, bytes: string | Buffer, byApiServer?: string]>([
      ['an SMTP banner', '220 mail.internal.example ESMTP\r\n'],
      ['a Redis error', '-ERR wrong number of arguments\r\n'],
      ['a TLS alert', Buffer.from('15030100020228', 'hex')],
      ['HTTP/0.9', '<html>old</html>'],
      ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
      ['no status', 'HTTP/1.1\r\n\r\n'],
      ['status 000', 'HTTP/1.1 000 X\r\ncontent-length: 0\r\n\r\n', 'PROTOCOL_ERROR'],
      ['status 999', 'HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n', 'PROTOCOL_ERROR'],
      ['switching protocols', 'HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'],
      [
        'a bad chunk size',
        'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n',
        'PROTOCOL_ERROR',
      ],
      [
        'length and chunks',
        'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
        'COMPLETED',
      ],
      ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc'],
      ['a length that is no number', 'HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\nabc'],
      [
        'a length too long',
        'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\nabc',
        'PROTOCOL_ERROR',
      ],
      [
        'a length too short',
        'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1\r\n\r\nabc',
        'COMPLETED',
      ],
      ['cut chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n', 'PROTOCOL_ERROR'],
      ['a NUL in a header', 'HTTP/1.1 200 OK\r\nx-a: b\0c\r\ncontent-length: 0\r\n\r\n'],
      ['a header without a name', 'HTTP/1.1 200 OK\r\n: b\r\ncontent-length: 0\r\n\r\n'],
      ['large headers', `HTTP/1.1 200 OK\r\nx-a: ${'b'.repeat(20_000)}\r\ncontent-length: 0\r\n\r\n`, 'PROTOCOL_ERROR'],
      [
        'a thousand headers',
        `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(1000)}content-length: 0\r\n\r\n`,
        'PROTOCOL_ERROR',
      ],
      [
        'eleven interim answers',
        `${'HTTP/1.1 103 X\r\n\r\n'.repeat(11)}HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n`,
        'PROTOCOL_ERROR',
      ],
      ['nothing', ''],
    ])('%s is a protocol error that repeats nothing of it', async (_, bytes, byApiServer = broken) => {
      const { outcome, message, connections } = await called(bytes);
      expect(outcome).toBe(direct ? 'PROTOCOL_ERROR' : byApiServer);
      expect(message ?? 'The answer is fine.').toMatch(/^The (answer|service|API server) /);
      expect(message ?? '').not.toMatch(/mail|ERR|127\.|10\.|old|parse/i);
      expect(connections).toBe(1);
    });

    test.each([
      ['before an answer', '', broken, null],
      ['within the head', 'HTTP/1.1 200 OK\r\ncontent-', broken, null],
      [
        'within the body',
        'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc',
        'PROTOCOL_ERROR',
        // The API server holds back what it has.
        direct ? { status: 200, body: 'abc', truncated: true } : null,
      ],
    ])('a reset %s is a protocol error, and nothing is sent again', async (_, bytes, expected, shown) => {
      const { outcome, response, connections } = await called((socket) =>
        socket.write(bytes, () => socket.resetAndDestroy()),
      );
      expect(outcome).toBe(expected);
      expect(response && { status: response.status, body: response.body, truncated: response.truncated }).toEqual(
        shown,
      );
      expect(connections).toBe(1);
    });

    test('one call is at most one request, whatever happens to the connection', async () => {
      let count = 0;
      run.upstream.answerWith((socket) => {
        count += 1;
        if (count % 3 === 0) socket.resetAndDestroy();
        else if (count % 3 === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-', () => socket.resetAndDestroy());
        else socket.end();
      });
      // 1,000 through the API server would take long.
      const calls = direct ? 1_000 : 60;
      for (let n = 0; n < calls; n += 4) {
        const four = ['GET', 'POST', 'PUT', 'DELETE'].map((method) =>
          server.data(shortCall, { input: { id: run.id, method, body: 'x' } }),
        );
        for (const data of await Promise.all(four)) expect(JSON.stringify(data)).toContain(`"${broken}"`);
      }
      expect(count).toBe(calls);
    }, 120_000);

    test('what comes after an answer is never the answer to the next call', async () => {
      const evil = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\nevil';
      const good = Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\ngood');
      run.upstream.answerWith((socket) => {
        socket.write(good, () => setImmediate(() => socket.write(evil)));
        socket.on('data', () => socket.write(good));
      });
      for (let n = 0; n < 50; n++) {
        const { outcome, message, response } = await server.call(run);
        // Where both come at once the answer itself is wrong.
        expect(['COMPLETED null good', 'PROTOCOL_ERROR The answer is longer than it said. undefined']).toContain(
          `${outcome} ${message} ${response?.body}`,
        );
      }
    });

    test('a service that closes connections without a word fails no call', async () => {
      const good = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\ngood';
      run.upstream.answerWith((socket) => socket.end(good));
      for (let n = 0; n < 50; n++) expect(await server.call(run)).toMatchObject({ outcome: 'COMPLETED' });
      run.upstream.answerWith((socket) => socket.write(good, () => socket.resetAndDestroy()));
      for (let n = 0; n < 50; n++) expect((await server.call(run)).outcome).toMatch(/^(COMPLETED|PROTOCOL_ERROR)$/);
      expect(run.upstream.requests).toHaveLength(50);
    });

    test('a refused connection is unreachable', async () => {
      const gone = await server.play('gone', '');
      await gone.upstream[Symbol.asyncDispose]();
      const { outcome, message, response } = await server.call(gone);
      expect({ outcome, message, response }).toEqual({
        outcome: 'UNREACHABLE',
        message: direct ? 'The service refused the connection.' : 'The API server could not reach the service.',
        response: null,
      });
    });
  });

  describe('bodies that are too large or damaged', () => {
    const zeros = Buffer.alloc(200_000_000, 'a');
    const gzipped = gzipSync(zeros);
    test.each([
      ['gzip', gzipped],
      ['deflate', deflateRawSync(zeros)],
      ['br', brotliCompressSync(zeros, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } })],
      ['zstd', zstdCompressSync(zeros)],
      ['gzip, gzip', gzipSync(gzipped)],
    ])('a %s bomb is stopped at the cap', async (encoding, body) => {
      expect(body.length).toBeLessThan(200_000);
      const { outcome, message, response } = await called(answer(body, { 'content-encoding': encoding }));
      expect(outcome).toBe('RESPONSE_TOO_LARGE');
      expect(message).toMatch(/larger than 1048576 bytes/);
      expect(response).toMatchObject({ bodyBytes: maxResponseBytes, truncated: true, status: 200 });
    });

    test('they take turns: each is answered, whatever became of the ones before', async () => {
      const widest = { params: { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: 4 } };
      const kinds: [encoding: string, body: Buffer, end: string][] = [
        ['br', brotliCompressSync('text of br', widest), 'COMPLETED text of br'],
        ['br', Buffer.from('nonsense, no brotli'), 'PROTOCOL_ERROR '],
        ['br', brotliCompressSync(zeros, widest), 'RESPONSE_TOO_LARGE aaaaaaaaaa'],
        ['zstd', zstdCompressSync('text of zstd'), 'COMPLETED text of zs'],
        ['gzip', gzipSync('text of gzip'), 'COMPLETED text of gz'],
        ['br', Buffer.alloc(0), 'COMPLETED '],
      ];
      run.upstream.answerWith((socket, request) => {
        const [encoding = '', body = ''] = kinds[Number(/^GET \/(\d)/.exec(request)?.[1])] ?? [];
        socket.end(answer(body, { 'content-encoding': encoding }));
      });
      // As many as one caller may make at once.
      const calls = Array.from({ length: 8 }, (_, n) => server.call(run, { path: `/${n % kinds.length}` }));
      const ends = await Promise.all(calls);
      expect(ends.map(({ outcome, response }) => `${outcome} ${response?.body?.slice(0, 10)}`)).toEqual(
        ends.map((_, n) => kinds[n % kinds.length]?.[2]),
      );
    });

    const encoders: [encoding: string, create: () => Transform & { flush(done: () => void): void }][] = [
      ['gzip', () => createGzip()],
      ['br', () => createBrotliCompress()],
      ['zstd', () => createZstdCompress()],
    ];
    test.each(direct ? encoders : [])('of one in %s that breaks off there is what came', async (encoding, create) => {
      const encoder = create();
      encoder.write('what came');
      await new Promise<void>((resolve) => encoder.flush(resolve));
      const part = encoder.read() as Buffer;
      encoder.destroy();
      const { outcome, message, response } = await called(
        answer(part, { 'content-encoding': encoding, 'content-length': '1000' }),
      );
      expect({ outcome, body: response?.body }).toEqual({ outcome: 'PROTOCOL_ERROR', body: 'what came' });
      expect(message).toMatch(/closed the connection/);
    });

    test('an endless run of empty gzip members is stopped too', async () => {
      const members = Buffer.concat(Array.from({ length: 2000 }, () => gzipSync('')));
      const { outcome } = await called((socket) => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\n\r\n');
        flood(socket, members);
      });
      expect(outcome).toBe('RESPONSE_TOO_LARGE');
    });

    test('an endless body is cut at the cap, and the connection closed', async () => {
      const { outcome, response } = await called((socket) => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n');
        flood(socket, 'ab'.repeat(8192));
      });
      expect(outcome).toBe('RESPONSE_TOO_LARGE');
      expect(response).toMatchObject({ bodyBytes: maxResponseBytes, truncated: true });
    });

    test('so are endless chunks, and a body that never comes to the length it said', async () => {
      for (const head of ['transfer-encoding: chunked', 'content-length: 999999999999']) {
        const { outcome, response } = await called((socket) => {
          socket.write(`HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n${head}\r\n\r\n`);
          const body = 'ab'.repeat(8192);
          flood(socket, head.startsWith('t') ? `4000\r\n${body}\r\n` : body);
        });
        expect(outcome).toBe('RESPONSE_TOO_LARGE');
        expect(response).toMatchObject({ bodyBytes: maxResponseBytes, truncated: true });
      }
    });

    test('a body of exactly the cap is whole, one more byte is cut', async () => {
      const whole = await called(answer('x'.repeat(maxResponseBytes)));
      expect(whole).toMatchObject({
        outcome: 'COMPLETED',
        response: { truncated: false, bodyBytes: maxResponseBytes },
      });
      const cut = await called(answer('x'.repeat(maxResponseBytes + 1)));
      expect(cut).toMatchObject({
        outcome: 'RESPONSE_TOO_LARGE',
        response: { truncated: true, bodyBytes: maxResponseBytes },
      });
    });

    test.each([
      ['gzip', Buffer.from('not gzip at all')],
      ['gzip', gzipSync('x'.repeat(1000)).subarray(0, 20)],
      ['deflate', Buffer.from('\xff\xff\xff\xff')],
      ['br', Buffer.from('nonsense, no brotli')],
      ['zstd', Buffer.from('nonsense, no zstd')],
    ])('a damaged %s body is a protocol error with its status', async (encoding, body) => {
      const { outcome, response } = await called(answer(body, { 'content-encoding': encoding }));
      expect({ outcome, status: response?.status }).toEqual({ outcome: 'PROTOCOL_ERROR', status: 200 });
    });

    test.each(['compress', 'gzip, gzip, gzip, gzip', 'constructor'])(
      'an encoding "%s" is not decoded',
      async (encoding) => {
        const { outcome, response } = await called(answer('abc', { 'content-encoding': encoding }));
        expect({ outcome, body: response?.body }).toEqual({ outcome: 'UNSUPPORTED_CONTENT', body: null });
      },
    );
  });

  test('JSON nested 100,000 times, a line of 1 MiB and scripts are inert text', async () => {
    const scripts = '<script>alert(1)</script><svg onload="alert(1)"/>\u001b[2J\u001b]0;x\u0007\u202e';
    for (const text of ['['.repeat(100_000), 'x'.repeat(maxResponseBytes), scripts]) {
      for (const type of ['application/json', 'text/html', 'image/svg+xml']) {
        const { outcome, response } = await called(answer(text, { 'content-type': type }));
        expect({ outcome, same: response?.body === text }).toEqual({ outcome: 'COMPLETED', same: true });
        expect(response?.preview?.value).toBeNull();
      }
    }
    expect(await server.data('{ viewer { name } }')).toEqual({ viewer: { name: expect.any(String) } });
  });
}
