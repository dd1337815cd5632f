import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defineModule } from '../../src/module.ts';
import { builtinModules } from '../../src/modules/index.ts';
import { limits } from '../../src/schema/limits.ts';
import { type GraphQLAnswer, type TestServer, startTestServer } from '../../src/testing.ts';

/** A caller is told nothing of what a resolver has done wrong. */
const faulty = defineModule({
  name: 'faulty',
  schema: (builder) => {
    builder.queryField('wrongRun', (t) =>
      t.field({
        type: 'ServiceRun',
        nullable: true,
        description: 'No run.',
        resolve: () => ({ secret: 'canary' }) as never,
      }),
    );
  },
});

let server: TestServer;
let narrow: TestServer;
beforeAll(async () => {
  server = await startTestServer({ modules: [...builtinModules, faulty] });
  narrow = await startTestServer({ requestLimits: { queryBytes: 100, variablesBytes: 1_000, cost: 40 } });
});
afterAll(async () => {
  await narrow.stop();
  await server.stop();
});

type Variables = Record<string, unknown>;
type Ask = (on: TestServer, document: string, variables?: Variables) => Promise<GraphQLAnswer>;

const overHttp: Ask = (on, document, variables) => on.query(document, variables);
/** The first answer. What is refused before it is carried out comes as a message of its own over a WebSocket. */
const streamed =
  (transport: 'ws' | 'sse'): Ask =>
  async (on, document, variables) => {
    const answers = on.subscribe(document, variables, transport);
    try {
      return ((await answers.next()) as { value: GraphQLAnswer }).value;
    } catch (errors) {
      return { errors: errors as NonNullable<GraphQLAnswer['errors']> };
    } finally {
      await answers.return?.();
    }
  };
const overGet: Ask = async (on, document, variables = {}) => {
  const parameters = new URLSearchParams({ query: document, variables: JSON.stringify(variables) });
  return (await (await fetch(`${on.url}/graphql?${parameters}`)).json()) as GraphQLAnswer;
};

const refusals = ({ errors = [] }: GraphQLAnswer) =>
  errors.map(({ message, extensions: { code, reason, field } }) => [message, code, reason, field]);

const query = '{ viewer { name } }';
const subscription = 'subscription { serviceHealthChanged { type } }';
const ways: [name: string, ask: Ask, document: string][] = [
  ['POST', overHttp, query],
  ['GET', overGet, query],
  ['a WebSocket', streamed('ws'), query],
  ['a WebSocket, a subscription', streamed('ws'), subscription],
  ['SSE, a subscription', streamed('sse'), subscription],
];

/** So many bytes of a document, some of them of characters with several. */
const padded = (document: string, bytes: number) => `${document}#é${'x'.repeat(bytes - document.length - 3)}`;
/** So many levels, with the variables themselves. */
const nested = (levels: number): Variables => {
  let value: unknown = 'x';
  for (let level = 1; level < levels; level++) value = level % 2 === 0 ? { a: value } : [value];
  return { unused: value };
};

describe.each(ways)('over %s', (_, ask, document) => {
  test('a document has so many bytes, and not one more', async () => {
    expect(refusals(await ask(narrow, padded(document, 100)))).toEqual([]);
    expect(refusals(await ask(narrow, padded(document, 101)))).toEqual([
      ['The document has more than 100 bytes. Give values as variables.', 'LIMIT_EXCEEDED', 'QUERY', 'query'],
    ]);
  });

  test('variables have so many bytes, names included, and not one more', async () => {
    const filled = (bytes: number) => ({ é: ['x'.repeat(bytes - 6), 1234] });
    expect(refusals(await ask(narrow, document, filled(1_000)))).toEqual([]);
    expect(refusals(await ask(narrow, document, filled(1_001)))).toEqual([
      ['The variables have more than 1000 bytes of names and values.', 'LIMIT_EXCEEDED', 'VARIABLES', 'variables'],
    ]);
  });

  test('variables have so many levels, and not one more', async () => {
    expect(refusals(await ask(server, document, nested(limits.nesting)))).toEqual([]);
    expect(refusals(await ask(server, document, nested(limits.nesting + 1)))).toEqual([
      ['The variables are nested deeper than 32 levels.', 'LIMIT_EXCEEDED', 'NESTING', 'variables'],
    ]);
  });
});

test('the usual limits are 16 KiB for a document and 64 KiB for variables', async () => {
  const codes = async (document: string, variables?: Variables) =>
    refusals(await server.query(document, variables)).map(([, , reason]) => reason);
  expect(await codes(padded(query, 16_384))).toEqual([]);
  expect(await codes(padded(query, 16_385))).toEqual(['QUERY']);
  expect(await codes(query, { a: 'x'.repeat(65_535) })).toEqual([]);
  expect(await codes(query, { a: 'x'.repeat(65_536) })).toEqual(['VARIABLES']);
  expect(await codes(query, { a: Array.from({ length: 70_000 }, () => 1) })).toEqual(['VARIABLES']);
});

