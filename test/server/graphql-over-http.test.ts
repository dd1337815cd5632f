import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { defineModule } from '../../src/module.ts';
import { auth } from '../../src/modules/auth/index.ts';
import { runs } from '../../src/modules/runs/index.ts';
import { limits } from '../../src/schema/limits.ts';
import { type TestServer, startTestServer } from '../../src/testing.ts';

/** With it all requests pass through yoga: nothing may become of them that does not without. */
const seen: string[] = [];
const watching = defineModule({
  name: '@acme/watching',
  start: ({ plugin }) => plugin({ onRequest: ({ request }) => void seen.push(request.method) }),
});
const failing = defineModule({
  name: '@acme/failing',
  schema: (builder) => {
    builder.queryField('broken', (t) =>
      t.string({
        nullable: true,
        description: 'Fails.',
        resolve: () => {
          throw new Error('canary');
        },
      }),
    );
  },
});

/** Answers that are given when the test says so. */
const together = { waiting: [] as ((answer: string) => void)[] };
const waiting = defineModule({
  name: '@acme/waiting',
  schema: (builder) => {
    builder.queryField('together', (t) =>
      t.string({
        description: 'Waits.',
        resolve: () => new Promise<string>((answer) => void together.waiting.push(answer)),
      }),
    );
  },
});

const ways = ['here', 'by yoga'] as const;
const servers = {} as Record<(typeof ways)[number], TestServer>;
beforeAll(async () => {
  servers.here = await startTestServer({ modules: [auth, runs, failing, waiting] });
  servers['by yoga'] = await startTestServer({ modules: [auth, runs, failing, waiting, watching] });
});
afterAll(() => Promise.all(ways.map((way) => servers[way].stop())));

async function post(way: (typeof ways)[number], body: string, accept?: string) {
  const headers = { 'content-type': 'application/json', ...(accept !== undefined && { accept }) };
  const response = await fetch(`${servers[way].url}/graphql`, { method: 'POST', headers, body });
  const text = await response.text();
  const type = response.headers.get('content-type');
  return { status: response.status, type, length: response.headers.get('content-length'), text };
}

interface Answer {
  data?: unknown;
  errors?: { message: string; path?: unknown; locations?: unknown; extensions: Record<string, unknown> }[];
}
const viewer = JSON.stringify({ query: '{ viewer { name } }' });
const json = 'application/json';
const graphqlJson = 'application/graphql-response+json';

