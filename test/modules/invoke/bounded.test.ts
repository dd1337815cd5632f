import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type HeldClock, holdTimers } from './held-clock.ts';
import { holdConnections } from './network-log.ts';
import { type InvokeServer, type PlayedRun, errorsOf, invokeService, startInvokeServer } from './surface.ts';
import { type Script, answer } from './upstream.ts';

/** Durations that nothing else uses, so that their timers can be told apart. */
const limits = { connectTimeoutMs: 2011, firstByteTimeoutMs: 10_007, timeoutMs: 30_011, maxTimeoutMs: 300_007 };

let server: InvokeServer;
let run: PlayedRun;
let clock: HeldClock;
beforeAll(async () => {
  clock = holdTimers(...Object.values(limits), 77);
  server = await startInvokeServer({ clock, config: { invoke: limits } });
  run = await server.play('slow', '');
});
afterAll(() => server.stop());

const closing = (socket: Socket) => new Promise<void>((resolve) => void socket.once('close', () => resolve()));

const gzip = promisify(zlib.gzip);
const zstdCompress = promisify(zlib.zstdCompress);

const invokeServiceStream =
  'subscription ($input: InvokeServiceInput!) { invokeServiceStream(input: $input) { text final } }';

const silent: Script = () => {};
const halfAnswer: Script = (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc');

describe('time', () => {
  test('a connection that is not taken', async () => {
    const held = holdConnections(run.upstream.address);
    const call = server.call(run);
    await held.attempted;
    await clock.fire(limits.connectTimeoutMs);
    const { outcome, message, response } = await call;
    expect({ outcome, message, response }).toEqual({
      outcome: 'UNREACHABLE',
      message: 'The service took no connection within 2011 ms.',
      response: null,
    });
    held.go();
  });

  test.each<[string, Script, number, string, object | null]>([
    ['silence', silent, limits.firstByteTimeoutMs, 'did not begin to answer within 10007 ms', null],
    ['silence, in all', silent, limits.timeoutMs, 'did not finish within 30011 ms', null],
    [
      'silence after the headers',
      halfAnswer,
      limits.timeoutMs,
      'did not finish within 30011 ms',
      { status: 200, body: 'abc', truncated: true },
    ],
  ])('%s', async (_, script, ms, message, shown) => {
    run.upstream.answerWith(script);
    const arrived = run.upstream.next();
    const call = server.call(run);
    const socket = await arrived;
    const closed = closing(socket);
    if (shown) await clock.cleared(limits.firstByteTimeoutMs);
    await clock.fire(ms);
    const { outcome, response, ...rest } = await call;
    expect({ outcome, message: rest.message }).toEqual({ outcome: 'TIMEOUT', message: `The service ${message}.` });
    expect(response && { status: response.status, body: response.body, truncated: response.truncated }).toEqual(shown);
    await closed;
  });

  test('bytes that come one by one hold it up no longer than silence', async () => {
    run.upstream.answerWith(halfAnswer);
    const arrived = run.upstream.next();
    const call = server.call(run);
    const socket = await arrived;
    await clock.cleared(limits.firstByteTimeoutMs);
    for (const byte of 'de') {
      await new Promise<void>((resolve) => void socket.write(byte, () => resolve()));
      // Nothing that comes sets a limit anew.
      await clock.cleared(limits.firstByteTimeoutMs);
    }
    const closed = closing(socket);
    await clock.fire(limits.timeoutMs);
    expect(await call).toMatchObject({ outcome: 'TIMEOUT', response: { status: 200, truncated: true } });
    await closed;
  });

  test.each([
    ['half an answer', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc', 'abc'],
    ['half a head', 'HTTP/1.1 200 OK\r\ncontent-', undefined],
    ['nothing', '', undefined],
  ])('a service that closes its side after %s is not waited for', async (_, bytes, body) => {
    run.upstream.answerWith((socket) => socket.end(bytes));
    const { outcome, response } = await server.call(run);
    expect({ outcome, body: response?.body }).toEqual({ outcome: 'PROTOCOL_ERROR', body });
  });

  test('once it answers, the limit for that is over', async () => {
    run.upstream.answerWith(halfAnswer);
    const arrived = run.upstream.next();
    const call = server.call(run);
    const socket = await arrived;
    await clock.cleared(limits.firstByteTimeoutMs);
    socket.end('defghi');
    expect(await call).toMatchObject({ outcome: 'COMPLETED', response: { body: 'abcdefghi' } });
    await clock.cleared(limits.timeoutMs);
  });

  test('timeoutMs replaces both, up to the configured maximum', async () => {
    run.upstream.answerWith(silent);
    const arrived = run.upstream.next();
    const call = server.call(run, { timeoutMs: 77 });
    await arrived;
    await clock.fire(77);
    expect((await call).message).toMatch(/within 77 ms/);
    for (const timeoutMs of [0, -1, limits.maxTimeoutMs + 1]) {
      expect(errorsOf(await server.answer({ id: run.id, timeoutMs }))).toEqual(['INVALID timeoutMs TIMEOUT_RANGE']);
    }
    run.upstream.answerWith(answer('ok'));
    expect((await server.call(run, { timeoutMs: limits.maxTimeoutMs })).outcome).toBe('COMPLETED');
  });
});

describe('size', () => {
  test('a request body of 1 MiB is sent, one more byte is refused', async () => {
    run.upstream.answerWith(answer('ok'));
    expect(await server.call(run, { method: 'POST', body: 'x'.repeat(1_048_576) })).toMatchObject({
      outcome: 'COMPLETED',
      request: { bodyBytes: 1_048_576 },
    });
    for (const body of ['x'.repeat(1_048_577), `${'x'.repeat(1_048_575)}ü`]) {
      const refused = await server.answer({ id: run.id, method: 'POST', body });
      expect(errorsOf(refused)).toEqual(['REQUEST_TOO_LARGE body BODY_TOO_LARGE']);
    }
    expect(run.upstream.requests).toHaveLength(1);
  });

  test('half a surrogate pair is no text', async () => {
    expect(errorsOf(await server.answer({ id: run.id, method: 'POST', body: '\ud800' }))).toEqual([
      'INVALID body BODY_TEXT',
    ]);
  });

  test('twenty bombs at once grow memory by less than 64 MiB', async () => {
    // Not in this thread: connections are kept for 5 s, and to be looked after meanwhile.
    const bombs = await Promise.all([gzip, zstdCompress].map((compress) => compress(Buffer.alloc(200_000_000, 'a'))));
    let turn = 0;
    run.upstream.answerWith((socket) => {
      turn += 1;
      socket.end(answer(bombs[turn % 2] ?? '', { 'content-encoding': turn % 2 === 0 ? 'gzip' : 'zstd' }));
    });
    const short = 'mutation ($input: InvokeServiceInput!) { invokeService(input: $input) { invocation { outcome } } }';
    const explode = async () => {
      const calls = Array.from({ length: 20 }, () => server.query(short, { input: { id: run.id } }));
      for (const call of calls) {
        expect(await call).toEqual({ data: { invokeService: { invocation: { outcome: 'RESPONSE_TOO_LARGE' } } } });
      }
    };
    const growth = async () => {
      const before = process.memoryUsage.rss();
      let peak = before;
      const sampler = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage.rss());
      }, 1);
      await explode();
      clearInterval(sampler);
      return peak - before;
    };
    // The collector's own rhythm is in each figure: the least of three is what the bombs cost.
    const growths = [await growth(), await growth(), await growth()];
    expect(Math.min(...growths)).toBeLessThan(64 * 1_048_576);
  });
});

