import { describe, expect, test } from 'vitest';
import { SlipwayError } from '../../../src/errors.ts';
import { encodeBody } from '../../../src/modules/invoke/body.ts';
import { headerProblems } from '../../../src/modules/invoke/headers.ts';
import { checkPath } from '../../../src/modules/invoke/path.ts';

function thrown(run: () => unknown): SlipwayError {
  try {
    run();
  } catch (error) {
    if (error instanceof SlipwayError) return error;
    throw error;
  }
  throw new Error('It was not refused.');
}

describe('a path', () => {
  test.each([
    '/',
    '/a/b',
    '/a//b',
    '/a/./b',
    '/...',
    '/..a/b..',
    '/a/%2F/b',
    '/%252e%252e/',
    '/%00/%0d%0a',
    '/v2/models/iris/infer?x=1&x=2',
    '/?q=../../etc',
    '/?a=%ZZ&b={}|<>"^`',
    `/${'a'.repeat(8191)}`,
  ])('%s is sent as it is', (path) => {
    expect(checkPath(path)).toBe(path);
  });

  test.each([
    ['/a?b#c', '/a?b'],
    ['/#/../x', '/'],
  ])('%s loses its fragment', (path, sent) => {
    expect(checkPath(path)).toBe(sent);
  });

  test.each([
    ['', 'PATH_FORM'],
    ['a', 'PATH_FORM'],
    ['*', 'PATH_FORM'],
    ['@evil', 'PATH_FORM'],
    ['?x', 'PATH_FORM'],
    ['//evil/x', 'PATH_FORM'],
    ['https:/evil', 'PATH_FORM'],
    ['http://evil/x', 'PATH_FORM'],
    ['/..', 'PATH_DOTS'],
    ['/../../api', 'PATH_DOTS'],
    ['/a/../b', 'PATH_DOTS'],
    ['/%2e%2e/', 'PATH_DOTS'],
    ['/%2E./x', 'PATH_DOTS'],
    ['/a/.%2e', 'PATH_DOTS'],
    ['/..;/', 'PATH_DOTS'],
    ['/..;x=1/', 'PATH_DOTS'],
    ['/..%3b/', 'PATH_DOTS'],
    ['/%2f..%2f', 'PATH_DOTS'],
    ['/a%5c..%5cb', 'PATH_DOTS'],
    ['/..?x', 'PATH_DOTS'],
    ['/a/..\\..\\b', 'PATH_CHARACTERS'],
    ['/?\\', 'PATH_CHARACTERS'],
    ['/a b', 'PATH_CHARACTERS'],
    ['/a\r\nHost: evil', 'PATH_CHARACTERS'],
    ['/a\nb', 'PATH_CHARACTERS'],
    ['/a\tb', 'PATH_CHARACTERS'],
    ['/a\0b', 'PATH_CHARACTERS'],
    ['/a\x7f', 'PATH_CHARACTERS'],
    ['/ü', 'PATH_CHARACTERS'],
    ['/\u560d\u560a', 'PATH_CHARACTERS'],
    ['/．．/', 'PATH_CHARACTERS'],
    [`/${'a'.repeat(8192)}`, 'PATH_TOO_LONG'],
    ['/'.repeat(65_536), 'PATH_TOO_LONG'],
  ])('%j is refused: %s', (path, reason) => {
    expect(thrown(() => checkPath(path))).toMatchObject({ code: 'INVALID', field: 'path', reason });
  });
});

describe('headers', () => {
  test.each([
    'Authorization',
    'Accept',
    'Accept-Encoding',
    'Content-Type',
    'Content-Encoding',
    'If-None-Match',
    'Idempotency-Key',
    'X-HTTP-Method-Override',
    'X-Request-Id',
    'Origin',
    '__proto__',
    'constructor',
    "a!#$%&'*+-.^_`|~1",
  ])('%s may be sent', (name) => {
    expect(
      headerProblems([
        { name, value: 'x; y="z"\t1' },
        { name, value: '' },
      ]),
    ).toEqual([]);
  });

  test.each([
    'Host',
    'HOST',
    'Content-Length',
    'Transfer-Encoding',
    'Connection',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Upgrade',
    'HTTP2-Settings',
    'Expect',
    'Proxy-Authorization',
    'Proxy-Connection',
    'Forwarded',
    'X-Forwarded-For',
    'x-forwarded-host',
    'X-Real-IP',
    'X-Original-URL',
    'X-Rewrite-URL',
    'Impersonate-User',
    'Impersonate-Extra-Scopes',
    'X-Remote-User',
    'X-Remote-Group',
    'Cookie',
    ':authority',
    ':path',
    'Host ',
    ' Host',
    'a b',
    'a\r\nb',
    'a\0',
    'a:b',
    'ä',
    '',
    'x'.repeat(300),
  ])('the name %j is refused', (name) => {
    expect(
      headerProblems([
        { name: 'Accept', value: '*/*' },
        { name, value: 'x' },
      ]),
    ).toMatchObject([{ code: 'HEADER_NOT_ALLOWED', field: 'headers.1.name' }]);
  });

  test.each(['a\r\nb: c', 'a\nb', 'a\rb', 'a\0b', 'a\r\n b', '\u560d\u560aSet-Cookie: x', 'ü', '\x7f', '\x1b[31m'])(
    'the value %j is refused',
    (value) => {
      expect(headerProblems([{ name: 'X-A', value }])).toMatchObject([{ code: 'INVALID', field: 'headers.0.value' }]);
    },
  );

  test('64 may be sent, 65 and 10,000 not', () => {
    const headers = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ name: `X-${index}`, value: 'v' }));
    expect(headerProblems(headers(64))).toEqual([]);
    for (const count of [65, 10_000]) {
      expect(headerProblems(headers(count))).toMatchObject([{ code: 'REQUEST_TOO_LARGE', field: 'headers' }]);
    }
  });

  test('one of 8 KiB may be sent, one more byte and 1 MiB not', () => {
    expect(headerProblems([{ name: 'X', value: 'v'.repeat(8191) }])).toEqual([]);
    for (const length of [8192, 1_048_576]) {
      expect(headerProblems([{ name: 'X', value: 'v'.repeat(length) }])).toMatchObject([
        { code: 'REQUEST_TOO_LARGE', field: 'headers.0.value' },
      ]);
    }
  });

  test('32 KiB in all may be sent, more not', () => {
    const headers = (length: number) => Array.from({ length: 8 }, () => ({ name: 'X', value: 'v'.repeat(length) }));
    expect(headerProblems(headers(4095))).toEqual([]);
    expect(headerProblems(headers(4096))).toMatchObject([{ code: 'REQUEST_TOO_LARGE', field: 'headers' }]);
  });

  test('everything wrong is told at once', () => {
    const problems = headerProblems([
      { name: 'Host', value: 'a' },
      { name: 'X', value: 'a\nb' },
    ]);
    expect(problems.map(({ field }) => field)).toEqual(['headers.0.name', 'headers.1.value']);
  });
});

describe('a body', () => {
  test('is UTF-8, and its limit counts bytes', () => {
    expect(encodeBody(null, 4)).toBeNull();
    expect(encodeBody('', 4)?.length).toBe(0);
    expect(encodeBody('üü', 4)?.length).toBe(4);
    expect(thrown(() => encodeBody('üüa', 4))).toMatchObject({ code: 'REQUEST_TOO_LARGE', field: 'body' });
  });

  test('with half a surrogate pair is refused', () => {
    expect(thrown(() => encodeBody('\ud800', 9))).toMatchObject({ code: 'INVALID', field: 'body' });
  });
});
