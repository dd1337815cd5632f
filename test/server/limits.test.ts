import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auth } from '../../src/modules/auth/index.ts';
import { limits } from '../../src/schema/limits.ts';
import { type TestServer, startTestServer } from '../../src/testing.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ modules: [auth] });
});
afterAll(() => server.stop());

const times = (n: number, make: (i: number) => string) => Array.from({ length: n }, (_, i) => make(i)).join(' ');
const codes = async (document: string) =>
  ((await server.query(document)).errors ?? []).map(({ extensions }) => [extensions.code, extensions.reason]);

/** A document with exactly n of the limited thing. */
const documents: [name: string, limit: number, reason: string, make: (n: number) => string][] = [
  ['aliases', limits.aliases, 'ALIASES', (n) => `{ viewer { ${times(n, (i) => `a${i}: name`)} } }`],
  ['root fields', limits.rootFields, 'ROOT_FIELDS', (n) => `{ ${times(n, (i) => `v${i}: viewer { name }`)} }`],
  [
    'directives',
    limits.directives,
    'DIRECTIVES',
    (n) => `{ viewer { name ${times(n, () => '... @include(if: true) { name }')} } }`,
  ],
  [
    'fragments',
    limits.fragments,
    'FRAGMENTS',
    (n) => `{ viewer { ${times(n, (i) => `...f${i}`)} } } ${times(n, (i) => `fragment f${i} on Viewer { name }`)}`,
  ],
  ['tokens', limits.tokens, 'TOKENS', (n) => `{ viewer { ${times(n - 5, () => 'name')} } }`],
];

describe('limits of a document', () => {
  test.each(documents)('%s: %i is fine, one more is LIMIT_EXCEEDED', async (_name, limit, reason, make) => {
    expect(await codes(make(limit))).toEqual([]);
    expect(await codes(make(limit + 1))).toEqual([['LIMIT_EXCEEDED', reason]]);
  });

  test('depth counts through fragments, and a fan-out of fragments stays cheap', async () => {
    const nested = (n: number) => `{ ${'__schema { types { '.repeat(0)}viewer { ${times(n, (i) => `...d${i}`)} } }`;
    expect(await codes(nested(0).replace('{  }', '{ name }'))).toEqual([]);
    const fan = times(18, (i) => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`);
    const document = `{ ...f0 } ${fan} fragment f18 on Query { viewer { name } }`;
    expect(await codes(document)).toEqual([]);
  });

  test('a selection of 20,000 levels is refused while it is parsed', async () => {
    const document = `${'{ a'.repeat(20_000)}${'}'.repeat(20_000)}`;
    expect(await codes(document)).toEqual([['LIMIT_EXCEEDED', 'TOKENS']]);
  });
});

describe('errors', () => {
  test.each([
    ['{ nothing }', 'INVALID'],
    ['{ viewer { ', 'INVALID'],
    ['query ($a: Int!) { viewer { name } }', 'INVALID'],
    ['', 'INVALID'],
  ])('%j is %s', async (document, code) => {
    expect((await codes(document)).map(([found]) => found)).toContain(code);
  });

  test('a body over the limit is refused', async () => {
    const body = JSON.stringify({ query: '{ viewer { name } }', variables: { a: 'x'.repeat(limits.bodyBytes) } });
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(413);
  });

  test('batches are refused', async () => {
    const one = { query: '{ viewer { name } }' };
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([one, one]),
    });
    expect(response.status).toBe(400);
  });
});