describe('how many', () => {
  test('two calls in one operation are refused before the first is made', async () => {
    run.upstream.answerWith(answer('no'));
    const documents = [
      'a: invokeService(input: $input) { invocation { id } } b: invokeService(input: $input) { invocation { id } }',
      'invokeService(input: $input) { invocation { id } } ...f',
      'invokeService(input: $input) { invocation { id } } replayInvocation(input: { id: "x" }) { invocation { id } }',
    ];
    for (const document of documents) {
      const fragment = document.includes('...f')
        ? 'fragment f on Mutation { other: invokeService(input: $input) { invocation { id } } }'
        : '';
      const found = await server.query(`mutation ($input: InvokeServiceInput!) { ${document} } ${fragment}`, {
        input: { id: run.id },
      });
      expect(new Set(errorsOf(found))).toEqual(new Set(['LIMIT_EXCEEDED ONE_CALL']));
    }
    expect(run.upstream.requests).toEqual([]);
  });

  test('more calls at once than one caller may have are RATE_LIMITED, and end with the others', async () => {
    await using own = await startInvokeServer({
      as: { caller: { name: 'ann', local: false } },
      config: { invoke: { maxCallsPerCaller: 2 } },
    });
    const busy = await own.play('busy', silent);
    const arrived = [busy.upstream.next(), busy.upstream.next()];
    const calls = [own.call(busy), own.call(busy)];
    const [first] = await Promise.all(arrived);
    const refused = ['RATE_LIMITED CONCURRENT_CALLS'];
    expect(errorsOf(await own.answer({ id: busy.id }))).toEqual(refused);
    const stream = own.subscribe(invokeServiceStream, { input: { id: busy.id } }, 'sse').next();
    expect(errorsOf((await stream).value ?? {})).toEqual(refused);
    first?.end(answer('ok'));
    await Promise.race(calls);
    const next = busy.upstream.next();
    const again = own.call(busy);
    for (const socket of [await arrived[1], await next]) socket?.end(answer('ok'));
    for (const call of [...calls, again]) expect((await call).outcome).toBe('COMPLETED');
  });

  test('a stream is one of them, until it is left', async () => {
    await using own = await startInvokeServer({
      as: { caller: { name: 'ann', local: false } },
      config: { invoke: { maxCallsPerCaller: 1 } },
    });
    const busy = await own.play('busy', halfAnswer);
    const chunks = own.subscribe(invokeServiceStream, { input: { id: busy.id } });
    const arrived = busy.upstream.next();
    await chunks.next();
    expect(errorsOf(await own.answer({ id: busy.id }))).toEqual(['RATE_LIMITED CONCURRENT_CALLS']);
    const closed = closing(await arrived);
    await chunks.return?.();
    await closed;
    busy.upstream.answerWith(answer('ok'));
    await expect.poll(async () => (await own.answer({ id: busy.id })).errors).toBeUndefined();
  });

  test('unless it is configured otherwise that is 8 of one caller and 128 in all', async () => {
    await using ann = await startInvokeServer({ as: { caller: { name: 'ann', local: false } } });
    await using local = await startInvokeServer();
    for (const [own, most] of [
      [ann, 8],
      [local, 128],
    ] as const) {
      const busy = await own.play('busy', silent);
      const arrived = Array.from({ length: most }, () => busy.upstream.next());
      const calls = arrived.map(() => own.call(busy));
      const sockets = await Promise.all(arrived);
      expect(errorsOf(await own.answer({ id: busy.id }))).toEqual(['RATE_LIMITED CONCURRENT_CALLS']);
      expect(busy.upstream.requests).toHaveLength(most);
      for (const socket of sockets) socket.end(answer('ok'));
      for (const call of calls) expect((await call).outcome).toBe('COMPLETED');
    }
  });

  test('the server as a whole has a limit too, and stuck services leave the rest of it alone', async () => {
    await using own = await startInvokeServer({ config: { invoke: { maxCalls: 200 } } });
    const busy = await own.play('busy', silent);
    const arrived = Array.from({ length: 200 }, () => busy.upstream.next());
    const calls = arrived.map(() => own.call(busy));
    const sockets = await Promise.all(arrived);
    expect(errorsOf(await own.answer({ id: busy.id }))).toEqual(['RATE_LIMITED CONCURRENT_CALLS']);
    expect(await own.data('{ serviceRuns { totalCount } }')).toEqual({ serviceRuns: { totalCount: 1 } });
    for (const socket of sockets) socket.end(answer('ok'));
    for (const call of calls) expect((await call).outcome).toBe('COMPLETED');
    busy.upstream.answerWith(answer('ok'));
    expect((await own.call(busy)).outcome).toBe('COMPLETED');
  });
});

