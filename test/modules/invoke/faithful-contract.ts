import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Invocation, type InvokeServer, type PlayedRun, type Response, type Way } from './surface.ts';
import { type Script, answer } from './upstream.ts';

/** What every way to a service must bring to it and back, byte for byte but for what the API server changes. */
export function faithfulContract({ open, reach }: Way): void {
  const direct = reach === 'direct';
  let server: InvokeServer;
  let run: PlayedRun;
  beforeAll(async () => {
    server = await open();
    run = await server.play('echo', '');
  });
  afterAll(() => server.stop());

  /** One call of a service that answers by the script. */
  async function called(script: Script | string | Buffer, input: object = {}): Promise<Invocation> {
    run.upstream.answerWith(script);
    return server.call(run, input);
  }

  /** The API server writes names of headers its own way. */
  const nameOf = (name: string) =>
    direct ? name : name.toLowerCase().replaceAll(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());

  async function response(script: Script | string | Buffer, input: object = {}): Promise<Response> {
    const invocation = await called(script, input);
    expect(invocation).toMatchObject({ outcome: 'COMPLETED', message: null, errorCode: null });
    if (!invocation.response) throw new Error('no response');
    return invocation.response;
  }

  describe('what is sent', () => {
    test('method, path, headers and body arrive byte for byte over one connection', async () => {
      const path = direct ? '/a//b/.;x/%2F%00?q=%zz&q="<>|' : '/a/b;x=1/c%20d?q=%zz&q="<>|';
      const invocation = await called(answer('ok'), {
        method: 'POST',
        path,
        headers: [
          { name: 'X-Twice', value: '1' },
          { name: 'Accept', value: 'text/*' },
          { name: 'x-twice', value: '2' },
          { name: 'X-HTTP-Method-Override', value: 'DELETE' },
          ...(direct ? [{ name: 'Authorization', value: 'Basic YTpi' }] : []),
        ],
        body: 'GET /second HTTP/1.1\r\nhost: a\r\n\r\nü',
      });
      expect(invocation.outcome).toBe('COMPLETED');
      const { requests } = run.upstream;
      expect(requests).toHaveLength(1);
      const [head = '', ...body] = requests[0]?.split('\r\n\r\n') ?? [];
      const asGiven = [
        `host: echo.${server.namespace}:8000`,
        'connection: keep-alive',
        'X-Twice: 1',
        'Accept: text/*',
        'x-twice: 2',
        'X-HTTP-Method-Override: DELETE',
        'Authorization: Basic YTpi',
        'content-length: 35',
      ];
      const byApiServer = [
        expect.stringMatching(/^Host: /),
        'Content-Length: 35',
        'Accept: text/*',
        'Accept-Encoding: identity',
        expect.stringMatching(/^X-Forwarded-For: /),
        expect.stringMatching(/^X-Forwarded-Uri: /),
        'X-Http-Method-Override: DELETE',
        'X-Twice: 1',
        'X-Twice: 2',
      ];
      expect(head.split('\r\n')).toEqual([`POST ${path} HTTP/1.1`, ...(direct ? asGiven : byApiServer)]);
      expect(Buffer.from(body.join('\r\n\r\n'), 'latin1').toString()).toBe('GET /second HTTP/1.1\r\nhost: a\r\n\r\nü');
    });

    test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'])('%s is really sent, with its body', async (method) => {
      const { body } = await response(answer('yes'), { method, body: '{"a":1}' });
      expect(run.upstream.requests).toEqual([
        expect.stringMatching(new RegExp(`^${method} / HTTP/1.1\r\n[^]*\r\n\r\n{"a":1}$`)),
      ]);
      expect(body).toBe(method === 'HEAD' ? null : 'yes');
    });

    test('without a body none is sent, and an empty one is', async () => {
      for (const method of ['GET', 'DELETE', 'HEAD']) {
        await response(answer('ok'), { method });
        expect(run.upstream.requests[0]).toMatch(new RegExp(`^${method} /`));
        expect(run.upstream.requests[0]).not.toMatch(/content-length|transfer-encoding/i);
      }
      for (const method of ['POST', 'PUT', 'PATCH']) {
        await response(answer('ok'), { method });
        expect(run.upstream.requests[0]).toMatch(new RegExp(`^${method} /[^]*\r\ncontent-length: 0\r\n`, 'i'));
      }
      await response(answer('ok'), { method: 'POST', body: '' });
      expect(run.upstream.requests[0]).toMatch(/\r\ncontent-length: 0\r\n/i);
    });

    test('a registered URL is called like its port and path', async () => {
      await response(answer('ok'), { url: `${run.url}/a?b=%20#c` });
      expect(run.upstream.requests[0]).toMatch(/^GET \/a\?b=%20 HTTP\/1\.1\r\nhost: /i);
      expect(run.upstream.requests[0]).toContain(direct ? `host: echo.${server.namespace}:8000\r\n` : '');
    });
  });

  describe('the true answer', () => {
    test('every status from 200 to 599 is mirrored with its reason and body', async () => {
      const wrong: unknown[] = [];
      for (let status = 200; status <= 599; status++) {
        const body = status === 204 || status === 304 ? null : 'why';
        const found = await response(
          body === null ? `HTTP/1.1 ${status} Some Words\r\n\r\n` : answer('why', {}, `${status} Some Words`),
        );
        const reason = direct ? 'Some Words' : found.statusText;
        if (found.status !== status || found.statusText !== reason || found.body !== body) wrong.push(found);
      }
      expect(wrong).toEqual([]);
    });

    test('headers keep their order, case, repetitions and bytes', async () => {
      const { headers } = await response(
        Buffer.from(
          'HTTP/1.1 200 OK\r\nX-B: 2\r\nSet-Cookie: a=1\r\nx-a:  1 \r\nSet-Cookie: b=2\r\nX-Y: \xe9\r\ncontent-length: 0\r\n\r\n',
          'latin1',
        ),
      );
      const shown = headers.map(({ name, value }) => `${name}: ${value}`);
      const asGiven = ['X-B: 2', 'Set-Cookie: a=1', 'x-a: 1', 'Set-Cookie: b=2', 'X-Y: é', 'content-length: 0'];
      // The date is its own.
      const byApiServer = ['Content-Length: 0', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'X-A: 1', 'X-B: 2', 'X-Y: é'];
      expect(direct ? shown : shown.slice(0, -1)).toEqual(direct ? asGiven : byApiServer);
    });

    test('a 401 of the service is data, with its challenge', async () => {
      const { status, headers } = await response(
        answer('no', { 'WWW-Authenticate': 'Basic realm="x"' }, '401 Unauthorized'),
      );
      expect(status).toBe(401);
      expect(headers).toContainEqual({ name: nameOf('WWW-Authenticate'), value: 'Basic realm="x"', redacted: false });
    });

    test.each([
      ['chunked', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-trailer: 1\r\n\r\n'],
      ['up to the end of the connection', 'HTTP/1.1 200 OK\r\n\r\nabc'],
      ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nabc'],
      [
        'after early hints',
        'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc',
      ],
      ['after 100 Continue', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc'],
      [
        'after ten interim answers',
        `${'HTTP/1.1 102 X\r\n\r\n'.repeat(10)}HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc`,
      ],
    ])('a body %s is read whole', async (_, bytes) => {
      expect(await response(bytes)).toMatchObject({ status: 200, body: 'abc', bodyBytes: 3, truncated: false });
    });

    test('redirects are shown and never followed', async () => {
      const locations = [
        'http://evil.example/',
        `${run.url}/again`,
        `http://${run.upstream.address}:${run.upstream.port + 1}/`,
        '/relative',
        '//127.0.0.1/x',
        'http://user:pass@127.0.0.1/',
        'http://169.254.169.254/latest/meta-data',
        null,
        `/${'a'.repeat(15_000)}`,
        '/two\r\nset-cookie: lines=1',
      ];
      const proxy = `/api/v1/namespaces/${server.namespace}/services/echo:8000/proxy`;
      for (const status of [300, 301, 302, 303, 305, 307, 308]) {
        for (const location of locations) {
          const headers: Record<string, string> = { refresh: '0; url=http://127.0.0.1/' };
          if (location !== null) headers['location'] = location;
          const found = await response(answer('moved', headers, `${status} Moved`));
          expect(found.status).toBe(status);
          const [line = null] = location?.split('\r\n') ?? [];
          const moved = !direct && line !== null && /^\/(?!\/)/.test(line) ? proxy + line : line;
          expect(found.headers.find(({ name }) => name.toLowerCase() === 'location')?.value ?? null).toBe(moved);
          expect(run.upstream.requests).toHaveLength(1);
        }
        const { outcome } = await called(answer('moved', { location: `/${'a'.repeat(65_536)}` }, `${status} Moved`));
        expect({ outcome, requests: run.upstream.requests.length }).toEqual({ outcome: 'PROTOCOL_ERROR', requests: 1 });
      }
    });
  });

  describe('compressed bodies', () => {
    const text = 'Grüße, '.repeat(1000);
    test.each([
      ['gzip', gzipSync(text)],
      ['x-gzip', gzipSync(text)],
      ['deflate', deflateSync(text)],
      ['deflate', deflateRawSync(text)],
      ['br', brotliCompressSync(text)],
      ['zstd', zstdCompressSync(text)],
      ['gzip, br', brotliCompressSync(gzipSync(text))],
      ['identity', Buffer.from(text)],
    ])('%s is decoded, and its header still shown', async (encoding, body) => {
      const found = await response(answer(body, { 'content-encoding': encoding }));
      expect(found.body).toBe(text);
      expect(found.bodyBytes).toBe(Buffer.byteLength(text));
      expect(found.headers).toContainEqual({ name: nameOf('content-encoding'), value: encoding, redacted: false });
    });

    test('an empty body under an encoding is empty', async () => {
      expect(await response(answer('', { 'content-encoding': 'gzip' }))).toMatchObject({ body: '', bodyBytes: 0 });
    });
  });

  /** `text` in a charset that Buffer does not know, for the few letters used here. */
  const bytes = (...values: number[]) => Buffer.from(values);

  describe('text', () => {
    test.each<[type: string | null, body: Buffer, text: string]>([
      ['text/plain', Buffer.from('ü'), 'ü'],
      ['text/plain; charset=utf-8', Buffer.from('ü'), 'ü'],
      ['text/plain; charset="UTF8"', Buffer.from('ü'), 'ü'],
      ['text/html; charset=iso-8859-1', bytes(0xfc, 0x80), 'ü€'],
      ['text/csv; charset=windows-1252', bytes(0x80), '€'],
      ['text/css;charset=windows-1251', bytes(0xe6), 'ж'],
      ['text/xml; charset=koi8-r', bytes(0xd6), 'ж'],
      ['text/plain; charset=shift_jis', bytes(0x83, 0x65), 'テ'],
      ['text/plain; charset=euc-jp', bytes(0xa5, 0xc6), 'テ'],
      ['text/plain; charset=iso-2022-jp', bytes(0x1b, 0x24, 0x42, 0x25, 0x46, 0x1b, 0x28, 0x42), 'テ'],
      ['text/plain; charset=gb18030', bytes(0xd6, 0xd0), '中'],
      ['text/plain; charset=gbk', bytes(0xd6, 0xd0), '中'],
      ['text/plain; charset=big5', bytes(0xa4, 0xa4), '中'],
      ['text/plain; charset=euc-kr', bytes(0xc7, 0xd1), '한'],
      ['text/plain; charset=utf-16le', Buffer.from('ü', 'utf16le'), 'ü'],
      ['text/plain; charset=utf-16be', bytes(0x00, 0xfc), 'ü'],
      ['text/plain', bytes(0xff, 0xfe, 0xfc, 0x00), 'ü'],
      ['text/plain', bytes(0xfe, 0xff, 0x00, 0xfc), 'ü'],
      ['text/plain; charset=iso-8859-1', bytes(0xef, 0xbb, 0xbf, 0xc3, 0xbc), 'ü'],
      ['application/json', Buffer.from('{"ü":1}'), '{"ü":1}'],
      ['application/problem+json', Buffer.from('{}'), '{}'],
      ['application/vnd.api+json; charset=utf-8', Buffer.from('{}'), '{}'],
      ['application/ld+json', Buffer.from('{}'), '{}'],
      ['application/yaml', Buffer.from('a: 1'), 'a: 1'],
      ['application/x-yaml', Buffer.from('a: 1'), 'a: 1'],
      ['text/yaml', Buffer.from('a: 1'), 'a: 1'],
      ['application/openapi+yaml', Buffer.from('a: 1'), 'a: 1'],
      ['application/x-ndjson', Buffer.from('1\n2\n'), '1\n2\n'],
      ['application/jsonl', Buffer.from('1\n2\n'), '1\n2\n'],
      ['application/xml', Buffer.from('<a/>'), '<a/>'],
      ['application/soap+xml', Buffer.from('<a/>'), '<a/>'],
      ['image/svg+xml', Buffer.from('<svg/>'), '<svg/>'],
      ['application/xhtml+xml', Buffer.from('<html/>'), '<html/>'],
      ['text/html', Buffer.from('<script>alert(1)</script>'), '<script>alert(1)</script>'],
      ['application/x-www-form-urlencoded', Buffer.from('a=1&b=%20'), 'a=1&b=%20'],
      ['application/javascript', Buffer.from('x()'), 'x()'],
      ['text/event-stream', Buffer.from('data: 1\n\n'), 'data: 1\n\n'],
      [
        'application/xml',
        Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><a>\xfc</a>', 'latin1'),
        '<?xml version="1.0" encoding="ISO-8859-1"?><a>ü</a>',
      ],
      [
        'text/html',
        Buffer.from('<!doctype html><meta charset="windows-1252">\x80', 'latin1'),
        '<!doctype html><meta charset="windows-1252">€',
      ],
      [null, Buffer.from('ü {'), 'ü {'],
      ['text/plain', Buffer.from('\u001b[31mred\u202e'), '\u001b[31mred\u202e'],
    ])('%s is decoded', async (type, body, text) => {
      const head = type === null ? '' : `content-type: ${type}\r\n`;
      const found = await response(
        Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${head}content-length: ${body.length}\r\n\r\n`), body]),
      );
      expect(found).toMatchObject({
        body: text,
        lossy: false,
        truncated: false,
        // The API server gives a guess to what has none.
        contentType: type ?? (direct ? null : 'text/plain; charset=utf-8'),
        bodyBytes: body.length,
      });
    });

    // With those above they are all of the Encoding Standard.
    test.each<[charset: string, values: number[], text: string]>([
      ['ibm866', [0x80], 'А'],
      ['iso-8859-2', [0xb1], 'ą'],
      ['iso-8859-3', [0xa1], 'Ħ'],
      ['iso-8859-4', [0xb1], 'ą'],
      ['iso-8859-5', [0xb0], 'А'],
      ['iso-8859-6', [0xc7], 'ا'],
      ['iso-8859-7', [0xe1], 'α'],
      ['iso-8859-8', [0xe0], 'א'],
      ['iso-8859-8-i', [0xe0], 'א'],
      ['iso-8859-10', [0xa1], 'Ą'],
      ['iso-8859-13', [0xc0], 'Ą'],
      ['iso-8859-14', [0xa1], 'Ḃ'],
      ['iso-8859-15', [0xa4], '€'],
      ['iso-8859-16', [0xa4], '€'],
      ['koi8-u', [0xa4], 'є'],
      ['macintosh', [0x80], 'Ä'],
      ['windows-874', [0xa1], 'ก'],
      ['windows-1250', [0xb9], 'ą'],
      ['windows-1253', [0xe1], 'α'],
      ['windows-1254', [0xf0], 'ğ'],
      ['windows-1255', [0xe0], 'א'],
      ['windows-1256', [0xc7], 'ا'],
      ['windows-1257', [0xc0], 'Ą'],
      ['windows-1258', [0xd0], 'Đ'],
      ['x-mac-cyrillic', [0x80], 'А'],
      ['x-user-defined', [0x80], '\uf780'],
    ])('%s is decoded', async (charset, values, text) => {
      const found = await response(answer(bytes(...values), { 'content-type': `text/plain; charset=${charset}` }));
      expect(found).toMatchObject({ body: text, lossy: false });
    });

    test.each(['ID3 learns trees.', 'RIFF é', 'GIF89a\nis a format', '%PDF-', 'BZh9', 'OggS…', 'wOFF', 'PK', '7z'])(
      'a text that begins like a file of another kind is text: %s',
      async (text) => {
        expect(await response(answer(text))).toMatchObject({ body: text, lossy: false });
      },
    );

    test.each<[type: string, body: Buffer, text: string]>([
      ['text/plain', bytes(0x61, 0xff), 'a\ufffd'],
      ['application/json', bytes(0x22, 0xc3, 0x22), '"\ufffd"'],
      ['text/plain; charset=shift_jis', bytes(0x61, 0x81), 'a\ufffd'],
    ])('%s with bytes that are none of its characters is lossy', async (type, body, text) => {
      expect(await response(answer(body, { 'content-type': type }))).toMatchObject({ body: text, lossy: true });
    });

    test.each<[type: string | null, body: Buffer]>([
      ['image/png', bytes(0x89, 0x50, 0x4e, 0x47)],
      ['application/octet-stream', Buffer.from('abc')],
      ['application/pdf', Buffer.from('%PDF-1.7')],
      ['application/grpc', Buffer.from('abc')],
      ['text/plain', bytes(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0)],
      ['application/json', Buffer.from('\x7fELF\x02\x01', 'latin1')],
      ...[
        ...[
          'GIF87a\x01\x02\x03',
          'GIF89a\x01',
          '\xff\xd8\xff\xe0',
          '%PDF-1.7\n%\xe2\xe3\xcf\xd3',
          'PK\x03\x04a',
          '\x1f\x8b\x08',
        ],
        ...[
          'BZh91AY&SY\xd3\xff',
          '\xfd7zXZ',
          '7z\xbc\xaf',
          '\x28\xb5\x2f\xfd',
          'RIFF\x10\x01WAVE',
          'OggS\x02',
          'ID3\x03',
          'wOFF\x01',
        ],
        ...['wOF2\x01', '\xca\xfe\xba\xbe', '\x00asm\x01'],
      ].map((begin): [string, Buffer] => ['text/plain', Buffer.from(begin, 'latin1')]),
      ['text/plain', Buffer.from('a\0b')],
      ['text/plain; charset=klingon', Buffer.from('abc')],
      [null, Buffer.from('a\0b')],
      ...(direct ? [[null, bytes(0xff, 0x61)] as [null, Buffer]] : []),
    ])('%s that is no text has its status and headers only', async (type, body) => {
      const head = type === null ? '' : `content-type: ${type}\r\n`;
      const {
        outcome,
        message,
        response: found,
      } = await called(
        Buffer.concat([Buffer.from(`HTTP/1.1 206 OK\r\n${head}content-length: ${body.length}\r\n\r\n`), body]),
      );
      expect(outcome).toBe('UNSUPPORTED_CONTENT');
      expect(message).toBeTruthy();
      expect(found).toMatchObject({ status: 206, body: null, bodyBytes: body.length, truncated: false, preview: null });
    });
  });
}
