import { deepStrictEqual } from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { encodeBody } from '../../../src/modules/invoke/body.ts';
import { type CallRequest, openCall } from '../../../src/modules/invoke/call.ts';
import { createConnections } from '../../../src/modules/invoke/connections.ts';
import { connectPinned } from '../../../src/modules/invoke/connector.ts';
import { type Header, headerProblems } from '../../../src/modules/invoke/headers.ts';
import { checkPath } from '../../../src/modules/invoke/path.ts';
import { SlipwayError } from '../../../src/errors.ts';

/** One request as a server understood it. */
interface Seen {
  method: string;
  path: string;
  headers: Header[];
  body: string;
}

const host = '127.0.0.1';
let seen: Seen | null = null;
let [arrived, broken] = [0, 0];
// It keeps connections open, as a service behind a proxy would: what one request leaves over would begin the next.
const service = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const body: Buffer[] = [];
  request.on('data', (chunk: Buffer) => body.push(chunk));
  request.once('end', () => {
    const headers: Header[] = [];
    for (let n = 0; n < request.rawHeaders.length; n += 2) {
      headers.push({ name: request.rawHeaders[n] ?? '', value: request.rawHeaders[n + 1] ?? '' });
    }
    const { method = '', url: path = '' } = request;
    arrived += 1;
    seen = { method, path, headers, body: Buffer.concat(body).toString() };
    response.end('ok');
  });
}).on('clientError', (_, socket) => {
  broken += 1;
  socket.destroy();
});
const connections = createConnections(systemClock);
let port = 0;
let sockets = 0;
beforeAll(async () => {
  service.on('connection', () => (sockets += 1));
  service.listen(0, host);
  await once(service, 'listening');
  ({ port } = service.address() as AddressInfo);
});
afterAll(async () => {
  connections.close();
  service.closeAllConnections();
  await new Promise((resolve) => service.close(resolve));
});

interface Input {
  method: CallRequest['method'];
  path: string;
  headers: Header[];
  body: string | null;
}

/** Pieces of requests, and marks that parsers disagree about. */
const pieces = [
  ...['GET / HTTP/1.1\r\n', 'POST /admin HTTP/1.1\r\n', ' HTTP/1.0', 'Host: other\r\n', '\r\n\r\n', '\r\n', '\n', '\r'],
  ...[
    '0\r\n\r\n',
    '5\r\nhello\r\n',
    'Content-Length: 3',
    'Transfer-Encoding: chunked',
    'Connection: close',
    '\0',
    '\t',
  ],
  ...[
    '%0d%0a',
    '%00',
    '%2e%2e',
    '..',
    ';',
    '//',
    '\\',
    '?',
    '#',
    '&',
    '=',
    '@',
    ':',
    '[',
    ']',
    'ü',
    '\u{1f600}',
    '\x85',
  ],
  ...['\u2028', '\uff0f', '\ufeff', 'a', 'Z', '0', '-', '_', '~', ' ', ',', '"', "'", '<', '{"a":1}', '\ud800'],
];
const fine = ['X-Fine', 'Accept', 'Content-Type', 'x-http-method-override', 'Range', 'If-None-Match', 'Authorization'];
const refused = [
  ...['Host', 'Content-Length', 'Transfer-Encoding', 'Connection', 'Expect', 'Upgrade', 'TE', 'X-Forwarded-For'],
  ...['Transfer-Encoding ', 'Content-Length\r\nX', 'x\0', ''],
];
const odd = ['transfer_encoding', '__proto__', 'constructor'];
const names = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...fine, ...odd) }, fc.constantFrom(...refused));
const text = (maxLength: number) =>
  fc.array(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...pieces) }, fc.string({ maxLength: 6 })), { maxLength });
const written = (maxLength: number) => text(maxLength).map((parts) => parts.join(''));
/** One that passes more often: what may stand in a path or a value as it is. */
const plain = (maxLength: number) => written(maxLength).map((value) => value.replace(/[^\x21-\x5b\x5d-\x7e]/g, ''));

const inputs: fc.Arbitrary<Input> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'),
  path: fc.oneof(written(6), { weight: 3, arbitrary: plain(8).map((rest) => `/${rest}`) }),
  headers: fc.array(fc.record({ name: names, value: fc.oneof(written(2), { weight: 4, arbitrary: plain(4) }) }), {
    maxLength: 3,
  }),
  body: fc.oneof(fc.constant(null), written(10)),
});

/** Checked as every call is; null: refused. */
function checked({ method, path, headers, body }: Input): CallRequest | null {
  try {
    if (headerProblems(headers).length > 0) return null;
    return {
      line: {
        key: 'fuzz',
        connect: (dial, take) => connectPinned({ address: host, port, tls: null }, dial, take),
      },
      authority: 'echo.default:8000',
      method,
      path: checkPath(path),
      headers,
      body: encodeBody(body, 1_048_576),
    };
  } catch (error) {
    if (error instanceof SlipwayError) return null;
    throw error;
  }
}

async function send(request: CallRequest): Promise<number> {
  const limits = { connectTimeoutMs: 60_000, firstByteTimeoutMs: 60_000, totalTimeoutMs: 60_000 };
  const confirm = () => true;
  const open = await openCall(request, { connections, limits, clock: systemClock, endings: [], confirm });
  for await (const _ of open.body);
  open.close();
  return open.status;
}

/** All that matters of a request, as it should have arrived. Values lose the blanks around them on the way. */
function expected({ authority, method, path, headers, body }: CallRequest): Seen {
  const given = headers.map(({ name, value }) => ({ name, value: value.replace(/^[\t ]+|[\t ]+$/g, '') }));
  const text = body?.toString() ?? '';
  return { method, path, headers: [{ name: 'host', value: authority }, ...given], body: text };
}

const framing = new Set(['connection', 'content-length']);

/** A CI run has 100,000. */
const runs = Number(process.env['SLIPWAY_SMUGGLING_RUNS'] ?? 1_500);

test('of random paths, headers and bodies each is refused, or is one request with the very same bytes', async () => {
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(inputs, async (input) => {
      const request = checked(input);
      if (!request) return;
      const status = await send(request);
      sent += 1;
      const own = seen?.headers ?? [];
      const ours = new Set(request.headers.map(({ name }) => name.toLowerCase()));
      // What we add is how the body is framed, and nothing that the caller could have asked for.
      const headers = own.filter(({ name }) => ours.has(name.toLowerCase()) || !framing.has(name.toLowerCase()));
      const lengths = own.filter(({ name }) => name.toLowerCase() === 'content-length').length;
      const found = { status, arrived, broken, framed: lengths < 2, request: { ...seen, headers } };
      const wanted = { status: 200, arrived: sent, broken: 0, framed: true, request: expected(request) };
      // For 100,000 of them expect() takes longer than the calls.
      deepStrictEqual(found, wanted);
    }),
    { numRuns: runs },
  );
  expect(sent).toBeGreaterThan(runs / 5);
  expect(arrived).toBe(sent);
  // Many shared a connection (after a HEAD it ends): else nothing could have been left over for the next one.
  expect(sockets).toBeLessThan(sent / 2);
}, 1_800_000);
