import { describe, expect, test } from 'vitest';
import { type Access, fullAccess } from '../../../src/caller.ts';
import { captureLog } from './captured-log.ts';
import { historyWorld } from './history-world.ts';
import { errorsOf } from './surface.ts';
import { answer } from './upstream.ts';

/** What every database must keep of an operation with more than one call, through the public surface. */
export function oneCallContract(newUrl: () => Promise<string>): void {
  const { start, page } = historyWorld(newUrl);

  describe('of two calls in one operation', () => {
    test('each is refused, recorded and told to the log, and none is made', async () => {
      const { log, lines } = captureLog();
      const server = await start({}, { log });
      const run = await server.play('echo', answer('ok'));
      const { id } = await server.call(run, { path: '/first' });
      const two = `mutation ($id: ID!, $run: ID!) {
        again: replayInvocation(input: { id: $id, path: "/again" }) { invocation { id } }
        none: replayInvocation(input: { id: "none" }) { invocation { id } }
        call: invokeService(input: { id: $run, path: "/call", idempotencyKey: "order-4711" }) { invocation { id } }
        hidden: invokeService(input: { id: "hidden" }) { invocation { id } }
      }`;
      run.upstream.answerWith(answer('no'));
      expect(errorsOf(await server.query(two, { id, run: run.id }))).toEqual(
        Array.from({ length: 4 }, () => 'LIMIT_EXCEEDED ONE_CALL'),
      );
      expect(run.upstream.requests).toEqual([]);
      const refused = { outcome: 'REFUSED', errorCode: 'LIMIT_EXCEEDED' };
      const { nodes } = await page(server);
      expect(nodes).toMatchObject([
        { ...refused, request: { url: `${run.url}/call` } },
        { ...refused, request: { url: `${run.url}/again` }, message: expect.stringMatching(/may call a service once/) },
        { outcome: 'COMPLETED' },
      ]);
      expect(lines.filter(({ audit }) => audit)).toMatchObject([
        { path: '/first' },
        { ...refused, audit: 'replayInvocation', decision: 'refuse', path: '/again' },
        { ...refused, audit: 'invokeService', decision: 'refuse', path: '/call' },
      ]);
      // What was refused has not taken the key.
      expect((await server.call(run, { path: '/other', idempotencyKey: 'order-4711' })).outcome).toBe('COMPLETED');
    });

    test('none is recorded whose run its caller does not see', async () => {
      const { log, lines } = captureLog();
      const access: Access = { ...fullAccess, allows: (verb) => Promise.resolve(verb !== 'see') };
      const server = await start({}, { log, as: { access } });
      const { id } = await server.play('echo', answer('no'));
      const one = 'invokeService(input: { id: $id }) { invocation { id } }';
      const two = `mutation ($id: ID!) { a: ${one} b: ${one} }`;
      expect(errorsOf(await server.answer({ id }))).toEqual(['NOT_FOUND id']);
      expect(new Set(errorsOf(await server.query(two, { id })))).toEqual(new Set(['LIMIT_EXCEEDED ONE_CALL']));
      expect((await page(server)).totalCount).toBe(0);
      expect(lines.filter(({ audit }) => audit)).toEqual([]);
    });
  });
}
