import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SlipwayError } from '../../../src/errors.ts';
import { replacePathPrefix } from '../../../src/k8s/embedded/gateway/paths.ts';
import { liesUnder, normalPrefixes } from '../../../src/modules/gateways/paths.ts';

function normal(pathPrefix: string, rewritePathPrefix: string | null = null) {
  const errors: SlipwayError[] = [];
  const prefixes = normalPrefixes({ pathPrefix, rewritePathPrefix }, errors);
  return { prefixes, errors: errors.map(({ field, reason }) => `${field} ${reason}`) };
}

describe('the normal form of prefixes', () => {
  test.each([
    ['/', null, '/', null],
    ['/v1', null, '/v1', null],
    ['/v1/', null, '/v1', null],
    ['/v1', '/', '/v1', '/'],
    ['/v1', '', '/v1', '/'],
    ['/v1/', '/x/y/', '/v1', '/x/y'],
    ['/v1', '/v1/', '/v1', null],
    ['/', '/', '/', null],
    ['/', '', '/', null],
    ["/a.b+c/%20-_~!$&'()*,;=:@", null, "/a.b+c/%20-_~!$&'()*,;=:@", null],
  ])('%s with %s is %s with %s', (prefix, rewrite, pathPrefix, rewritePathPrefix) => {
    expect(normal(prefix, rewrite)).toEqual({ prefixes: { pathPrefix, rewritePathPrefix }, errors: [] });
  });

  test.each([
    'v1',
    '//v1',
    '/v1//x',
    '/v1/../x',
    '/..',
    '/v1/.',
    '/v1/./x',
    '/%2e%2e/x',
    '/%2E/x',
    '/a%2fb',
    '/a%5Cb',
    '/a\\b',
    '/a%00',
    '/a%0d%0aX',
    '/a%7F',
    '/a?b=1',
    '/a#b',
    '/a b',
    '/ä',
    '/{id}',
    '/a%2',
    '/a%zz',
    '/a"b',
    `/${'x'.repeat(1024)}`,
  ])('%j is refused as prefix and as replacement', (path) => {
    expect(normal(path)).toEqual({ prefixes: null, errors: ['pathPrefix PATH_INVALID'] });
    expect(normal('/v1', path).errors).toEqual(['rewritePathPrefix PATH_INVALID']);
  });

  test('an empty prefix is none', () => {
    expect(normal('').errors).toEqual(['pathPrefix PATH_INVALID']);
  });

  test('both are told at once', () => {
    expect(normal('a', 'b').errors).toEqual(['pathPrefix PATH_INVALID', 'rewritePathPrefix PATH_INVALID']);
  });

  test('the root can not be replaced: gateways forward /test as /xyztest', () => {
    expect(normal('/', '/xyz')).toEqual({ prefixes: null, errors: ['rewritePathPrefix ROOT_REWRITE'] });
  });

  const segment = fc.stringMatching(/^[a-z0-9.+_-]{1,6}$/).filter((text) => text !== '.' && text !== '..');
  const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`);

  test('what is written is rewritten as the caller meant it', () => {
    fc.assert(
      fc.property(path, fc.constantFrom('', '/', '/x', '/x/y/'), segment, fc.boolean(), (prefix, to, rest, slash) => {
        const { prefixes } = normal(slash ? `${prefix}/` : prefix, to);
        if (!prefixes || prefixes.rewritePathPrefix === null) return;
        expect(replacePathPrefix(`${prefix}/${rest}`, prefixes.pathPrefix, prefixes.rewritePathPrefix)).toBe(
          `${to.replace(/\/$/, '')}/${rest}`,
        );
      }),
    );
  });
});

test.each([
  ['/a/b', '/a', true],
  ['/a', '/a/', true],
  ['/ab', '/a', false],
  ['/a', '/a/b', false],
  ['/x', '/', true],
])('%s lies under %s: %s', (inner, outer, expected) => {
  expect(liesUnder(inner, outer)).toBe(expected);
});
