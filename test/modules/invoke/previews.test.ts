import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HeldClock, holdTimers } from './held-clock.ts';
import { type InvokeServer, type PlayedRun, startInvokeServer } from './surface.ts';
import { answer } from './upstream.ts';

const patienceMs = 5_000;
/** Each alias is looked for in the whole document. */
const slow = Array.from({ length: 9_000 }, (_, n) => `- &a${n} [x]\n- *a${n}`).join('\n');
const list = Array.from({ length: 2_000 }, (_, n) => ({ name: `item-${n}`, value: n }));
const long = list.map(({ name, value }) => `- name: ${name}\n  value: ${value}\n`).join('');

let server: InvokeServer;
let run: PlayedRun;
let clock: HeldClock;
beforeAll(async () => {
  clock = holdTimers(patienceMs);
  server = await startInvokeServer({ clock });
  run = await server.play('echo', '');
});
afterAll(() => server.stop());

interface Answer {
  invokeService: { invocation: { response: { preview: { format: string; value: unknown; error: string | null } } } };
}

async function preview(own: InvokeServer, { id, upstream }: PlayedRun, body: string) {
  const type = { 'content-type': 'application/yaml' };
  upstream.answerWith(answer(body, type));
  const query = `mutation ($id: ID!) {
    invokeService(input: { id: $id }) { invocation { response { preview { format value error } } } } }`;
  const { invokeService } = await own.data<Answer>(query, { id });
  return invokeService.invocation.response.preview;
}

