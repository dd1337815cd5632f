import dns from 'node:dns';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client } from 'undici';
import type { GraphQLAnswer } from '../../../src/testing.ts';
import { type HostileInput, hostileHeaders, hostileInputs, hostilePaths, hostileUrls } from './hostile-inputs.ts';
import { type Canary, type NetworkLog, logNetwork, startCanary } from './network-log.ts';
import { type InvokeServer, type PlayedRun, errorsOf, nextAddress, startInvokeServer } from './surface.ts';
import { answer, startUpstream } from './upstream.ts';

/** The codes with which an input is turned away. */
const refusals = /^(INVALID|TARGET_NOT_ALLOWED|HEADER_NOT_ALLOWED|REQUEST_TOO_LARGE)\b/;

let server: InvokeServer;
let run: PlayedRun;
let network: NetworkLog;
let canaries: Canary[];
let client: Client;
let host = '';
beforeAll(async () => {
  server = await startInvokeServer({ config: { invoke: { historyUrl: 'off' } } });
  run = await server.play('echo', answer('ok'));
  host = new URL(run.url).hostname;
  const { port } = run.upstream;
  const places: [string, number][] = [
    ['127.0.0.1', port],
    ['127.0.0.1', 8000],
    ['::1', port],
    ['::1', 8000],
    [host, port],
    [host, 8001],
    [nextAddress(), port],
    [nextAddress(), 8000],
    [run.upstream.address, 8000],
    [run.upstream.address, port + 1],
  ];
  const started = await Promise.all(places.map((place) => startCanary(...place)));
  canaries = started.filter((canary) => canary !== null);
  network = logNetwork();
  client = new Client(server.url);
});
afterAll(async () => {
  await client.close();
  network[Symbol.dispose]();
  for (const canary of canaries) await canary[Symbol.asyncDispose]();
  await server.stop();
});

/** Of servers that a test starts for itself. */
const known: string[] = [];

/** Where this process connected that is neither the service nor its own servers. */
function strangers(): string[] {
  const own = [server.url, server.kubernetesUrl].map((url) => new URL(url).host);
  const expected = new Set([...own, ...known, `${run.upstream.address}:${run.upstream.port}`]);
  return network.connections.filter((place) => !expected.has(place));
}

function expectNobodyElse(): void {
  expect({ strangers: strangers(), lookups: network.lookups.filter((name) => name !== '127.0.0.1') }).toEqual({
    strangers: [],
    lookups: [],
  });
  expect(canaries.map((canary) => canary.touched())).toEqual(canaries.map(() => 0));
}

const shortCall = 'mutation ($input: InvokeServiceInput!) { invokeService(input: $input) { invocation { outcome } } }';

/** `CODE` of the refusal; `sent` when there was none. */
async function tried(input: HostileInput & { method?: string }): Promise<string> {
  const body = JSON.stringify({ query: shortCall, variables: { input: { id: run.id, ...input } } });
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  // Not by fetch(), which for thousands of calls takes longer than they do.
  const answered = await client.request({ method: 'POST', path: '/graphql', headers, body });
  return errorsOf((await answered.body.json()) as GraphQLAnswer)[0] ?? 'sent';
}

test('the instruments see what they are there for', async () => {
  const canary = await startCanary('127.0.0.1', 0);
  expect(await (await fetch(`http://localhost:${canary?.port}/`)).text()).toBe('canary');
  expect(canary?.touched()).toBe(1);
  expect(network.lookups).toContain('localhost');
  expect(strangers()).toEqual([`localhost:${canary?.port}`]);
  await canary?.[Symbol.asyncDispose]();
  network.clear();
});

