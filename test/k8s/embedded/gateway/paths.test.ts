import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  hasPathPrefix,
  isPlainPath,
  normalizeTarget,
  replacePathPrefix,
} from '../../../../src/k8s/embedded/gateway/paths.ts';

describe('path prefixes match whole elements', () => {
  it.each([
    ['/abc', '/abc', true],
    ['/abc/', '/abc', true],
    ['/abc/d', '/abc', true],
    ['/abcd', '/abc', false],
    ['/abc', '/abc/', true],
    ['/abc/d', '/abc/', true],
    ['/abcd', '/abc/', false],
    ['/ABC', '/abc', false],
    ['/', '/', true],
    ['/anything/at/all', '/', true],
    ['/a.b+c/d', '/a.b+c', true],
    ['/aXb+c/d', '/a.b+c', false],
  ])('%s under %s: %s', (path, prefix, expected) => {
    expect(hasPathPrefix(path, prefix)).toBe(expected);
  });
});

describe('ReplacePrefixMatch', () => {
  it.each([
    ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
    ['/foo', '/foo', '/xyz', '/xyz'],
    ['/foo', '/foo/', '/xyz', '/xyz'],
    ['/foo/', '/foo', '/xyz', '/xyz/'],
    ['/foo/bar', '/foo', '', '/bar'],
    ['/foo/bar', '/foo', '/', '/bar'],
    ['/foo', '/foo', '', '/'],
    ['/foo', '/foo', '/', '/'],
    ['/foo/', '/foo', '', '/'],
    ['/foo/', '/foo', '/', '/'],
    ['/foo', '/foo/', '/', '/'],
    ['/foo/', '/foo/', '/', '/'],
    ['/test', '/', '/xyz', '/xyz/test'],
    ['/test', '/', '/xyz/', '/xyz/test'],
    ['/', '/', '/xyz', '/xyz/'],
    ['/a.b+c/d', '/a.b+c', '/x', '/x/d'],
    ['/foo/b%20c', '/foo', '/xyz', '/xyz/b%20c'],
    ['/foo//bar', '/foo', '/', '/bar'],
    ['/foo//bar', '/foo', '/xyz', '/xyz//bar'],
  ])('%s, match %s, replace %j: %s', (path, prefix, replacement, expected) => {
    expect(replacePathPrefix(path, prefix, replacement)).toBe(expected);
  });

  const element = fc.stringMatching(/^[A-Za-z0-9._~+$-]{1,6}$/).filter((text) => !/^\.+$/.test(text));
  const path = fc.array(element, { minLength: 1, maxLength: 4 }).map((elements) => `/${elements.join('/')}`);
  const slash = fc.constantFrom('', '/');

  it('keeps everything after the prefix and gives a path that lies under the replacement', () => {
    fc.assert(
      fc.property(
        path,
        slash,
        path,
        slash,
        fc.oneof(path, fc.constant('')),
        slash,
        (prefix, s1, target, s2, rest, s3) => {
          const rewritten = replacePathPrefix(prefix + rest + s3, prefix + s1, target + s2);
          expect(rewritten).toBe(target + rest + s3);
          expect(hasPathPrefix(rewritten, target)).toBe(true);
        },
      ),
    );
  });

  it('undoes itself, and changes nothing when match and replacement are the same', () => {
    fc.assert(
      fc.property(path, path, path, (prefix, target, rest) => {
        const there = replacePathPrefix(prefix + rest, prefix, target);
        expect(replacePathPrefix(there, target, prefix)).toBe(prefix + rest);
        expect(replacePathPrefix(prefix + rest, prefix, prefix)).toBe(prefix + rest);
      }),
    );
  });

  it('strips a prefix to the root without ever giving an empty or a doubly rooted path', () => {
    fc.assert(
      fc.property(
        path,
        slash,
        fc.array(fc.oneof(element, fc.constant(''))),
        fc.constantFrom('', '/'),
        (prefix, s, rest, to) => {
          const rewritten = replacePathPrefix(prefix + rest.map((part) => `/${part}`).join(''), prefix + s, to);
          expect(rewritten).toMatch(/^\/(?!\/)/);
        },
      ),
    );
  });
});

describe('request targets', () => {
  it.each([
    ['/a/b?x=1', { path: '/a/b', query: '?x=1' }],
    ['/a?x=%2F..%2f&y=//&z=a?b', { path: '/a', query: '?x=%2F..%2f&y=//&z=a?b' }],
    ['/a?', { path: '/a', query: '?' }],
    ['//a///b/', { path: '/a/b/', query: '' }],
    ['/public/../admin', { path: '/admin', query: '' }],
    ['/public/%2e%2E/admin', { path: '/admin', query: '' }],
    ['/public/.%2e/./admin/.', { path: '/admin/', query: '' }],
    ['/a/b/..', { path: '/a/', query: '' }],
    ['/../../a', { path: '/a', query: '' }],
    ['/%61dmin', { path: '/admin', query: '' }],
    ['/a%20b/%C3%A9', { path: '/a%20b/%C3%A9', query: '' }],
    ['/a\\..\\b', { path: '/b', query: '' }],
    ['/.well-known/x', { path: '/.well-known/x', query: '' }],
    ['/...', { path: '/...', query: '' }],
    ['/a%2Fb?q', { redirect: '/a/b?q' }],
    ['/%2f%2fevil.example/', { redirect: '/evil.example/' }],
    ['/a%5c..%5Cb', { redirect: '/b' }],
    ['/100%', { malformed: true }],
    ['/%2%65%2%65/a', { malformed: true }],
    ['/a%00b', { malformed: true }],
    ['/a#b', { malformed: true }],
    ['http://other/', { malformed: true }],
    ['*', { malformed: true }],
  ])('%s', (url, expected) => {
    expect(normalizeTarget(url)).toEqual(expected);
  });

  it('a normal path stays as it is', () => {
    fc.assert(
      fc.property(fc.webPath(), (path) => {
        const once = normalizeTarget(path || '/');
        fc.pre('path' in once);
        expect(normalizeTarget('path' in once ? once.path : '')).toEqual({ ...once, query: '' });
      }),
    );
  });

  it.each([
    ['/xyz', true],
    ['', true],
    ['/a%20b', true],
    ['/a?b=1', false],
    ['/a b', false],
    ['/a#b', false],
    ['/é', false],
  ])('%j is a plain path: %s', (path, expected) => {
    expect(isPlainPath(path)).toBe(expected);
  });
});
