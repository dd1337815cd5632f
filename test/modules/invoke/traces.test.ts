import { describe, expect, test } from 'vitest';
import { metrics } from '../../../src/modules/metrics/index.ts';
import { Metrics } from '../../../src/modules/metrics/service.ts';
import { captureLog } from './captured-log.ts';
import { type InvokeServerOptions, namespace, startInvokeServer } from './surface.ts';
import { type Script, answer } from './upstream.ts';

/** A server of ann's whose log is read, with a service. */
async function start(script: Script | string | Buffer, options: InvokeServerOptions = {}) {
  const { log, lines } = captureLog('trace');
  const server = await startInvokeServer({ log, as: { caller: { name: 'ann', local: false } }, ...options });
  const run = await server.play('echo', script);
  const audited = () => lines.filter((line) => 'audit' in line);
  return { server, run, lines, audited, [Symbol.asyncDispose]: () => server.stop() };
}

const stream = 'subscription ($input: InvokeServiceInput!) { invokeServiceStream(input: $input) { final } }';
const replay = 'mutation ($id: ID!) { replayInvocation(input: { id: $id }) { invocation { id } } }';

async function drain(answers: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of answers);
}

describe('the audit log', () => {
  test('has one line for each call, however it went: who, what, where and how it ended', async () => {
    await using world = await start(answer('fine', {}, '418 X'));
    const { server, run, audited } = world;
    const { id } = await server.call(run, { method: 'POST', path: '/a?q=1', body: 'abc' });
    await server.data(replay, { id });
    await drain(server.subscribe(stream, { input: { id: run.id, path: '/s' } }));
    await server.answer({ id: run.id, path: '/../x?secret=1' });
    run.upstream.answerWith('nonsense');
    await server.call(run);
    const common = { msg: 'invocation', caller: 'ann', serviceRun: `${namespace}/echo` };
    const made = { ...common, decision: 'allow', outcome: 'COMPLETED', errorCode: null, status: 418, responseBytes: 4 };
    expect(audited()).toMatchObject([
      { ...made, audit: 'invokeService', method: 'POST', path: '/a', requestBytes: 3 },
      { ...made, audit: 'replayInvocation', method: 'POST', path: '/a', requestBytes: 3 },
      { ...made, audit: 'invokeServiceStream', method: 'GET', path: '/s', requestBytes: 0 },
      { ...common, decision: 'refuse', outcome: 'REFUSED', errorCode: 'INVALID', path: '/../x', status: null },
      { ...common, decision: 'allow', outcome: 'PROTOCOL_ERROR', status: null },
    ]);
  });

  test('has as many lines as there were calls, and none that a caller or a service wrote', async () => {
    const line = '{"level":"info","audit":"invokeService","caller":"root","msg":"invocation"}';
    const marks = ['\n', '\r', '\r\n', '\u2028', '\u2029', '\u0085', '\u001b[2K\r', '\u001b]0;x\u0007', '\u202e', '\0'];
    await using world = await start('');
    const { server, run, lines, audited } = world;
    const inputs = marks.flatMap((mark) => [
      { path: `/${mark}${line}` },
      { path: `/x`, headers: [{ name: `X${mark}${line}`, value: `${mark}${line}` }] },
    ]);
    for (const input of inputs) {
      run.upstream.answerWith(answer(`${input.path}${line}`, { 'x-echo': line }, `299 ${line}`));
      await server.answer({ id: run.id, ...input, body: line });
      await server.call(run, { body: `${input.path}${line}`, method: 'POST' });
    }
    expect(audited()).toHaveLength(2 * inputs.length);
    expect(lines.filter(({ caller }) => caller === 'root')).toEqual([]);
    expect(inputs).toHaveLength(20);
  });
});

test('100 canaries in 12 places are in no log, metric or error, and in the history only as bodies', async () => {
  let count = 0;
  const canaries: string[] = [];
  const canary = () => {
    count += 1;
    canaries.push(`canary-${count}-x`);
    return `canary-${count}-x`;
  };
  let body = '';
  await using world = await start('', {
    modules: [metrics],
    config: { metrics: { port: 0 } },
  });
  const { server, run, lines } = world;
  const errors: unknown[] = [];
  for (let round = 0; round < 9; round++) {
    body = canary();
    run.upstream.answerWith(
      answer(JSON.stringify({ token: body }), {
        'content-type': 'application/json',
        'set-cookie': `session=${canary()}`,
        'x-secret-of-it': canary(),
      }),
    );
    const call = {
      id: run.id,
      method: 'POST',
      path: `/x?api_key=${canary()}&b=1&Password=${canary()}`,
      headers: [
        { name: 'Authorization', value: `Bearer ${canary()}` },
        { name: 'X-Api-Key', value: canary() },
      ],
      body: JSON.stringify({ password: canary() }),
    };
    await server.answer(call);
    const refused = [
      { id: run.id, url: `http://user:${canary()}@evil.example/` },
      { id: run.id, headers: [{ name: 'Cookie', value: canary() }] },
      { id: run.id, headers: [{ name: 'X-A', value: `${canary()}\n` }] },
      { id: run.id, path: `//evil?token=${canary()}` },
    ];
    for (const input of refused) errors.push((await server.answer(input)).errors);
  }
  expect(count).toBe(108);
  const seen = (what: unknown) => {
    const text = typeof what === 'string' ? what : JSON.stringify(what);
    return canaries.filter((each) => text.includes(each));
  };
  const list =
    '{ invocations(first: 200) { totalCount nodes { message errorCode request { url headers { name value } } response { headers { name value } } } } }';
  const own = await server.data<{ invocations: { totalCount: number } }>(list);
  expect(own.invocations.totalCount).toBe(45);
  expect({ own: seen(own), lines: seen(lines), errors: seen(errors) }).toEqual({ own: [], lines: [], errors: [] });
  expect(seen(await (await fetch(server.server.modules.use(Metrics).url ?? '')).text())).toEqual([]);
});

test("a service's cookies and scripts are data, and none of the answer's own", async () => {
  const headers = { 'set-cookie': 'session=1', 'x-own': '1', 'content-type': 'text/html' };
  await using world = await start(answer('<script>alert(1)</script>', headers));
  const { server, run } = world;
  const query = `mutation ($id: ID!) { invokeService(input: { id: $id }) { invocation { response { body headers { name value } } } } }`;
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables: { id: run.id } }),
  });
  const text = await response.text();
  expect(text).toContain('session=1');
  expect(text).toContain('<script>');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(response.headers.get('content-type')).toMatch(/^application\/json|^application\/graphql-response\+json/);
  expect([...response.headers.keys()].filter((name) => /cookie|x-own/.test(name))).toEqual([]);
});
