import { expect, test } from 'vitest';
import { captureLog } from './captured-log.ts';
import { errorsOf, startInvokeServer } from './surface.ts';
import { answer } from './upstream.ts';

test('without a history calls are made and told to the log, and whatever needs one says that there is none', async () => {
  const { log, lines } = captureLog();
  await using server = await startInvokeServer({ log, config: { invoke: { historyUrl: 'off' } } });
  const run = await server.play('echo', answer('ok'));
  const { id, response } = await server.call(run, { path: '/x' });
  expect(response?.body).toBe('ok');
  const off = 'NOT_SUPPORTED HISTORY_OFF';
  expect(errorsOf(await server.query('{ invocations { totalCount } }'))).toEqual([off]);
  expect(errorsOf(await server.query('mutation { deleteInvocations(input: { ids: [] }) { deleted } }'))).toEqual([off]);
  expect(await server.data('query ($id: ID!) { invocation(id: $id) { id } node(id: $id) { id } }', { id })).toEqual({
    invocation: null,
    node: null,
  });
  const replay = `mutation { replayInvocation(input: { id: "${id}" }) { invocation { id } } }`;
  expect(errorsOf(await server.query(replay))).toEqual(['NOT_FOUND id']);
  expect((await fetch(`${server.url}/invocations.har`)).status).toBe(404);
  run.upstream.answerWith(answer('no'));
  // A key that nobody remembers would not hold.
  expect(errorsOf(await server.answer({ id: run.id, path: '/y', idempotencyKey: 'order-4711' }))).toEqual([
    'NOT_SUPPORTED idempotencyKey HISTORY_OFF',
  ]);
  expect(run.upstream.requests).toEqual([]);
  expect(lines.filter((line) => 'audit' in line)).toMatchObject([
    { path: '/x', outcome: 'COMPLETED' },
    { path: '/y', outcome: 'REFUSED', errorCode: 'NOT_SUPPORTED' },
  ]);
});
