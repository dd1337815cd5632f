import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type Access, fullAccess } from '../../../src/caller.ts';
import { holdTimers } from './held-clock.ts';
import { historyWorld } from './history-world.ts';
import { errorsOf } from './surface.ts';
import { answer } from './upstream.ts';

const stream = `subscription ($input: InvokeServiceInput!) {
  invokeServiceStream(input: $input) { text final invocation { id outcome } }
}`;

/** Rights that are told to two calls only when both have asked: then both have looked who has their key. */
function holdTwo(): { access: Access; both: Promise<void>; go: () => void } {
  const [both, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let asking = 0;
  const access: Access = {
    ...fullAccess,
    async allows(verb) {
      if (verb !== 'invoke') return true;
      if (++asking === 2) both.resolve();
      await gate.promise;
      return true;
    },
  };
  return { access, both: both.promise, go: () => gate.resolve() };
}

/** What every database must do for calls that are made again, through the public surface. */
export function replayContract(newUrl: () => Promise<string>): void {
  const { start, page, replay, deleted } = historyWorld(newUrl);

  describe('secrets', () => {
    const secret = 'canary-of-a-secret';
    const request = {
      method: 'POST',
      path: `/x?a=1&api_key=${secret}&b=2;Session-Id=${secret}&%74oken=${secret}&code=sk-canaryvalue`,
      headers: [
        ...['Authorization', 'X-Api-Key', 'X-Auth-Token', 'X-Secret', 'X-Amz-Credential', 'X-Acme-Ticket'].map(
          (name) => ({
            name,
            value: secret,
          }),
        ),
        { name: 'X-Plain', value: 'seen sk-canaryvalue' },
      ],
      body: `{"a":"sk-canaryvalue"}`,
    };
    const config = { redactNames: ['^x-acme-'], redactValues: ['sk-[a-z]+'] };

    test('are sent, and never kept', async () => {
      const server = await start(config);
      const run = await server.play(
        'echo',
        answer('sk-canaryvalue', { 'set-cookie': `session=${secret}`, 'x-session-token': secret, 'x-plain': 'kept' }),
      );
      const made = await server.call(run, request);
      const sent = run.upstream.requests[0] ?? '';
      expect(sent.split(secret)).toHaveLength(10);
      expect(made.response?.headers).toContainEqual({ name: 'x-session-token', value: secret, redacted: false });
      const kept = await page(server);
      expect(JSON.stringify(kept)).not.toMatch(/canary/);
      expect(await (await fetch(`${server.url}/invocations.har`)).text()).not.toMatch(/canary/);
      const [node] = kept.nodes;
      expect(node?.request.url).toBe(`${run.url}/x?a=1&api_key=***&b=2;Session-Id=***&%74oken=***&code=***`);
      expect(node?.request.headers.at(-2)).toEqual({ name: 'X-Acme-Ticket', value: '***', redacted: true });
      expect(node?.request.headers.at(-1)).toEqual({ name: 'X-Plain', value: 'seen ***', redacted: true });
      expect(node?.request.body).toBe('{"a":"***"}');
      expect(node?.response).toMatchObject({ body: '***' });
      expect(node?.response?.headers).toContainEqual({ name: 'x-plain', value: 'kept', redacted: false });
      expect(node?.request.curl).toMatch(/-H 'Authorization: <Authorization>'[^]*'<body>'[^]*api_key=<redacted>/);
    });

    test('have to be given anew for a replay: what stands for them is never sent', async () => {
      const server = await start(config);
      const run = await server.play('echo', answer('ok'));
      const { id } = await server.call(run, request);
      run.upstream.answerWith(answer('ok'));
      const refused = await replay(server, { id });
      expect(errorsOf(refused)).toEqual([
        ...Array.from({ length: 7 }, () => 'INVALID headers GIVE_ANEW'),
        'INVALID path GIVE_ANEW',
        'INVALID body GIVE_ANEW',
      ]);
      expect(refused.errors?.[0]?.message).toMatch(/"Authorization"/);
      const { headers, path, body } = request;
      expect(errorsOf(await replay(server, { id, headers: headers.slice(1), path, body }))).toEqual([
        'INVALID headers GIVE_ANEW',
      ]);
      expect(run.upstream.requests).toEqual([]);
      const { nodes } = await page(server, { filter: { outcome: ['REFUSED'] } });
      expect(nodes).toMatchObject([
        { errorCode: 'INVALID', message: expect.stringMatching(/"Authorization"/) },
        { errorCode: 'INVALID', request: { url: expect.stringContaining('api_key=***') } },
      ]);
      expect(JSON.stringify(nodes)).not.toContain('canary');
      expect((await replay(server, { id, headers, path, body })).errors).toBeUndefined();
      expect(run.upstream.requests[0]).toContain(secret);
      expect(run.upstream.requests[0]).not.toContain('***');
    });
  });

  describe('replay', () => {
    test('makes the same call again, as a new one, with what is given in place of the old', async () => {
      const server = await start();
      const run = await server.play('echo', answer('ok'));
      const headers = [
        { name: 'X-A', value: '1' },
        { name: 'X-B', value: '2' },
      ];
      const { id } = await server.call(run, { method: 'PUT', path: '/x?y=%20', headers, body: 'old' });
      run.upstream.answerWith(answer('again'));
      const first = (await replay(server, { id })).data?.replayInvocation?.invocation;
      expect(first).toMatchObject({ outcome: 'COMPLETED', response: { body: 'again' } });
      expect(first?.id).not.toBe(id);
      await replay(server, { id, path: '/other', headers: [{ name: 'x-b', value: '3' }], body: 'new' });
      expect(run.upstream.requests.map((sent) => sent.replace(/\r\nhost[^]*?keep-alive/, ''))).toEqual([
        'PUT /x?y=%20 HTTP/1.1\r\nX-A: 1\r\nX-B: 2\r\ncontent-length: 3\r\n\r\nold',
        'PUT /other HTTP/1.1\r\nX-A: 1\r\nx-b: 3\r\ncontent-length: 3\r\n\r\nnew',
      ]);
      expect((await page(server)).totalCount).toBe(3);
    });

    test('of a call by URL goes to that URL, and is checked like any other', async () => {
      const server = await start();
      const run = await server.play('echo', answer('ok'));
      const { id } = await server.call(run, { url: `${run.url}/a?b` });
      run.upstream.answerWith(answer('ok'));
      expect((await replay(server, { id })).errors).toBeUndefined();
      expect(run.upstream.requests[0]).toMatch(/^GET \/a\?b HTTP/);
      expect(errorsOf(await replay(server, { id, path: '/../x' }))).toEqual(['INVALID url PATH_DOTS']);
      const refusedId = (await page(server, { filter: { outcome: ['REFUSED'] } })).nodes[0]?.id;
      expect(errorsOf(await replay(server, { id: refusedId }))).toEqual(['INVALID id NOT_REPLAYABLE']);
    });
  });

  describe('idempotency keys', () => {
    const key = 'order-4711';

    test('the same key calls once, and answers with the first result', async () => {
      const historyUrl = await newUrl();
      const server = await start({ historyUrl });
      const replica = await start({ historyUrl });
      const run = await server.play('echo', answer('first'));
      const twin = await replica.play('echo', answer('other'));
      const input = { method: 'POST', body: 'x', idempotencyKey: key };
      const made = await server.call(run, input);
      run.upstream.answerWith(answer('second'));
      expect(await server.call(run, { ...input, path: null })).toEqual(made);
      expect(await replica.call(twin, input)).toEqual(made);
      expect([...run.upstream.requests, ...twin.upstream.requests]).toEqual([]);
      expect((await page(server)).totalCount).toBe(1);
      for (const other of [{ body: 'y' }, { path: '/y' }, { headers: [{ name: 'X-A', value: '1' }] }]) {
        const conflict = await server.answer({ id: run.id, ...input, ...other });
        expect(errorsOf(conflict)).toEqual(['CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED']);
      }
      expect(run.upstream.requests).toEqual([]);
      const refused = (await page(server, { filter: { outcome: ['REFUSED'] } })).nodes;
      expect(refused.map(({ errorCode }) => errorCode)).toEqual(['CONFLICT', 'CONFLICT', 'CONFLICT']);
    });

    test('at the same time too: the others wait for the one', async () => {
      const server = await start();
      const run = await server.play('slow', () => {});
      const arrived = run.upstream.next();
      const calls = Array.from({ length: 5 }, () => server.call(run, { idempotencyKey: key }));
      const socket = await arrived;
      socket.end(answer('one'));
      const made = await Promise.all(calls);
      expect(new Set(made.map(({ id }) => id)).size).toBe(1);
      expect(made.map(({ response }) => response?.body)).toEqual(Array.from({ length: 5 }, () => 'one'));
      expect(run.upstream.requests).toHaveLength(1);
    });

    test('and so does one that lost the key after nobody had it', async () => {
      const { access, both, go } = holdTwo();
      const server = await start({}, { as: { access } });
      const run = await server.play('slow', () => {});
      const arrived = run.upstream.next();
      const calls = ['x', 'x'].map((body) => server.call(run, { method: 'POST', body, idempotencyKey: key }));
      await both;
      go();
      (await arrived).end(answer('one'));
      const [first, second] = await Promise.all(calls);
      expect(second).toEqual(first);
      expect(run.upstream.requests).toHaveLength(1);
    });

    test('at the same time with another input it is a CONFLICT, and only the one that took it is made', async () => {
      const { access, both, go } = holdTwo();
      const as = { caller: { name: 'ann', local: false }, access };
      const config = { historyUrl: await newUrl(), maxCallsPerCaller: 2 };
      const server = await start(config, { as });
      const run = await server.play('slow', () => {});
      const arrived = run.upstream.next();
      const calls = ['a', 'b'].map((body) => server.answer({ id: run.id, method: 'POST', body, idempotencyKey: key }));
      await both;
      go();
      const socket = await arrived;
      const lost = await Promise.race(calls);
      expect(errorsOf(lost)).toEqual(['CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED']);
      expect(run.upstream.requests).toHaveLength(1);
      // What is being decoded does not end at once.
      const half = answer(gzipSync('half of it'), { 'content-encoding': 'gzip' }).subarray(0, -12);
      socket.write(half);
      // The one that lost has given its place back, once.
      const beside = run.upstream.next();
      const other = server.answer({ id: run.id });
      const second = await beside;
      expect(errorsOf(await server.answer({ id: run.id }))).toEqual(['RATE_LIMITED CONCURRENT_CALLS']);
      second.end(answer('beside'));
      expect((await other).data?.invokeService?.invocation.response?.body).toBe('beside');
      // Who stops the server waits for the one that won: its end is on record.
      const stopped = once(socket, 'close');
      await server.stop();
      await stopped.catch(() => {});
      await Promise.allSettled(calls);
      const next = await start(config, { as });
      const kept = (await page(next, { filter: { outcome: ['CANCELLED'] } })).nodes;
      expect(kept).toMatchObject([{ message: 'The caller went away before the answer was complete.' }]);
      expect(['a', 'b']).toContain(kept[0]?.request.body);
    });

    test('a replica waits for the call that another one is making', async () => {
      const historyUrl = await newUrl();
      const server = await start({ historyUrl });
      const clock = holdTimers(250);
      const replica = await start({ historyUrl }, { clock });
      const run = await server.play('slow', () => {});
      const twin = await replica.play('slow', answer('twin'));
      const arrived = run.upstream.next();
      const first = server.call(run, { idempotencyKey: key });
      const socket = await arrived;
      const second = replica.call(twin, { idempotencyKey: key });
      await clock.fire(250);
      await clock.set(250);
      socket.end(answer('one'));
      const made = await first;
      await clock.fire(250);
      expect(await second).toEqual(made);
      expect(twin.upstream.requests).toEqual([]);
    });

    test('belongs to one caller and one mutation', async () => {
      const historyUrl = await newUrl();
      const as = (name: string) => start({ historyUrl }, { as: { caller: { name, local: false } } });
      const [ann, bob] = [await as('ann'), await as('bob')];
      const [run, twin] = [await ann.play('echo', answer('ann')), await bob.play('echo', answer('bob'))];
      const made = await ann.call(run, { idempotencyKey: key });
      expect((await bob.call(twin, { idempotencyKey: key })).response?.body).toBe('bob');
      const again = await replay(ann, { id: made.id, idempotencyKey: key });
      expect(again.data?.replayInvocation?.invocation.id).not.toBe(made.id);
      expect((await replay(ann, { id: made.id, idempotencyKey: key })).data).toEqual(again.data);
      expect(run.upstream.requests).toHaveLength(2);
    });

    test('a stream that is opened again calls nothing and gives what the history has', async () => {
      const server = await start();
      const run = await server.play('echo', answer('token by token', { 'content-type': 'text/event-stream' }));
      const read = async () => {
        const chunks: { text: string; final: boolean; invocation: { id: string } | null }[] = [];
        const input = { id: run.id, idempotencyKey: key };
        for await (const { data } of server.subscribe<{ invokeServiceStream: (typeof chunks)[0] }>(stream, { input })) {
          if (data) chunks.push(data.invokeServiceStream);
        }
        return chunks;
      };
      const first = await read();
      const second = await read();
      expect(first.map(({ text }) => text).join('')).toBe('token by token');
      expect(second).toEqual([{ text: 'token by token', final: true, invocation: first.at(-1)?.invocation }]);
      expect(run.upstream.requests).toHaveLength(1);
    });

    test('nor does it on another replica, while the first is still read, and once its caller has left', async () => {
      const historyUrl = await newUrl();
      const server = await start({ historyUrl });
      const replica = await start({ historyUrl }, { clock: holdTimers() });
      const half = answer('token by token', { 'content-type': 'text/event-stream' }).subarray(0, -6);
      const run = await server.play('echo', (socket) => socket.write(half));
      const twin = await replica.play('echo', answer('twin'));
      const open = (own: typeof server, id: string) =>
        own.subscribe<{
          invokeServiceStream: { text: string; final: boolean; invocation: { outcome: string } | null };
        }>(stream, { input: { id, idempotencyKey: key } });
      const first = open(server, run.id);
      const text = async () => (await first.next()).value?.data?.invokeServiceStream.text;
      expect([await text(), await text()]).toEqual(['', 'token by']);
      const [beside, elsewhere] = [open(server, run.id).next(), open(replica, twin.id).next()];
      await first.return?.();
      for (const { value } of await Promise.all([beside, elsewhere])) {
        expect(value?.data?.invokeServiceStream).toMatchObject({
          text: 'token by',
          final: true,
          invocation: { outcome: 'CANCELLED' },
        });
      }
      expect(run.upstream.requests).toHaveLength(1);
      expect(twin.upstream.requests).toEqual([]);
    });

    test('a refusal leaves the key free', async () => {
      const server = await start();
      const run = await server.play('echo', answer('ok'), { ready: false });
      expect(errorsOf(await server.answer({ id: run.id, idempotencyKey: key }))[0]).toMatch(/^NOT_READY/);
      expect(errorsOf(await server.answer({ id: run.id, idempotencyKey: key }))[0]).toMatch(/^NOT_READY/);
    });

    test('of a call that is deleted makes no other', async () => {
      const server = await start();
      const run = await server.play('echo', answer('ok'));
      const { id } = await server.call(run, { idempotencyKey: key });
      expect(await deleted(server, { ids: [id] })).toBe(1);
      run.upstream.answerWith(answer('no'));
      expect(errorsOf(await server.answer({ id: run.id, idempotencyKey: key }))).toEqual([
        'CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED',
      ]);
      expect(run.upstream.requests).toEqual([]);
    });

    test('of a replay answers with its result, also when the call that was made again is deleted', async () => {
      const historyUrl = await newUrl();
      const server = await start({ historyUrl });
      const replica = await start({ historyUrl });
      const run = await server.play('echo', answer('once'));
      const { id } = await server.call(run);
      const input = { id, path: '/again', idempotencyKey: key };
      const made = await replay(server, input);
      expect(made.data?.replayInvocation?.invocation.response?.body).toBe('once');
      expect(await deleted(server, { ids: [id] })).toBe(1);
      run.upstream.answerWith(answer('twice'));
      expect(await replay(server, input)).toEqual(made);
      expect(await replay(replica, input)).toEqual(made);
      expect(errorsOf(await replay(server, { ...input, path: '/other' }))).toEqual([
        'CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED',
      ]);
      expect(errorsOf(await replay(server, { ...input, idempotencyKey: 'order-4712' }))).toEqual(['NOT_FOUND id']);
      expect(errorsOf(await replay(server, { id, path: '/again' }))).toEqual(['NOT_FOUND id']);
      expect(run.upstream.requests).toEqual([]);
    });

    test('is free again after a day', async () => {
      const clock = holdTimers();
      const server = await start({}, { clock });
      const run = await server.play('echo', answer('ok'));
      const made = await server.call(run, { idempotencyKey: key });
      clock.shift(86_400_000 - 60_000);
      expect((await server.call(run, { idempotencyKey: key })).id).toBe(made.id);
      clock.shift(61_000);
      expect((await server.call(run, { idempotencyKey: key })).id).not.toBe(made.id);
    });

    test.each(['short', 'x'.repeat(129), 'tab\ttab\ttab', 'üüüüüüüü'])('%j is none', async (idempotencyKey) => {
      const server = await start();
      const run = await server.play('echo', answer('no'));
      expect(errorsOf(await server.answer({ id: run.id, idempotencyKey }))).toEqual(['INVALID idempotencyKey BAD_KEY']);
      expect(run.upstream.requests).toEqual([]);
      expect((await page(server)).nodes).toMatchObject([{ outcome: 'REFUSED', errorCode: 'INVALID' }]);
    });
  });
}