describe('every hostile input is refused with its code, and nothing is sent or looked up', () => {
  /** Those that were not refused. */
  async function passing(
    inputs: readonly HostileInput[],
    tell: (input: HostileInput) => Promise<string>,
  ): Promise<string[]> {
    run.upstream.answerWith(answer('ok'));
    network.clear();
    const passed: string[] = [];
    for (const input of inputs) {
      const code = await tell(input);
      if (!refusals.test(code)) passed.push(`${JSON.stringify(input).slice(0, 100)}: ${code}`);
    }
    expect(run.upstream.requests).toEqual([]);
    expectNobodyElse();
    return passed;
  }

  test('the table', async () => {
    expect(await passing(hostileInputs(host, 8000), tried)).toEqual([]);
  });

  test('the table, of streams', async () => {
    const query = 'subscription ($input: InvokeServiceInput!) { invokeServiceStream(input: $input) { text } }';
    const headers = { 'content-type': 'application/json', accept: 'text/event-stream' };
    const passed = await passing(hostileInputs(host, 8000), async (input) => {
      const body = JSON.stringify({ query, variables: { input: { id: run.id, ...input } } });
      const answered = await client.request({ method: 'POST', path: '/graphql', headers, body });
      return /"code":"([A-Z_]+)"/.exec(await answered.body.text())?.[1] ?? 'sent';
    });
    expect(passed).toEqual([]);
  });

  test('the table, of calls that are made again', async () => {
    await using own = await startInvokeServer();
    const echo = await own.play('echo', answer('ok'));
    const { id } = await own.call(echo);
    known.push(...[own.url, own.kubernetesUrl].map((url) => new URL(url).host));
    echo.upstream.answerWith(answer('no'));
    const query = 'mutation ($input: ReplayInvocationInput!) { replayInvocation(input: $input) { invocation { id } } }';
    const given = hostileInputs(host, 8000).filter(({ path, headers }) => path !== undefined || headers);
    const tell = async (input: HostileInput) =>
      errorsOf(await own.query(query, { input: { id, ...input } }))[0] ?? 'sent';
    expect(await passing(given, tell)).toEqual([]);
    expect(echo.upstream.requests).toEqual([]);
  });

  test('refused addresses differ in nothing, whatever is behind them', async () => {
    const places = [
      `http://${run.upstream.address}:${run.upstream.port}/`,
      'http://127.0.0.1:1/',
      'http://nothing.default:8000/',
      `${server.kubernetesUrl}/`,
      'http://169.254.169.254/',
    ];
    const answers = await Promise.all(places.map((url) => server.answer({ id: run.id, url })));
    expect(new Set(answers.map(({ errors }) => JSON.stringify(errors))).size).toBe(1);
    expectNobodyElse();
  });

  test('a method that is none of the six is refused by the schema', async () => {
    for (const method of ['OPTIONS', 'TRACE', 'CONNECT', 'get', 'PURGE', 'GET /x HTTP/1.1\r\n']) {
      expect(errorsOf(await server.answer({ id: run.id, method }))[0]).toMatch(/^INVALID/);
    }
    expectNobodyElse();
  });
});

/** One of the hostile parts, with the marks that parsers disagree about put in, cut out, doubled or encoded. */
function mutations(): fc.Arbitrary<HostileInput> {
  const marks = [
    '/',
    '\\',
    '@',
    '#',
    '?',
    ':',
    '%',
    '.',
    '..',
    '%2e',
    '%2f',
    '%00',
    '\r\n',
    '\t',
    ' ',
    '\0',
    ';',
    '//',
    '[',
    ']',
  ];
  const letters = [
    '\u00ad',
    '\u200b',
    '\u3002',
    '\uff0e',
    '\u2460',
    '\u0430',
    '\u202e',
    'evil.com',
    '127.0.0.1',
    '8000',
    'http:',
  ];
  const edit = fc.tuple(
    fc.nat(),
    fc.constantFrom(...marks, ...letters),
    fc.constantFrom('in', 'out', 'double', 'encode', 'case'),
  );
  const apply = (text: string, edits: readonly (readonly [number, string, string])[]) =>
    edits.reduce((before, [at, mark, how]) => {
      const place = at % (before.length + 1);
      const [left, right] = [before.slice(0, place), before.slice(place)];
      if (how === 'in') return left + mark + right;
      if (how === 'out') return left + right.slice(1);
      if (how === 'double') return left + right.slice(0, 4) + right;
      if (how === 'case') return left + right.toUpperCase();
      return `${left}%${right.charCodeAt(0).toString(16)}${right.slice(1)}`;
    }, text);
  const edited = (texts: readonly string[]) =>
    fc
      .tuple(fc.constantFrom(...texts), fc.array(edit, { minLength: 1, maxLength: 4 }))
      .map(([text, edits]) => apply(text, edits).slice(0, 9000));
  const urls = [...hostileUrls(host, 8000), `${run.url}/`, `${run.url}/a/b?c=d`].filter((url) => url.length < 9000);
  const names = [...hostileHeaders.flat().map(({ name }) => name), 'X-Fine'];
  const values = hostileHeaders.flat().map(({ value }) => value.slice(0, 200));
  return fc.oneof(
    edited(urls).map((url) => ({ url })),
    edited([...hostilePaths, '/', '/a/b?c=d'].filter((path) => path.length < 9000)).map((path) => ({ path })),
    fc.tuple(edited(names), edited(values)).map(([name, value]) => ({ headers: [{ name, value }] })),
    fc.integer({ min: -70_000, max: 70_000 }).map((port) => ({ port })),
  );
}

