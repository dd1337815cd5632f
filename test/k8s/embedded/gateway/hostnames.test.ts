import { describe, expect, it } from 'vitest';
import { createHostMap, intersectHostnames } from '../../../../src/k8s/embedded/gateway/hostnames.ts';

describe('listener and route host names', () => {
  it.each([
    ['*', '*', '*'],
    ['*', 'a.example.com', 'a.example.com'],
    ['a.example.com', '*', 'a.example.com'],
    ['a.example.com', 'a.example.com', 'a.example.com'],
    ['a.example.com', 'b.example.com', null],
    ['*.example.com', 'a.example.com', 'a.example.com'],
    ['*.example.com', 'a.b.example.com', 'a.b.example.com'],
    ['*.example.com', 'example.com', null],
    ['*.example.com', 'badexample.com', null],
    ['a.example.com', '*.example.com', 'a.example.com'],
    ['example.com', '*.example.com', null],
    ['*.example.com', '*.b.example.com', '*.b.example.com'],
    ['*.b.example.com', '*.example.com', '*.b.example.com'],
    ['*.example.com', '*.example.com', '*.example.com'],
    ['*.example.com', '*.example.org', null],
    ['*.example.com', '*.badexample.com', null],
  ])('%s and %s share %s', (listener, route, expected) => {
    expect(intersectHostnames(listener, route)).toBe(expected);
  });
});

describe('looking a host up', () => {
  const names = ['a.example.com', '*.example.com', '*.b.example.com', '*'];
  const hosts = createHostMap(new Map(names.map((name) => [name, name])));
  it.each([
    ['a.example.com', 'a.example.com'],
    ['c.example.com', '*.example.com'],
    ['x.y.example.com', '*.example.com'],
    ['x.b.example.com', '*.b.example.com'],
    ['b.example.com', '*.example.com'],
    ['example.com', '*'],
    ['*', '*'],
    ['elsewhere.org', '*'],
  ])('%s is found under %s', (host, expected) => {
    expect(hosts.get(host)?.hostname).toBe(expected);
  });

  it('finds nothing where no name fits', () => {
    expect(createHostMap(new Map([['*.example.com', 1]])).get('example.com')).toBeUndefined();
  });
});
