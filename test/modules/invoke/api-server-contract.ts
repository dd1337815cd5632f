import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type InvokeServer, type PlayedRun, errorsOf } from './surface.ts';
import { answer } from './upstream.ts';

/** What an API server lets through as it is, and what is refused because it would not. `play` routes a service through it. */
export function apiServerContract(open: () => Promise<{ server: InvokeServer; play: InvokeServer['play'] }>): void {
  let server: InvokeServer;
  let play: InvokeServer['play'];
  let run: PlayedRun;
  beforeAll(async () => {
    ({ server, play } = await open());
    run = await play('own', '');
  });
  afterAll(() => server.stop());
  beforeEach(() => run.upstream.answerWith(answer('no')));

  test.each([200, 204, 302, 304, 400, 401, 403, 404, 418, 429, 500, 503, 599])(
    'the status %i of the service is mirrored',
    async (status) => {
      const bodiless = status === 204 || status === 304;
      run.upstream.answerWith(
        bodiless
          ? `HTTP/1.1 ${status} X\r\n\r\n`
          : answer('{"error":"mine"}', { 'content-type': 'application/json', location: '/next' }, `${status} X`),
      );
      const { outcome, response } = await server.call(run);
      expect({ outcome, status: response?.status, body: response?.body }).toEqual({
        outcome: 'COMPLETED',
        status,
        body: bodiless ? null : '{"error":"mine"}',
      });
      expect(run.upstream.requests).toHaveLength(1);
    },
  );

  test('a long error of the service is its own', async () => {
    const body = JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', x: 'y'.repeat(100_000) });
    run.upstream.answerWith(answer(body, { 'content-type': 'application/json' }, '500 X'));
    expect(await server.call(run)).toMatchObject({ outcome: 'COMPLETED', response: { status: 500, body } });
  });

  test('Authorization would be consumed, so it is NOT_SUPPORTED', async () => {
    const refused = await server.answer({
      id: run.id,
      headers: [
        { name: 'Accept', value: '*/*' },
        { name: 'authorization', value: 'Bearer mine' },
      ],
    });
    expect(errorsOf(refused)).toEqual(['NOT_SUPPORTED headers.1.name AUTHORIZATION_CONSUMED']);
    expect(run.upstream.requests).toEqual([]);
  });

  test('a service of https would be called without a look at its certificate, so it is NOT_SUPPORTED', async () => {
    const safe = await play('safe', answer('no'), { portName: 'https' });
    expect(errorsOf(await server.answer({ id: safe.id }))).toEqual(['NOT_SUPPORTED port CERTIFICATE_UNCHECKED']);
    expect(run.upstream.requests).toEqual([]);
  });

  test.each(['/a//b', '/a/./b', '/.', '/a%2Fb', '/%41', '/a!b', "/a'b", '/a%2b', '/%zz', '/%ff', '/a|b', '/a;b%3b'])(
    'the path %s would be cleaned, so it is NOT_SUPPORTED',
    async (path) => {
      expect(errorsOf(await server.answer({ id: run.id, path }))).toEqual(['NOT_SUPPORTED path PATH_CLEANED']);
      expect(run.upstream.requests).toEqual([]);
    },
  );

  test.each([
    '/',
    '/a',
    '/a/',
    '/a%20b',
    '/%C3%BC',
    '/a;b=c',
    '/a:b@c,d$&+',
    '/a~b.c-d_e',
    '/...',
    '/v2/models/m/infer?a=b',
  ])('the path %s arrives as it is', async (path) => {
    run.upstream.answerWith(answer('ok'));
    expect((await server.call(run, { path })).outcome).toBe('COMPLETED');
    expect(run.upstream.requests[0]?.split(' ')[1]).toBe(path);
  });
}