const mutationRuns = Number(process.env['SLIPWAY_MUTATION_RUNS'] ?? 5_000);

test('of many mutations each is refused, or reaches the service alone with the very bytes that were given', async () => {
  const seen: string[] = [];
  run.upstream.answerWith((socket, request) => {
    seen.push(request);
    socket.end(answer('ok'));
  });
  network.clear();
  const wrong: unknown[] = [];
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(mutations(), async (input) => {
      const before = seen.length;
      const code = await tried(input);
      const requests = seen.slice(before);
      if (code === 'sent') {
        sent += 1;
        const path = input.path?.split('#', 1)[0] ?? pathOf(input.url);
        const [line, ...lines] = requests[0]?.split('\r\n') ?? [];
        const expected = [`GET ${path} HTTP/1.1`, 'host: echo.default:8000'];
        if (requests.length !== 1 || line !== expected[0] || lines[0] !== expected[1]) wrong.push({ input, requests });
        const given = (input.headers ?? []).map(({ name, value }) => `${name}: ${value}`);
        if (given.some((header) => !lines.includes(header))) wrong.push({ input, requests });
      } else if (!refusals.test(code) || requests.length > 0) wrong.push({ input, code, requests });
    }),
    { numRuns: mutationRuns },
  );
  expect(wrong).toEqual([]);
  // Some mutations are harmless; if none were, the service would not have been tried.
  expect(sent).toBeGreaterThan(mutationRuns / 100);
  expect(seen).toHaveLength(sent);
  expectNobodyElse();
}, 300_000);

/** What is after the origin of a URL, without its fragment, as it was written. */
function pathOf(url: string | undefined): string {
  const rest = (url ?? 'http://x/').replace(/^http:\/\/[^/?#]*/i, '').split('#', 1)[0] ?? '';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

test('paths and bodies that look like requests arrive as they are, one request for each call', async () => {
  const seen: string[] = [];
  run.upstream.answerWith((socket, request) => {
    seen.push(request);
    socket.end(answer('ok'));
  });
  const smuggled = fc.array(
    fc.constantFrom(
      'GET / HTTP/1.1\r\n',
      'Host: a\r\n',
      '\r\n',
      '0\r\n\r\n',
      'Content-Length: 3',
      'Transfer-Encoding: chunked',
      'ü',
      '\0',
      '5\r\n',
    ),
    { maxLength: 12 },
  );
  let calls = 0;
  await fc.assert(
    fc.asyncProperty(smuggled, fc.constantFrom('GET', 'POST', 'DELETE', 'HEAD'), async (parts, method) => {
      const body = parts.join('');
      calls += 1;
      const { data } = await server.answer({ id: run.id, method, body });
      expect(data?.invokeService?.invocation.outcome).toBe('COMPLETED');
      const request = Buffer.from(seen.at(-1) ?? '', 'latin1').toString();
      expect(request.slice(request.indexOf('\r\n\r\n') + 4)).toBe(body);
      expect(seen).toHaveLength(calls);
    }),
    { numRuns: 100 },
  );
}, 120_000);

test('a resolver that names another place each time is not even asked', async () => {
  const evil = await startUpstream(answer('evil'));
  run.upstream.answerWith((socket) => {
    socket.write(answer('ok'));
    socket.on('data', () => socket.write(answer('ok')));
  });
  let turn = 0;
  const { lookup } = dns;
  const alternating = (...args: unknown[]) => {
    turn += 1;
    const found = args.at(-1) as (error: null, address: string, family: number) => void;
    found(null, turn % 2 === 0 ? run.upstream.address : evil.address, 4);
  };
  Object.assign(dns, { lookup: alternating });
  network.clear();
  try {
    const inputs = [{}, { port: 8000 }, { url: `${run.url}/` }, { method: 'POST' }];
    for (let n = 0; n < 1_000; n += inputs.length) {
      expect(await Promise.all(inputs.map(tried))).toEqual(inputs.map(() => 'sent'));
    }
    expect(run.upstream.requests.join('').match(/ HTTP\/1\.1\r\nhost: echo\.default:8000\r\n/g)).toHaveLength(1_000);
    expect({ turn, evil: evil.requests }).toEqual({ turn: 0, evil: [] });
    expectNobodyElse();
  } finally {
    Object.assign(dns, { lookup });
    await evil[Symbol.asyncDispose]();
  }
});