describe('a preview', () => {
  const shownOf = async (bytes: Buffer | string) => {
    run.upstream.answerWith(bytes);
    return (await server.call(run)).response?.preview;
  };
  const typed = (type: string, body: string) => shownOf(answer(body, { 'content-type': type }));

  test.each<[type: string, body: string, format: string, value: unknown]>([
    ['application/json', '{"a":[1,null]}', 'JSON', { a: [1, null] }],
    ['application/problem+json', '{"a":1}', 'JSON', { a: 1 }],
    ['application/yaml', 'a: &x [1]\nb: *x', 'YAML', { a: [1], b: [1] }],
    ['text/yaml', 'a: 1\n---\nb: 2', 'YAML', [{ a: 1 }, { b: 2 }]],
    ['application/yaml', 'a: 1\n__proto__: { b: 2 }', 'YAML', JSON.parse('{"a":1,"__proto__":{"b":2}}')],
    ['application/json', '{"__proto__":{"b":2},"a":1e400}', 'JSON', JSON.parse('{"__proto__":{"b":2},"a":null}')],
    ['text/json; charset=utf-8', ' 1 ', 'JSON', 1],
    ['application/openapi+yaml', '- a\n- !!binary aGk=\n- 2026-01-01', 'YAML', ['a', expect.anything(), '2026-01-01']],
    ['application/x-ndjson', '{"a":1}\n\n[2]\r\n3', 'NDJSON', [{ a: 1 }, [2], 3]],
    ['application/jsonl', '', 'NDJSON', []],
    ['application/json-seq', '\u001e{"a":1}\n\u001e2\n', 'NDJSON', [{ a: 1 }, 2]],
    ['application/atom+xml', '<a/>', 'XML', null],
    ['application/xhtml+xml', '<a/>', 'HTML', null],
    ['application/xml', '<a/>', 'XML', null],
    ['text/html', '<a>', 'HTML', null],
    ['text/plain', '{"a":1}', 'TEXT', null],
  ])('%s', async (type, body, format, value) => {
    expect(await typed(type, body)).toEqual({ format, value, error: null });
  });

  test.each([
    ['application/json', '{"a":', /^Not valid JSON: /],
    ['application/json', '['.repeat(100_000), /./],
    ['application/json', `${'['.repeat(150)}${']'.repeat(150)}`, /nested too deeply/],
    ['application/yaml', 'a: [', /^Not valid YAML: /],
    ['application/yaml', `${'- '.repeat(150)}a`, /./],
    [
      'application/yaml',
      `a0: &a0 [x]\n${Array.from({ length: 20 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}, *a${n}]`).join('\n')}`,
      /./,
    ],
    ['application/yaml', '{'.repeat(2_000), /./],
    ['application/json', `[${'1,'.repeat(250_000)}1]`, /too many parts/],
    ['application/x-ndjson', '1\n'.repeat(250_000), /too many parts/],
    ['application/x-ndjson', `${'['.repeat(150)}${']'.repeat(150)}`, /nested too deeply/],
    ['application/x-ndjson', '{"a":1}\n{', /line 2/],
  ])('%s that can not be shown says why: %#', async (type, body, error) => {
    const found = await typed(type, body);
    expect(found?.value).toBeNull();
    expect(found?.error).toMatch(error);
  });

  test('of what was cut only whole lines are shown', async () => {
    const value = { a: 'x'.repeat(1_000) };
    const line = `${JSON.stringify(value)}\n`;
    const cut = (type: string) => typed(type, line.repeat(1_100));
    expect(await cut('application/x-ndjson')).toEqual({
      format: 'NDJSON',
      value: Array.from({ length: Math.floor(1_048_576 / line.length) }, () => value),
      error: 'Only the beginning of the body is here.',
    });
    for (const type of ['application/json', 'application/yaml']) {
      expect(await cut(type)).toMatchObject({ value: null, error: expect.stringMatching(/beginning.*not parsed/) });
    }
  });

  test.each([
    [' {"a":1}', 'JSON', { a: 1 }],
    ['[1]', 'JSON', [1]],
    ['a: 1', 'TEXT', null],
  ])('%s without a type is %s', async (body, format, value) => {
    const bytes = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    expect(await shownOf(bytes)).toEqual({ format, value, error: null });
  });
});

test('long YAML is parsed like short YAML', async () => {
  expect(await preview(server, run, long)).toEqual({ format: 'YAML', value: list, error: null });
  expect(await preview(server, run, `${long}]`)).toMatchObject({
    value: null,
    error: expect.stringMatching(/^Not valid YAML: /),
  });
  const aliases = `a0: &a0 [${'x,'.repeat(1_000)}]\n${Array.from({ length: 20 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}, *a${n}]`).join('\n')}`;
  expect(await preview(server, run, aliases)).toMatchObject({ value: null, error: expect.stringMatching(/alias/) });
  expect(await preview(server, run, '- a\n'.repeat(70_000))).toMatchObject({
    value: null,
    error: expect.stringMatching(/more than 262144/),
  });
});

test('YAML that takes long holds nothing up, and is given up in the end', async () => {
  const pending = preview(server, run, slow);
  await clock.set(patienceMs);
  expect(await server.data('{ serviceRuns { totalCount } }')).toEqual({ serviceRuns: { totalCount: 1 } });
  await clock.fire(patienceMs);
  const error = 'Parsing it takes too long for a preview.';
  expect(await pending).toEqual({ format: 'YAML', value: null, error });
  expect(await preview(server, run, long)).toMatchObject({ value: list });
});

test('a server that stops does not wait for it', async () => {
  const held = holdTimers(patienceMs);
  const own = await startInvokeServer({ clock: held });
  const echo = await own.play('echo', '');
  const pending = preview(own, echo, slow).catch(() => 'cut off');
  await held.set(patienceMs);
  await own.stop();
  await held.cleared(patienceMs);
  // It may have had its answer before.
  expect(await pending).toSatisfy((end: unknown) => end === 'cut off' || JSON.stringify(end).includes('stopping'));
});

test('so many at once are too many: the rest is told so, and may ask again', async () => {
  // One is parsed while a hundred wait; its thread has not even begun when all have asked.
  const [most, calls, each] = [101, 8, 14];
  await using own = await startInvokeServer();
  const some = list.slice(0, 80);
  const yaml = answer(long.slice(0, long.indexOf('- name: item-80')), { 'content-type': 'application/yaml' });
  const echo = await own.play('echo', yaml);
  const silent = 'mutation ($id: ID!) { invokeService(input: { id: $id }) { invocation { id } } }';
  for (let n = 0; n < calls; n++) await own.data(silent, { id: echo.id });
  const aliases = Array.from({ length: each }, (_, n) => `p${n}: preview { value error }`).join(' ');
  const { invocations } = await own.data<{
    invocations: { nodes: { response: Record<string, { value: unknown; error: string | null }> }[] };
  }>(`{ invocations { nodes { response { ${aliases} } } } }`);
  const found = invocations.nodes.flatMap(({ response }) => Object.values(response));
  const refused = { value: null, error: 'Too many previews are under way. Ask again.' };
  expect(found.slice(0, most)).toEqual(Array.from({ length: most }, () => ({ value: some, error: null })));
  expect(found.slice(most)).toEqual(Array.from({ length: calls * each - most }, () => refused));
  expect((await own.call(echo)).response?.preview).toEqual({ format: 'YAML', value: some, error: null });
});
