import { describe, expect, it } from 'vitest';
import { type HeaderLines, endToEndHeaders, modifyHeaders } from '../../../../src/k8s/embedded/gateway/headers.ts';
import { parseDuration } from '../../../../src/k8s/durations.ts';
import { compareMatches, matchesRequest, type RankedMatch } from '../../../../src/k8s/embedded/gateway/matching.ts';
import { queryValues, removeQueryParameter } from '../../../../src/k8s/embedded/gateway/query.ts';
import type { HTTPRouteMatch } from '../../../../src/k8s/resources.ts';

const request = (method: string, path: string, query = '', headers: HeaderLines = []) => ({
  method,
  target: { path, query },
  headers,
});
const prefix = (value: string): HTTPRouteMatch => ({ path: { type: 'PathPrefix', value } });
const exact = (value: string): HTTPRouteMatch => ({ path: { type: 'Exact', value } });

describe('a match', () => {
  it.each<[string, HTTPRouteMatch, ReturnType<typeof request>, boolean]>([
    ['without a path matches all', {}, request('GET', '/x'), true],
    ['exact does not ignore a trailing slash', exact('/abc'), request('GET', '/abc/'), false],
    ['exact matches itself', exact('/abc'), request('GET', '/abc'), true],
    ['method differs', { ...prefix('/'), method: 'POST' }, request('GET', '/'), false],
    [
      'header names ignore case',
      { headers: [{ name: 'Version', value: 'two' }] },
      request('GET', '/', '', [['version', 'two']]),
      true,
    ],
    [
      'header values do not',
      { headers: [{ name: 'Version', value: 'two' }] },
      request('GET', '/', '', [['version', 'Two']]),
      false,
    ],
    [
      'all headers must match',
      {
        headers: [
          { name: 'a', value: '1' },
          { name: 'b', value: '2' },
        ],
      },
      request('GET', '/', '', [['a', '1']]),
      false,
    ],
    [
      'query parameters are decoded',
      { queryParams: [{ name: 'animal', value: 'blue whale' }] },
      request('GET', '/', '?x&animal=blue%20whale'),
      true,
    ],
    [
      'the first of equal parameters counts',
      { queryParams: [{ name: 'a', value: '2' }] },
      request('GET', '/', '?a=1&a=2'),
      false,
    ],
  ])('%s', (_, match, asked, expected) => {
    expect(matchesRequest(match, asked)).toBe(expected);
  });
});

describe('precedence', () => {
  let created = 0;
  const ranked = (name: string, match: HTTPRouteMatch, created: number): RankedMatch => ({
    match,
    position: [0, 0],
    route: {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name, namespace: 'lab', creationTimestamp: new Date(created * 1000).toISOString() },
      spec: {},
    },
  });
  const expected = [
    ranked('exact', exact('/a/b'), created++ + 100),
    ranked('long', prefix('/a/bb/c'), created++),
    ranked('method', { ...prefix('/a/bb'), method: 'GET' }, 50),
    ranked(
      'two-headers',
      {
        ...prefix('/a/bb'),
        headers: [
          { name: 'a', value: '1' },
          { name: 'b', value: '1' },
        ],
      },
      50,
    ),
    ranked('header', { ...prefix('/a/bb'), headers: [{ name: 'a', value: '1' }] }, 50),
    ranked('query', { ...prefix('/a/bb/'), queryParams: [{ name: 'a', value: '1' }] }, 50),
    ranked('old', prefix('/a/bb'), 10),
    ranked('young-a', prefix('/a/bb'), 20),
    ranked('young-b', prefix('/a/bb/'), 20),
    ranked('root', prefix('/'), 1),
  ];

  it('goes by path, method, headers, query, age and name', () => {
    const sorted = expected.toReversed().toSorted(compareMatches);
    expect(sorted.map(({ route }) => route.metadata.name)).toEqual(expected.map(({ route }) => route.metadata.name));
  });
});

describe('headers', () => {
  it('are set, added and removed whatever their case', () => {
    const lines: HeaderLines = [
      ['X-One', '1'],
      ['x-two', '2'],
      ['X-Two', '3'],
    ];
    const modified = modifyHeaders(lines, {
      set: [{ name: 'X-TWO', value: 'set' }],
      add: [{ name: 'x-three', value: 'added' }],
      remove: ['x-one'],
    });
    expect(modified).toEqual([
      ['X-TWO', 'set'],
      ['x-three', 'added'],
    ]);
  });

  it('of one hop go no further, nor those that Connection names, but the framing stays', () => {
    const lines: HeaderLines = [
      ['Host', 'a'],
      ['Connection', 'close, X-Hop, Content-Length, host'],
      ['X-Hop', '1'],
      ['Content-Length', '2'],
      ['Transfer-Encoding', 'chunked'],
      ['Upgrade', 'h2c'],
      ['X-End', '1'],
    ];
    expect(endToEndHeaders(lines)).toEqual([
      ['Host', 'a'],
      ['Content-Length', '2'],
      ['X-End', '1'],
    ]);
  });
});

it('a query parameter is taken out without touching the other bytes', () => {
  expect(removeQueryParameter('?a=%7e&key=1&b=+&key=2&&c', 'key')).toBe('?a=%7e&b=+&&c');
  expect(removeQueryParameter('?key=1', 'key')).toBe('');
  expect(removeQueryParameter('?', 'key')).toBe('?');
  expect(queryValues('?a=1&a=%zz&b', 'a')).toEqual(['1', '%zz']);
});

it.each([
  ['10s', 10_000],
  ['1h30m', 5_400_000],
  ['500ms', 500],
  ['1m1ms', 60_001],
  ['0s', 0],
  ['1.5s', null],
  ['s', null],
  ['', null],
])('the duration %j is %j ms', (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});