test('what is nested a million times costs no more than the limit', async () => {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: `{"query":"${query}","variables":{"a":${'['.repeat(500_000)}${']'.repeat(500_000)}}}`,
  });
  expect(response.status).toBe(400);
  expect(refusals((await response.json()) as GraphQLAnswer).map(([, , reason]) => reason)).toEqual(['NESTING']);
});

test('what a service is called with has limits of its own, also where a fragment asks for it', async () => {
  const input = { id: 'x', method: 'POST', body: 'x'.repeat(2_000) };
  const documents = [
    'mutation ($input: InvokeServiceInput!) { invokeService(input: $input) { invocation { id } } }',
    'mutation ($input: InvokeServiceInput!) { ...f } fragment f on Mutation { ... { ...g } } fragment g on Mutation { a: invokeService(input: $input) { invocation { id } } }',
  ];
  const roomy = await startTestServer({ requestLimits: { variablesBytes: 1_000 } });
  await using _ = roomy;
  for (const document of documents) {
    expect(refusals(await roomy.query(document, { input })).map(([, code]) => code)).toEqual(['NOT_FOUND']);
  }
  const other = 'mutation ($input: RunServiceInput!) { runService(input: $input) { manifests } }';
  const run = { name: 'a', image: 'x'.repeat(2_000), ports: [{ port: 80 }] };
  expect(refusals(await roomy.query(other, { input: run })).map(([, , reason]) => reason)).toEqual(['VARIABLES']);
});

describe('cost', () => {
  const costs = async (document: string, variables?: Variables): Promise<string> =>
    refusals(await narrow.query(document, variables))
      .map(([message, , reason]) => `${String(reason)} ${/costs (\d+)/.exec(String(message))?.[1]}`)
      .join();

  test('a page costs what it is asked for, by variables too; without a size as its default one', async () => {
    const list = 'query ($first: Int, $last: Int) { serviceRuns(first: $first, last: $last) { nodes { id } } }';
    // The list, an id of each, and one for every ten nodes.
    expect(await costs(list, { first: 35 })).toBe('');
    expect(await costs(list, { first: 36 })).toBe('COST 41');
    expect(await costs(list, { last: 200 })).toBe('COST 221');
    expect(await costs(list)).toBe('COST 56');
    expect(await costs('{ serviceRuns(first: 1) { totalCount nodes { id name } } }')).toBe('');
  });

  test('so do nodes by their ids, and lists that take a number', async () => {
    const nodes = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }';
    const ids = (count: number) => ({ ids: Array.from({ length: count }, () => 'x') });
    expect(await costs(nodes, ids(39))).toBe('');
    expect(await costs(nodes, ids(40))).toBe('COST 41');
    expect(await costs('{ serviceRun(by: { runId: "x" }) { events(first: 100) { type } } }')).toBe('COST 102');
  });

  test('what is asked for again and again costs what it did the first time', async () => {
    const list = 'query ($first: Int) { serviceRuns(first: $first) { nodes { id } } }';
    const cheap = '{ serviceRun(by: { runId: "x" }) { a: labels { key } } }';
    const dear = '{ serviceRun(by: { runId: "x" }) { labels { key value } pods { name ip } } }';
    for (let n = 0; n < 6; n++) {
      expect(await costs(cheap)).toBe('');
      expect(await costs(dear)).toBe('COST 43');
      expect(await costs(list, { first: 35 })).toBe('');
    }
    expect(await costs(list, { first: 36 })).toBe('COST 41');
  });

  test('the usual limit leaves room for whole pages, not for pages of pages', async () => {
    const runs = (fields: string) => `{ serviceRuns(first: 200) { nodes { ${fields} } } }`;
    expect(
      refusals(await server.query(runs('id name status { health reasons { code message } } pods { name } '))),
    ).toEqual([]);
    const [refusal] = refusals(await server.query(runs('invocations(first: 200) { nodes { id } }')));
    expect(refusal).toEqual([
      expect.stringMatching(/^The operation costs 4\d{4}, more than 25000: ask for fewer fields or smaller pages\.$/),
      'LIMIT_EXCEEDED',
      'COST',
      undefined,
    ]);
  });
});

test('an object of another type is our fault, and not shown, however often it is asked for', async () => {
  for (let n = 0; n < 4; n++) {
    const answer = await server.query('{ wrongRun { name } }');
    expect(refusals(answer)).toEqual([
      [expect.stringMatching(/^Something went wrong/), 'INTERNAL', undefined, undefined],
    ]);
    expect(JSON.stringify(answer)).not.toMatch(/canary|secret/);
  }
});
