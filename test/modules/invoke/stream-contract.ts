import type { Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { type HeldClock, holdTimers } from './held-clock.ts';
import { type Invocation, type InvokeServer, type PlayedRun, type Way, errorsOf, invocationFields } from './surface.ts';
import { type Script, answer, flood } from './upstream.ts';

interface Chunk {
  text: string;
  final: boolean;
  invocation: Invocation | null;
}

const document = `subscription ($input: InvokeServiceInput!) {
  invokeServiceStream(input: $input) { text final invocation { ${invocationFields} } }
}`;
const idleMs = 30_013;
const totalMs = 600_011;
const maxBytes = 100_000;

/** By its mark. */
const charsetOf = ([first]: Buffer) => (first === 0xff ? 'utf-16le' : first === 0xfe ? 'utf-16be' : 'utf-8');

/** What every way to a service must do with an answer that comes bit by bit. */
export function streamContract({ open: openServer, reach }: Way): void {
  let server: InvokeServer;
  let run: PlayedRun;
  let clock: HeldClock;
  beforeAll(async () => {
    clock = holdTimers(idleMs, totalMs);
    const invoke = { streamIdleTimeoutMs: idleMs, streamTimeoutMs: totalMs, streamMaxBytes: maxBytes };
    server = await openServer({ clock, config: { invoke } });
    run = await server.play('chat', '');
  });
  afterAll(() => server.stop());

  const closing = (socket: Socket) => new Promise<void>((resolve) => void socket.once('close', () => resolve()));
  const head = (type: string, more = '') => `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n${more}\r\n`;

  const chunked = (type: string, chunks: readonly Buffer[]) =>
    Buffer.concat([
      Buffer.from(head(type, 'transfer-encoding: chunked\r\n')),
      ...chunks.flatMap((chunk) => [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
      Buffer.from('0\r\n\r\n'),
    ]);

  /** Each byte is a chunk of its own. */
  const bitByBit = (type: string, bytes: Buffer) =>
    chunked(
      type,
      [...bytes].map((byte) => Buffer.of(byte)),
    );

  /** A stream that is under way: what came of it, one by one. */
  async function open(script: Script | string | Buffer, transport: 'ws' | 'sse' = 'ws', input: object = {}) {
    run.upstream.answerWith(script);
    const arrived = run.upstream.next();
    const answers = server.subscribe<{ invokeServiceStream: Chunk }>(
      document,
      { input: { id: run.id, ...input } },
      transport,
    );
    const next = async (): Promise<Chunk> => {
      const { value, done } = await answers.next();
      if (done || !value.data) throw new Error(JSON.stringify(value ?? 'the end'));
      return value.data.invokeServiceStream;
    };
    const first = next();
    const socket = await arrived;
    return { answers, socket, first: await first, next };
  }

  /** All of a stream. */
  async function read(script: Script | string | Buffer, input: object = {}) {
    run.upstream.answerWith(script);
    const chunks: Chunk[] = [];
    for await (const { data } of server.subscribe<{ invokeServiceStream: Chunk }>(document, {
      input: { id: run.id, ...input },
    })) {
      if (data) chunks.push(data.invokeServiceStream);
    }
    const last = chunks.at(-1);
    if (!last?.final || !last.invocation) throw new Error('no end');
    return { chunks, invocation: last.invocation, text: chunks.map(({ text }) => text).join('') };
  }

  const newest = async () =>
    (
      await server.data<{ invocations: { nodes: Invocation[] } }>(
        `{ invocations(first: 1) { nodes { ${invocationFields} } } }`,
      )
    ).invocations.nodes[0];

  describe('passing on', () => {
    test.each(['ws', 'sse'] as const)('over %s each piece is there before the next is sent', async (transport) => {
      const stream = await open((socket) => socket.write(head('text/event-stream')), transport);
      expect(stream.first).toMatchObject({ text: '', final: false, invocation: { outcome: 'IN_PROGRESS' } });
      expect(stream.first.invocation?.response).toMatchObject({ status: 200, contentType: 'text/event-stream' });
      for (const piece of ['data: a\n\n', 'data: b\n\n', 'data: [DONE]\n\n']) {
        stream.socket.write(piece);
        expect(await stream.next()).toEqual({ text: piece, final: false, invocation: null });
      }
      stream.socket.end();
      const last = await stream.next();
      expect(last).toMatchObject({ text: '', final: true, invocation: { outcome: 'COMPLETED', message: null } });
      expect((await stream.answers.next()).done).toBe(true);
      const kept = await newest();
      expect(kept?.id).toBe(last.invocation?.id);
      expect(kept).toMatchObject({
        outcome: 'COMPLETED',
        response: { status: 200, body: 'data: a\n\ndata: b\n\ndata: [DONE]\n\n', bodyBytes: 32, truncated: false },
      });
    });

    test.each(['application/x-ndjson', 'text/plain', 'application/json'])('%s streams too', async (type) => {
      const { text, invocation } = await read(
        `${head(type, 'transfer-encoding: chunked\r\n')}2\r\n1\n\r\n2\r\n2\n\r\n0\r\n\r\n`,
      );
      expect({ text, outcome: invocation.outcome }).toEqual({ text: '1\n2\n', outcome: 'COMPLETED' });
    });

    test('pieces end at characters, whatever the charset', async () => {
      for (const [charset, bytes] of [
        ['utf-8', Buffer.from('é€𝄞')],
        ['utf-16le', Buffer.from('é€𝄞', 'utf16le')],
      ] as const) {
        const stream = await open((socket) => socket.write(head(`text/plain; charset=${charset}`)));
        const texts: string[] = [];
        for (const byte of bytes)
          await new Promise<void>((resolve) => void stream.socket.write(Buffer.of(byte), () => resolve()));
        stream.socket.end();
        for (let chunk = await stream.next(); !chunk.final; chunk = await stream.next()) texts.push(chunk.text);
        expect(texts.join('')).toBe('é€𝄞');
        expect(texts.filter((text) => !text.isWellFormed() || text.includes('\ufffd'))).toEqual([]);
      }
    });

    test('what tells the charset may come in pieces too', async () => {
      for (const [type, bytes] of [
        ['text/plain', Buffer.from('\ufeffé€𝄞')],
        ['text/plain', Buffer.from('\ufeffé€𝄞', 'utf16le')],
        ['text/plain', Buffer.from('\ufeffé€𝄞', 'utf16le').swap16()],
        ['text/plain; charset=shift_jis', Buffer.from([0x83, 0x65, 0x83, 0x58])],
        ['text/plain; charset=gb18030', Buffer.from([0xd6, 0xd0, 0x81, 0x30, 0x81, 0x30])],
        ['text/plain; charset=iso-2022-jp', Buffer.from('\u001b$B%F\u001b(B', 'latin1')],
      ] as const) {
        const { text, invocation } = await read(bitByBit(type, bytes));
        expect(text).toBe(new TextDecoder(/charset=(.*)/.exec(type)?.[1] ?? charsetOf(bytes)).decode(bytes));
        expect(invocation).toMatchObject({ outcome: 'COMPLETED', response: { lossy: false, bodyBytes: bytes.length } });
      }
    });

    test.each([
      ['utf-8', [0x61, 0xef, 0xbf, 0xbd, 0x62], 'a\ufffdb', false],
      ['utf-8', [0xef, 0xbf, 0xbd], '\ufffd', false],
      ['utf-8', [0xef, 0xbf, 0xbd, 0xff], '\ufffd\ufffd', true],
      ['utf-8', [0xe2, 0x82, 0xef, 0xbf, 0xbd], '\ufffd\ufffd', true],
      ['utf-8', [0x61, 0xef, 0xbf], 'a\ufffd', true],
      ['utf-16le', [0xfd, 0xff, 0x61, 0], '\ufffda', false],
      ['utf-16le', [0x61, 0, 0, 0xd8, 0x61, 0], 'a\ufffda', true],
      ['gb18030', [0x84, 0x31, 0xa4, 0x37, 0x61], '\ufffda', false],
      ['gb18030', [0x61, 0xff], 'a\ufffd', true],
      ['shift_jis', [0x61, 0x83], 'a\ufffd', true],
    ])('a U+FFFD of the service itself is none of ours: %s %j', async (charset, bytes, text, lossy) => {
      const type = `text/plain; charset=${charset}`;
      const sent = Buffer.from(bytes);
      for (const script of [answer(sent, { 'content-type': type }), bitByBit(type, sent)]) {
        const streamed = await read(script);
        expect({ text: streamed.text, lossy: streamed.invocation.response?.lossy }).toEqual({ text, lossy });
      }
    });

    test('however it is cut, a text is what it is in one piece', async () => {
      const parts = ['a', 'é', '€', '𝄞', '\ufffd'].map((part) => Buffer.from(part));
      const flaws = [[0xff], [0x80], [0xc3], [0xe2, 0x82], [0xef, 0xbf], [0xf0, 0x9d]].map((part) => Buffer.from(part));
      const chunks = fc.array(fc.constantFrom(...parts, ...flaws), { minLength: 1, maxLength: 8 }).chain((list) => {
        const bytes = Buffer.concat(list);
        return fc.subarray([...bytes.keys()].slice(1)).map((cuts) => {
          const ends = [...cuts, bytes.length];
          return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
        });
      });
      await fc.assert(
        fc.asyncProperty(chunks, async (list) => {
          const { text, invocation } = await read(chunked('text/plain', list));
          run.upstream.answerWith(answer(Buffer.concat(list)));
          const { response } = await server.call(run);
          expect({ text, lossy: invocation.response?.lossy }).toEqual({ text: response?.body, lossy: response?.lossy });
        }),
        { numRuns: 60 },
      );
    });

    test('one piece that is shorter than a mark is there before the next is sent', async () => {
      const stream = await open((socket) => socket.write(head('text/event-stream')));
      for (const piece of ['a', 'é', ':']) {
        stream.socket.write(piece);
        expect(await stream.next()).toMatchObject({ text: piece });
      }
      stream.socket.end();
      expect(await stream.next()).toMatchObject({ final: true });
    });

    test('without record there are no headers and no bodies of it in the history', async () => {
      const { text, invocation } = await read(answer('canary', { 'x-canary': 'canary' }), {
        method: 'POST',
        headers: [{ name: 'X-Canary', value: 'canary' }],
        body: 'canary',
        record: false,
      });
      expect(text).toBe('canary');
      const kept = await newest();
      expect(kept).toMatchObject({ id: invocation.id, outcome: 'COMPLETED', recorded: false, replayable: false });
      expect(JSON.stringify(kept)).not.toMatch(/canary/i);
    });

    test('a compressed stream is decoded', async () => {
      const { text } = await read(
        answer(gzipSync('data: x\n\n'), { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }),
      );
      expect(text).toBe('data: x\n\n');
    });

    test('an error status is data', async () => {
      const { text, invocation } = await read(
        answer('{"error":1}', { 'content-type': 'application/json' }, '429 Slow Down'),
      );
      const statusText = reach === 'direct' ? 'Slow Down' : 'Too Many Requests';
      expect(text).toBe('{"error":1}');
      expect(invocation).toMatchObject({ outcome: 'COMPLETED', response: { status: 429, statusText } });
    });
  });

  describe('ends that are none', () => {
    test('what is no text, whatever it is called', async () => {
      for (const script of [
        answer('x', { 'content-type': 'image/png' }),
        answer(Buffer.from('a\0b'), { 'content-type': 'text/event-stream' }),
        answer(Buffer.from('\x89PNG\r\n', 'latin1'), { 'content-type': 'text/plain' }),
        ...(reach === 'direct' ? [Buffer.from('HTTP/1.1 200 OK\r\n\r\n\xff\xd0 no text', 'latin1')] : []),
      ]) {
        const { text, invocation } = await read(script);
        expect({ text, outcome: invocation.outcome }).toEqual({ text: '', outcome: 'UNSUPPORTED_CONTENT' });
        expect(invocation.response).toMatchObject({ status: 200, body: null });
      }
    });

    test('nor does it help to send what it begins with bit by bit', async () => {
      const { text, invocation } = await read(bitByBit('text/plain', Buffer.from('\x89PNG\r\n', 'latin1')));
      expect({ text, outcome: invocation.outcome }).toEqual({ text: '', outcome: 'UNSUPPORTED_CONTENT' });
    });

    const brotli = (bits: number) =>
      brotliCompressSync('data: x\n\n', { params: { [constants.BROTLI_PARAM_LGWIN]: bits } });

    test.each([22, 23, 24])('br with a window of 2^%i', async (bits) => {
      const { text, invocation } = await read(answer(brotli(bits), { 'content-encoding': 'br' }));
      expect({ text, outcome: invocation.outcome }).toEqual({ text: 'data: x\n\n', outcome: 'COMPLETED' });
    });

    test('br with the largest window: two streams at once', async () => {
      const end = async (bits: number) => {
        const { text, invocation } = await read(answer(brotli(bits), { 'content-encoding': 'br' }));
        return `${text} ${invocation.outcome}`;
      };
      const streams: Awaited<ReturnType<typeof open>>[] = [];
      for (let n = 0; n < 2; n++) {
        const stream = await open((socket) => socket.write(head('text/event-stream', 'content-encoding: br\r\n')));
        stream.socket.write(brotli(24));
        expect(await stream.next()).toMatchObject({ text: 'data: x\n\n' });
        streams.push(stream);
      }
      expect(await end(24)).toBe(' UNSUPPORTED_CONTENT');
      expect(await end(23)).toBe('data: x\n\n COMPLETED');
      const [ended, left] = streams;
      ended?.socket.end();
      expect(await ended?.next()).toMatchObject({ final: true, invocation: { outcome: 'COMPLETED' } });
      expect(await end(24)).toBe('data: x\n\n COMPLETED');
      await left?.answers.return?.();
      await run.upstream.idle();
      expect([await end(24), await end(24)]).toEqual(Array(2).fill('data: x\n\n COMPLETED'));
    });

    test('too much is cut at the limit, and the connection closed', async () => {
      const { text, invocation } = await read((socket) => {
        socket.write(head('text/plain'));
        flood(socket, 'ab'.repeat(5000));
      });
      expect(text).toHaveLength(maxBytes);
      expect(invocation).toMatchObject({
        outcome: 'RESPONSE_TOO_LARGE',
        response: { bodyBytes: maxBytes, truncated: true },
      });
      await run.upstream.idle();
    });

    test('a reset keeps what came', async () => {
      const stream = await open((socket) => socket.write(head('text/plain')));
      stream.socket.write('half');
      expect(await stream.next()).toMatchObject({ text: 'half' });
      stream.socket.resetAndDestroy();
      expect(await stream.next()).toMatchObject({
        final: true,
        invocation: { outcome: 'PROTOCOL_ERROR', response: { body: 'half', truncated: true } },
      });
    });

    test.each([
      ['silence', idleMs, `The service sent nothing for ${idleMs} ms.`],
      ['length', totalMs, `The service did not finish within ${totalMs} ms.`],
    ])('%s has a limit', async (_, ms, message) => {
      const stream = await open((socket) => socket.write(head('text/plain')));
      stream.socket.write('begun');
      expect(await stream.next()).toMatchObject({ text: 'begun' });
      const closed = closing(stream.socket);
      await clock.fire(ms);
      expect(await stream.next()).toMatchObject({
        final: true,
        invocation: { outcome: 'TIMEOUT', message, response: { body: 'begun', truncated: true } },
      });
      await closed;
    });

    test.each(['ws', 'sse'] as const)('a caller who leaves over %s ends the call at the service', async (transport) => {
      const stream = await open((socket) => socket.write(head('text/plain')), transport);
      stream.socket.write('begun');
      expect(await stream.next()).toMatchObject({ text: 'begun' });
      const closed = closing(stream.socket);
      await stream.answers.return?.();
      await closed;
      const { outcome, response } = (await newest()) ?? {};
      expect({ outcome, body: response?.body, truncated: response?.truncated }).toEqual({
        outcome: 'CANCELLED',
        body: 'begun',
        truncated: true,
      });
    });

    test('refusals come before the first piece, and are recorded', async () => {
      run.upstream.answerWith(answer('no'));
      let before = await newest();
      for (const input of [
        { path: '//' },
        { headers: [{ name: 'Cookie', value: 'a' }] },
        { url: 'http://evil.example/' },
        { idempotencyKey: 'short' },
      ]) {
        const answers = server.subscribe(document, { input: { id: run.id, ...input } });
        const refused = await answers.next().then(
          ({ value }) => errorsOf(value ?? {}),
          (errors: { extensions: { code: string } }[]) => errors.map(({ extensions }) => extensions.code),
        );
        expect(refused[0]).toMatch(/^(INVALID|HEADER_NOT_ALLOWED|TARGET_NOT_ALLOWED)/);
        const kept = await newest();
        expect(kept).toMatchObject({ outcome: 'REFUSED', errorCode: refused[0]?.split(' ')[0] });
        expect(kept?.id).not.toBe(before?.id);
        before = kept;
      }
      expect(run.upstream.requests).toEqual([]);
    });
  });
}
