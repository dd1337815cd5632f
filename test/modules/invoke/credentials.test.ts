import { Pool } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auth } from '../../../src/modules/auth/index.ts';
import { audience, startIssuer } from '../auth/issuer.ts';
import { captureLog } from './captured-log.ts';
import { type InvokeServer, type PlayedRun, startInvokeServer } from './surface.ts';
import { type Upstream, answer, startUpstream } from './upstream.ts';

/** A CI run makes 10,000. */
const calls = Number(process.env['SLIPWAY_CREDENTIAL_CALLS'] ?? 1_000);
const atOnce = 32;

const invoke = 'mutation ($input: InvokeServiceInput!) { invokeService(input: $input) { invocation { id outcome } } }';
const replay =
  'mutation ($input: ReplayInvocationInput!) { replayInvocation(input: $input) { invocation { outcome } } }';
const stream =
  'subscription ($input: InvokeServiceInput!) { invokeServiceStream(input: $input) { final invocation { outcome } } }';

const { log, lines } = captureLog();
let issuer: Awaited<ReturnType<typeof startIssuer>>;
let server: InvokeServer;
let run: PlayedRun;
let proxy: Upstream;
const proxies = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'];
beforeAll(async () => {
  proxy = await startUpstream(answer('proxy'));
  issuer = await startIssuer();
  server = await startInvokeServer({
    log,
    modules: [auth],
    config: { auth: { issuer: issuer.url, audience: [audience] } },
  });
  run = await server.play('echo', '');
  // Nothing is left out but a name that nobody has.
  for (const name of proxies) process.env[name] = `http://canary-user:canary-password@127.0.0.1:${proxy.port}`;
  for (const name of ['NO_PROXY', 'no_proxy']) process.env[name] = 'nobody.example';
});
afterAll(async () => {
  for (const name of [...proxies, 'NO_PROXY', 'no_proxy']) delete process.env[name];
  await server.stop();
  await issuer.close();
  await proxy[Symbol.asyncDispose]();
});

/** Everything a browser, a proxy or a program could send along, and the service must never see. */
const carried = (token: string) => ({
  'content-type': 'application/json',
  authorization: `Bearer ${token}`,
  cookie: 'session=canary-cookie; slipway=canary-second',
  'proxy-authorization': 'Basic canary-proxy',
  'x-api-key': 'canary-key',
  'x-forwarded-for': 'canary-address',
  'x-forwarded-user': 'canary-forwarded',
  'x-remote-user': 'canary-remote',
  'impersonate-user': 'canary-impersonated',
  referer: 'http://canary.example/',
});

test(`in ${calls} calls nothing of the caller's credentials or of a proxy's reaches the service or the log`, async () => {
  run.upstream.answerWith((socket) => {
    socket.write(answer('ok'));
    socket.on('data', () => socket.write(answer('ok')));
  });
  // More callers than one, so that none meets their limit.
  const tokens = await Promise.all(
    Array.from({ length: atOnce / 4 }, (_, n) => issuer.sign({ sub: `canary-subject-${n}` })),
  );
  const pool = new Pool(server.url, { connections: atOnce });
  let made = 0;
  const worker = async (n: number) => {
    const headers = carried(tokens[n % tokens.length] ?? '');
    const ask = async (query: string, input: object, accept: string) => {
      const body = JSON.stringify({ query, variables: { input } });
      const response = await pool.request({ method: 'POST', path: '/graphql', headers: { ...headers, accept }, body });
      const text = await response.body.text();
      expect(text).toContain('"outcome":"COMPLETED"');
      return text;
    };
    let id = '';
    while (made < calls) {
      made += 1;
      const method = (['GET', 'POST', 'PUT', 'DELETE'] as const)[made % 4];
      const input = { id: run.id, method, path: `/${made}`, headers: [{ name: 'X-N', value: String(made) }] };
      if (made % 50 === 0) await ask(stream, input, 'text/event-stream');
      else if (id !== '' && made % 5 === 0) await ask(replay, { id }, 'application/json');
      else id = /"id":"([^"]+)"/.exec(await ask(invoke, input, 'application/json'))?.[1] ?? '';
    }
  };
  await Promise.all(Array.from({ length: atOnce }, (_, n) => worker(n)));
  await pool.close();
  const seen = run.upstream.requests.join('');
  // Each of them arrived, and in none is anything but what we say ourselves and the caller asked for.
  expect(seen.match(/ HTTP\/1\.1\r\n/g)).toHaveLength(calls);
  expect([...new Set(seen.match(/^[a-z-]+(?=: )/gim))].sort()).toEqual(['X-N', 'connection', 'content-length', 'host']);
  expect(seen).not.toMatch(/canary|bearer|authorization|cookie/i);
  expect(tokens.filter((token) => seen.includes(token) || seen.includes(token.split('.')[1] ?? token))).toEqual([]);
  expect(proxy.requests).toEqual([]);
  // The audit has a line for each of them, and nothing of the credentials either.
  expect(lines.filter((line) => 'audit' in line)).toHaveLength(calls);
  const logged = lines.map((line) => JSON.stringify(line)).join('\n');
  expect(logged).not.toMatch(/canary-(?!subject)/);
  expect(tokens.filter((token) => logged.includes(token.split('.')[2] ?? token))).toEqual([]);
}, 600_000);

test('an Authorization for the service is sent when it is given in headers, and only that one', async () => {
  run.upstream.answerWith(answer('ok'));
  const token = await issuer.sign({ sub: 'canary-subject' });
  const body = JSON.stringify({
    query: invoke,
    variables: { input: { id: run.id, headers: [{ name: 'Authorization', value: 'Bearer mine' }] } },
  });
  const response = await fetch(`${server.url}/graphql`, { method: 'POST', headers: carried(token), body });
  expect(await response.text()).toContain('COMPLETED');
  expect(run.upstream.requests.join('')).toMatch(/\r\nAuthorization: Bearer mine\r\n/);
  expect(run.upstream.requests.join('')).not.toContain(token);
});

test('the archive is for who is signed in, and has the calls of nobody else', async () => {
  run.upstream.answerWith(answer('ok'));
  const archive = async (token?: string) => {
    const headers = token === undefined ? { cookie: 'session=canary' } : { authorization: `Bearer ${token}` };
    const response = await fetch(`${server.url}/invocations.har`, { headers });
    return { status: response.status, text: await response.text() };
  };
  const [ann, bob] = [await issuer.sign({ sub: 'ann' }), await issuer.sign({ sub: 'bob' })];
  const body = JSON.stringify({ query: invoke, variables: { input: { id: run.id, path: '/of-ann' } } });
  await fetch(`${server.url}/graphql`, { method: 'POST', headers: carried(ann), body });
  expect(await archive(ann)).toEqual({ status: 200, text: expect.stringContaining('/of-ann') });
  expect(JSON.parse((await archive(bob)).text)).toMatchObject({ log: { entries: [] } });
  for (const refused of [await archive(), await archive(`${ann}x`), await archive('nonsense')]) {
    expect(refused).toEqual({ status: 401, text: expect.stringContaining('UNAUTHENTICATED') });
  }
});
