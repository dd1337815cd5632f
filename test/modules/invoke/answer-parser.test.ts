import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import fc from 'fast-check';
import { Client } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AnswerParser } from '../../../src/modules/invoke/answer-parser.ts';
import { CallFailure } from '../../../src/modules/invoke/failure.ts';
import type { Header } from '../../../src/modules/invoke/headers.ts';

interface Understood {
  status: number;
  headers: Header[];
  body: string;
}

type Outcome = { answer: Understood; atRest: boolean } | { refused: string };

/** What the parser makes of an answer that comes in these pieces, before the connection is closed. */
function understood(pieces: readonly Buffer[], method = 'GET'): Outcome {
  const parser = new AnswerParser();
  const found: Understood = { status: 0, headers: [], body: '' };
  let ended = false;
  parser.expect(method, {
    head: ({ status, headers }) => void Object.assign(found, { status, headers }),
    data: (bytes) => (found.body += bytes.toString('latin1')) !== '',
    end: () => (ended = true),
  });
  // As a socket's: its bytes are others once they were taken.
  const shared = Buffer.alloc(Math.max(0, ...pieces.map(({ length }) => length)));
  try {
    for (const piece of pieces) parser.take(shared.subarray(0, piece.copy(shared)));
    const { atRest } = parser;
    parser.close();
    return ended ? { answer: found, atRest } : { refused: 'It has no end.' };
  } catch (error) {
    if (error instanceof CallFailure) return { refused: error.message };
    throw error;
  }
}

const cutAt = (bytes: Buffer, cuts: readonly number[]): Buffer[] => {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place));
};

const text = fc.string({ unit: fc.constantFrom(...Array.from('abcXYZ09 \t-;=,"\xe9')), maxLength: 12 });
const header = fc.record({ name: fc.stringMatching(/^[a-zA-Z0-9-]{1,8}$/).map((name) => `x-${name}`), value: text });
const bodies = fc.array(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).map((one) => Buffer.from(one)),
  {
    maxLength: 4,
  },
);

interface Written {
  bytes: Buffer;
  status: number;
  headers: Header[];
  body: string;
}

/** Proper answers in each of the forms that a body may have. */
const answers: fc.Arbitrary<Written> = fc
  .record({
    status: fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 304),
    reason: text,
    headers: fc.array(header, { maxLength: 4 }),
    form: fc.constantFrom('length', 'chunked', 'untilClose'),
    bodies,
    interim: fc.nat(2),
    extension: fc.constantFrom('', ';a=b', ' ;x'),
    trailers: fc.constantFrom('', 'x-t: 1\r\n'),
  })
  .map(({ status, reason, headers, form, bodies: parts, interim, extension, trailers }) => {
    const body = Buffer.concat(parts);
    const own: Record<string, Header[]> = {
      length: [{ name: 'Content-Length', value: String(body.length) }],
      chunked: [{ name: 'Transfer-Encoding', value: 'chunked' }],
      untilClose: [],
    };
    const all = [...headers, ...(own[form] ?? [])];
    const head = `HTTP/1.1 ${status} ${reason}\r\n${all.map(({ name, value }) => `${name}: ${value}\r\n`).join('')}\r\n`;
    const chunks = parts.flatMap((part) => [`${part.length.toString(16)}${extension}\r\n`, part, '\r\n']);
    const sent = form === 'chunked' ? [...chunks, `0\r\n${trailers}\r\n`] : [body];
    const latin1 = ['HTTP/1.1 103 X\r\nlink: a\r\n\r\n'.repeat(interim), head, ...sent];
    return {
      bytes: Buffer.concat(latin1.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part))),
      status,
      headers: all.map(({ name, value }) => ({ name, value: value.replace(/^[ \t]+|[ \t]+$/g, '') })),
      body: body.toString('latin1'),
    };
  });

const cuts = fc.array(fc.nat(2_000), { maxLength: 8 });

test('an answer is the same however it is cut, down to single bytes', () => {
  fc.assert(
    fc.property(answers, cuts, fc.boolean(), ({ bytes, status, headers, body }, places, single) => {
      const pieces = single ? [...bytes].map((byte) => Buffer.of(byte)) : cutAt(bytes, places);
      expect(understood(pieces)).toMatchObject({ answer: { status, headers, body } });
    }),
    { numRuns: 500 },
  );
});