describe.each(ways)('a POST answered %s', (way) => {
  test.each([
    [undefined, json],
    ['*/*', json],
    [json, json],
    ['application/*', json],
    ['APPLICATION/JSON; q=0.9', json],
    [graphqlJson, graphqlJson],
    [`${graphqlJson}, ${json};q=0.9`, graphqlJson],
    [`text/html, ${json}`, json],
    [`text/event-stream, ${json}`, json],
  ])('to Accept: %s has the type %s', async (accept, type) => {
    const { status, text, ...answer } = await post(way, viewer, accept);
    expect([status, text]).toEqual([200, '{"data":{"viewer":{"name":"local"}}}']);
    expect(answer).toEqual({ type: `${type}; charset=utf-8`, length: String(text.length) });
  });

  test.each(['text/html', `${json}; charset=utf-16`])('to Accept: %s is 406', async (accept) => {
    expect((await post(way, viewer, accept)).status).toBe(406);
  });

  test('can be an event stream', async () => {
    const { type, text } = await post(way, viewer, 'text/event-stream');
    expect([type, text]).toEqual(['text/event-stream', expect.stringContaining('data: {"data"')]);
  });

  test.each([
    ['no JSON', '{'],
    ['nothing', ''],
    ['null', 'null'],
    ['no object', '5'],
    ['a batch', `[${viewer}]`],
    ['no document', '{}'],
    ['a document that is no text', '{"query":5}'],
    ['variables that are no object', '{"query":"{ viewer { name } }","variables":[]}'],
    ['extensions that are no object', '{"query":"{ viewer { name } }","extensions":"a"}'],
    ['an operation name that is no text', '{"query":"{ viewer { name } }","operationName":5}'],
    ['an unknown parameter', '{"query":"{ viewer { name } }","other":1}'],
    ['an operation that is not there', '{"query":"{ viewer { name } }","operationName":"other"}'],
    ['one of several operations, unsaid which', '{"query":"query A { viewer { name } } query B { viewer { name } }"}'],
    ['a variable that is missing', '{"query":"query ($id: ID!) { serviceRun(by: { id: $id }) { id } }"}'],
  ])('is 400 INVALID for %s', async (_what, body) => {
    for (const accept of [json, graphqlJson]) {
      const { status, text } = await post(way, body, accept);
      const { data, errors } = JSON.parse(text) as Answer;
      expect([status, data, errors?.[0]?.extensions['code']]).toEqual([400, undefined, 'INVALID']);
      expect(errors?.[0]?.extensions).not.toHaveProperty('http');
    }
  });

  test.each([
    ['can not be read', '{ viewer {'],
    ['is not valid', '{ viewer { nothing } }'],
    ['has too many tokens', `{ ${'a '.repeat(limits.tokens)} }`],
  ])('is 400 for a document that %s, but 200 for whoever wants application/json', async (_what, query) => {
    const body = JSON.stringify({ query });
    const answers = await Promise.all([post(way, body, graphqlJson), post(way, body, json)]);
    expect(answers.map(({ status }) => status)).toEqual([400, 200]);
    expect(answers[0]?.text).toBe(answers[1]?.text);
    expect(answers[0]?.text).not.toContain('"http"');
  });

  test('is its own, also where many come in one turn, on one connection, and where others have gone', async () => {
    const asked = (name: string) => JSON.stringify({ query: `{ ${name}: together }` });
    const { port } = new URL(servers[way].url);
    const request = (body: string) =>
      `POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${json}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    const [inRow, gone] = [connect(Number(port), '127.0.0.1'), connect(Number(port), '127.0.0.1')];
    gone.write(request(asked('gone')));
    inRow.write(['first', 'second'].map((name) => request(asked(name))).join(''));
    const names = Array.from({ length: 20 }, (_, index) => `a${index}`);
    const answers = names.map(async (name) => (await post(way, asked(name))).text);
    await vi.waitFor(() => expect(together.waiting).toHaveLength(23), 10_000);
    gone.destroy();
    for (const answer of together.waiting.splice(0)) answer('yes');
    expect(await Promise.all(answers)).toEqual(names.map((name) => `{"data":{"${name}":"yes"}}`));
    let received = '';
    for await (const chunk of inRow) {
      received += String(chunk);
      if (received.includes('second')) break;
    }
    expect(received.match(/first|second/g)).toEqual(['first', 'second']);
  });

  test('names the field of a variable', async () => {
    const query = 'query ($by: ServiceRunBy!) { serviceRun(by: $by) { id } }';
    const { errors } = JSON.parse(
      (await post(way, JSON.stringify({ query, variables: { by: { id: {} } } }))).text,
    ) as Answer;
    expect(errors?.[0]).toMatchObject({ locations: [{ line: 1 }], extensions: { code: 'INVALID', field: 'id' } });
    expect(errors?.[0]?.message).toContain('$by');
  });

  test('tells nothing of an unexpected error but the id of the request', async () => {
    const { status, text } = await post(way, JSON.stringify({ query: '{ broken viewer { name } }' }));
    const { data, errors } = JSON.parse(text) as Answer;
    expect([status, data]).toEqual([200, { broken: null, viewer: { name: 'local' } }]);
    expect(errors?.[0]).toMatchObject({ path: ['broken'], extensions: { code: 'INTERNAL' } });
    expect(text).not.toContain('canary');
  });

  test('is 413 when it is too large, whether or not it says so', async () => {
    const large = JSON.stringify({ query: '{ viewer { name } }', variables: { a: 'x'.repeat(limits.bodyBytes) } });
    expect((await post(way, large)).status).toBe(413);
    const body = new Blob([large]).stream();
    const headers = { 'content-type': json };
    // oxlint-disable-next-line typescript/no-explicit-any -- the types lack `duplex`
    const chunked: any = { method: 'POST', headers, body, duplex: 'half' };
    expect((await fetch(`${servers[way].url}/graphql`, chunked)).status).toBe(413);
  });
});

test.each([
  ['variables={', 400, 'INVALID'],
  ['variables=5', 400, 'INVALID'],
  ['variables={}', 200, undefined],
])('a GET with %s is %i', async (parameters, status, code) => {
  for (const way of ways) {
    const query = encodeURIComponent('{ viewer { name } }');
    const response = await fetch(`${servers[way].url}/graphql?query=${query}&${parameters}`);
    const { errors } = (await response.json()) as Answer;
    expect([response.status, errors?.[0]?.extensions['code']]).toEqual([status, code]);
  }
});

test('a plug-in sees every request', async () => {
  seen.length = 0;
  await post('by yoga', viewer);
  await fetch(`${servers['by yoga'].url}/graphql?query=${encodeURIComponent('{ viewer { name } }')}`);
  expect(seen).toEqual(['POST', 'GET']);
});

test('a document that was forgotten is read again', async () => {
  // Each takes its memory by the number of its tokens; those that were read first have no place any more.
  const ids = '"x" '.repeat(900);
  for (let n = 0; n < 80; n++) {
    expect((await servers.here.query(`{ nodes(ids: [${ids}]) { id } } #${n}`)).errors).toBeUndefined();
  }
  expect((await post('here', viewer)).status).toBe(200);
});