describe('a caller who goes away ends the call at the service', () => {
  const lastOutcome = async () => {
    const { invocations } = await server.data<{ invocations: { nodes: { outcome: string; message: string }[] } }>(
      '{ invocations(first: 1) { nodes { outcome message } } }',
    );
    return invocations.nodes[0];
  };
  const cancelled = { outcome: 'CANCELLED', message: 'The caller went away before the answer was complete.' };

  test('over HTTP', async () => {
    run.upstream.answerWith(halfAnswer);
    const arrived = run.upstream.next();
    const aborter = new AbortController();
    const request = fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: invokeService, variables: { input: { id: run.id } } }),
      signal: aborter.signal,
    });
    const closed = closing(await arrived);
    aborter.abort();
    await expect(request).rejects.toMatchObject({ name: 'AbortError' });
    await closed;
    expect(await lastOutcome()).toEqual(cancelled);
  });

  test('over a WebSocket', async () => {
    run.upstream.answerWith(silent);
    const arrived = run.upstream.next();
    const client = createClient({ url: `${server.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket });
    const iterator = client.iterate({ query: invokeService, variables: { input: { id: run.id } } });
    const first = iterator.next();
    const closed = closing(await arrived);
    await client.dispose();
    client.terminate();
    await closed;
    await first.catch(() => {});
    expect(await lastOutcome()).toEqual(cancelled);
  });

  test('and so does a server that stops', async () => {
    const own = await startInvokeServer();
    const stuck = await own.play('stuck', silent);
    const arrived = stuck.upstream.next();
    const call = own.answer({ id: stuck.id }).catch(() => 'cut off');
    const closed = closing(await arrived);
    await own.stop();
    await closed;
    expect(stuck.upstream.requests).toHaveLength(1);
    await call;
  });
});