/** Pieces of answers that parsers disagree about. */
const marks = fc.constantFrom(
  ...['\r\n', '\n', '\r', '\r\n\r\n', ' ', '\t', '\0', ':', '0\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n', '+', '-', ',', '_'],
  ...['Content-Length: 3\r\n', 'Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: identity\r\n', '\x85', '1', 'fF'],
);
const damaged = fc
  .tuple(answers, fc.array(fc.tuple(fc.nat(2_000), fc.nat(3), marks), { minLength: 1, maxLength: 3 }))
  .map(([{ bytes }, changes]) =>
    changes.reduce((left, [place, without, mark]) => {
      const at = place % (left.length + 1);
      return Buffer.concat([left.subarray(0, at), Buffer.from(mark, 'latin1'), left.subarray(at + without)]);
    }, bytes),
  );

let reply: Buffer = Buffer.alloc(0);
const service = createServer((socket) => {
  socket.on('error', () => {});
  socket.once('data', () => socket.end(reply));
});
let port = 0;
beforeAll(async () => {
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  ({ port } = service.address() as AddressInfo);
});
afterAll(() => new Promise((resolve) => service.close(resolve)));

/** What another parser makes of the bytes; null: no answer. */
async function byAnother(bytes: Buffer): Promise<{ status: number; body: string } | null> {
  reply = bytes;
  const client = new Client(`http://127.0.0.1:${port}`);
  try {
    const { statusCode, body } = await client.request({ path: '/', method: 'GET' });
    return { status: statusCode, body: Buffer.from(await body.arrayBuffer()).toString('latin1') };
  } catch {
    return null;
  } finally {
    await client.destroy();
  }
}

test('of a damaged answer nothing is taken that the way it is cut decides, or that another parser takes otherwise', async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(damaged, cuts, async (bytes, places) => {
      const whole = understood([bytes]);
      const inPieces = understood(cutAt(bytes, places));
      expect('refused' in inPieces).toBe('refused' in whole);
      if ('refused' in whole) return;
      expect(inPieces).toEqual(whole);
      taken += 1;
      const { status, body } = whole.answer;
      // It may be stricter; what it takes has to be the same.
      expect((await byAnother(bytes)) ?? { status, body }).toEqual({ status, body });
    }),
    { numRuns: 400 },
  );
  expect(taken).toBeGreaterThan(20);
});

test.each([
  ['a line that goes on in the next one', 'x-a: b\r\n c\r\n'],
  ['a blank before the colon', 'x-a : b\r\n'],
  ['a bare line feed', 'x-a: b\nx-c: d\r\n'],
  ['a bare carriage return', 'x-a: b\rc\r\n'],
  ['an encoding of the transfer with a tab after it', 'transfer-encoding: chunked\t \r\n'],
  ['an encoding of the transfer that is unknown', 'transfer-encoding: gzip, chunked\r\n'],
  ['chunks twice', 'transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n'],
  ['a list of lengths', 'content-length: 3, 3\r\n'],
  ['the same length twice', 'content-length: 0\r\ncontent-length: 0\r\n'],
])('%s is refused', (_, line) => {
  const answer = Buffer.from(`HTTP/1.1 200 OK\r\n${line}\r\n`, 'latin1');
  expect(understood([answer])).toEqual({ refused: 'The answer is not proper HTTP.' });
});

test.each<[name: string, answer: string, method: string, atRest: boolean]>([
  ['a length', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok', 'GET', true],
  ['chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', 'GET', true],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok', 'GET', false],
  ['a service that closes', 'HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 2\r\n\r\nok', 'GET', false],
  ['a short time', 'HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok', 'GET', false],
  ['HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n', 'HEAD', false],
  ['no content', 'HTTP/1.1 204 No Content\r\n\r\n', 'GET', false],
])('a connection is used again only where nothing can be left on it: after %s', (_, answer, method, atRest) => {
  expect(understood([Buffer.from(answer, 'latin1')], method)).toMatchObject({ atRest });
});
