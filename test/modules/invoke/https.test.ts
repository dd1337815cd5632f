import { once } from 'node:events';
import { createServer } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BootError } from '../../../src/boot-error.ts';
import { createAuthority } from '../../k8s/certificates.ts';
import { type HeldClock, holdTimers } from './held-clock.ts';
import { type InvokeServer, type Invocation, errorsOf, invocationFields, startInvokeServer } from './surface.ts';
import { answer } from './upstream.ts';

const authority = createAuthority();
const nameOf = (service: string) => `${service}.default.svc`;
const certificateFor = (...names: string[]) => authority.forServer({ names, addresses: [] });
const untrusted = 'The certificate of the service is not one that is trusted here for its name.';

/** Nothing else takes so long, so that its timer can be told apart. */
const connectTimeoutMs = 2011;

let server: InvokeServer;
let clock: HeldClock;
beforeAll(async () => {
  clock = holdTimers(connectTimeoutMs);
  server = await startInvokeServer({ clock, config: { invoke: { tlsAuthorities: authority.cert, connectTimeoutMs } } });
});
afterAll(() => server.stop());

let count = 0;
const newName = () => `safe-${++count}`;
const play = (name: string, tls = certificateFor(nameOf(name))) => server.play(name, answer('ok'), { tls });
const unreachable = (message: string) => ({ outcome: 'UNREACHABLE', message, response: null });

describe('a service whose port is https', () => {
  test('is called encrypted, by port or URL, under the name that its certificate is for', async () => {
    const name = newName();
    const run = await play(name);
    expect(run.url).toMatch(/^https:/);
    let asked: string | false | null = null;
    run.upstream.answerWith((socket) => {
      asked = (socket as TLSSocket & { servername?: string }).servername ?? null;
      socket.end(answer('ok'));
    });
    for (const input of [{ path: '/a?b' }, { port: 8000, path: '/a?b' }, { url: `${run.url}/a?b#c` }]) {
      expect(await server.call(run, input)).toMatchObject({
        outcome: 'COMPLETED',
        request: { url: `${run.url}/a?b` },
        response: { status: 200, body: 'ok' },
      });
    }
    expect(asked).toBe(nameOf(name));
    expect(run.upstream.requests).toHaveLength(3);
    for (const request of run.upstream.requests) {
      expect(request).toMatch(new RegExp(`^GET /a\\?b HTTP/1.1\r\nhost: ${name}\\.default:8000\r\n`));
    }
  });

  test.each(['http', 'https'] as const)('is another address than the one of the other scheme: %s', async (scheme) => {
    const name = newName();
    const run = scheme === 'https' ? await play(name) : await server.play(name, answer('no'));
    const other = run.url.replace(/^\w+/, scheme === 'https' ? 'http' : 'https');
    expect(errorsOf(await server.answer({ id: run.id, url: `${other}/` }))).toEqual([
      'TARGET_NOT_ALLOWED url NOT_REGISTERED',
    ]);
    expect(run.upstream.requests).toEqual([]);
  });

  test('its calls share a connection, and are made again from the history', async () => {
    const run = await play(newName());
    run.upstream.answerWith((socket) => {
      socket.write(answer('first'));
      socket.on('data', () => socket.write(answer('next')));
    });
    const made = await server.call(run, { url: `${run.url}/x` });
    expect(made.response?.body).toBe('first');
    const replay = `mutation ($id: ID!) {
      replayInvocation(input: { id: $id }) { invocation { ${invocationFields} } } }`;
    const again = await server.data<{ replayInvocation: { invocation: Invocation } }>(replay, { id: made.id });
    expect(again.replayInvocation.invocation).toMatchObject({
      outcome: 'COMPLETED',
      request: { url: `${run.url}/x` },
      response: { body: 'next' },
    });
    expect(run.upstream.requests).toHaveLength(1);
  });

  test.each([
    ['after early hints', `HTTP/1.1 103 X\r\n\r\n${answer('abc').toString()}`, 'COMPLETED', 'abc'],
    ['that is longer than it says', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nabc', 'PROTOCOL_ERROR', null],
    ['that is no HTTP', '220 mail.internal.example ESMTP\r\n', 'PROTOCOL_ERROR', null],
  ])('an answer %s is read like any other', async (_, bytes, outcome, body) => {
    const run = await play(newName());
    run.upstream.answerWith(bytes);
    const call = await server.call(run);
    expect({ outcome: call.outcome, body: call.response?.body ?? null }).toEqual({ outcome, body });
  });

  test.each<[string, (name: string) => ReturnType<typeof certificateFor>]>([
    ['of another name', () => certificateFor('other.default.svc', 'echo')],
    ['of another namespace', (name) => certificateFor(`${name}.other.svc`)],
    ['of an authority that nobody trusts', (name) => createAuthority().forServer({ names: [nameOf(name)] })],
  ])('with a certificate %s gets not one byte', async (_, certificate) => {
    const name = newName();
    const run = await play(name, certificate(name));
    expect(await server.call(run)).toMatchObject(unreachable(untrusted));
    expect(run.upstream.requests.join('')).toBe('');
  });

  test('that is not encrypted after all gets no request', async () => {
    const run = await server.play(newName(), answer('plain'), { portName: 'https' });
    const call = server.call(run);
    await clock.fire(connectTimeoutMs);
    expect(await call).toMatchObject(unreachable('The service took no connection within 2011 ms.'));
    expect(run.upstream.requests.join('')).not.toContain('GET');
    const { address, port } = run.upstream;
    await run.upstream[Symbol.asyncDispose]();
    const eager = createServer((socket) => {
      // What is never read never ends.
      socket
        .on('error', () => {})
        .resume()
        .end(answer('plain'));
    }).listen(port, address);
    await once(eager, 'listening');
    expect(await server.call(run)).toMatchObject(
      unreachable(
        'The port is one of https, but no encrypted connection came about. If the service speaks http, name its port so.',
      ),
    );
    eager.close();
    await once(eager, 'close');
  });
});

test('nothing is trusted that the system does not trust, unless it is configured', async () => {
  await using own = await startInvokeServer();
  const run = await own.play('echo', answer('no'), { tls: certificateFor(nameOf('echo')) });
  expect(await own.call(run)).toMatchObject(unreachable(untrusted));
});

test.each(['/etc/ssl/ca.pem', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----'])(
  'authorities that are no certificates stop the start: %j',
  async (tlsAuthorities) => {
    const started = startInvokeServer({ config: { invoke: { tlsAuthorities } } });
    await expect(started).rejects.toBeInstanceOf(BootError);
    await expect(started).rejects.toMatchObject({ problems: [{ module: 'invoke', field: 'tlsAuthorities' }] });
  },
);
