import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auth } from '../../src/modules/auth/index.ts';
import { invoke } from '../../src/modules/invoke/index.ts';
import { runs } from '../../src/modules/runs/index.ts';
import { limits } from '../../src/schema/limits.ts';
import { type TestServer, startTestServer } from '../../src/testing.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ modules: [auth, runs, invoke] });
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
  [
    'tokens',
    limits.tokens,
    'TOKENS',
    (n) => `{ serviceRuns(filter: { namespace: [${times(n - 16, () => '"a"')}] }) { totalCount } }`,
  ],
];

describe('limits of a document', () => {
  test.each(documents)('%s: %i is fine, one more is LIMIT_EXCEEDED', async (_name, limit, reason, make) => {
    expect(await codes(make(limit))).toEqual([]);
    expect(await codes(make(limit + 1))).toEqual([['LIMIT_EXCEEDED', reason]]);
  });

  test('depth: 10 is fine, one more is LIMIT_EXCEEDED, also through fragments', async () => {
    const nested = (leaf: string) =>
      `{ serviceRuns(first: 1) { nodes { invocations(first: 1) { nodes { serviceRun { ...run } } } } } }
       fragment run on ServiceRun { invocations(first: 1) { nodes { serviceRun { status { ${leaf} } } } } }`;
    expect(await codes(nested('state'))).toEqual([]);
    expect(await codes(nested('service { name }'))).toEqual([['LIMIT_EXCEEDED', 'DEPTH']]);
  });

  test('a fan-out of fragments is counted once for each, so it is refused at once', async () => {
    const fan = times(19, (i) => `fragment f${i} on Viewer { ${times(14, () => `...f${i + 1}`)} }`);
    const document = `{ viewer { ...f0 } } ${fan} fragment f19 on Viewer { name }`;
    expect(await codes(document)).toEqual([['LIMIT_EXCEEDED', 'COST']]);
  });

  test('a selection of 2,000 levels is refused while it is parsed, one of 20,000 before', async () => {
    const nested = (levels: number) => `${'{ a'.repeat(levels)}${'}'.repeat(levels)}`;
    expect(await codes(nested(2_000))).toEqual([['LIMIT_EXCEEDED', 'TOKENS']]);
    expect(await codes(nested(20_000))).toEqual([['LIMIT_EXCEEDED', 'QUERY']]);
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
