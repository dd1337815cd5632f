import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type InvokeServer, type PlayedRun, startInvokeServer } from './surface.ts';
import { answer } from './upstream.ts';

let server: InvokeServer;
let run: PlayedRun;
beforeAll(async () => {
  server = await startInvokeServer();
  run = await server.play('echo', answer('ok'));
});
afterAll(() => server.stop());

const query = `mutation ($input: InvokeServiceInput!) {
  invokeService(input: $input) { invocation { request { curl } } } }`;

interface Input {
  method?: string;
  path?: string;
  headers?: { name: string; value: string }[];
  body?: string | null;
}

async function curlOf(input: Input): Promise<string | null> {
  const { invokeService } = await server.data<{ invokeService: { invocation: { request: { curl: string | null } } } }>(
    query,
    { input: { id: run.id, ...input } },
  );
  return invokeService.invocation.request.curl;
}

/** What a shell makes of a command line: the words that the program gets. */
async function words(line: string | null): Promise<string[]> {
  const shim = 'curl() { printf "%s\\0" "$@"; }';
  const { stdout } = await promisify(execFile)('bash', ['-c', `${shim}\n${line ?? 'false'}`], { encoding: 'utf8' });
  return stdout.split('\0').slice(0, -1);
}

const literally = ['--globoff', '--path-as-is'];

test.each<[name: string, input: Input, expected: string[]]>([
  ['a GET', {}, []],
  ['another method', { method: 'DELETE' }, ['-X', 'DELETE']],
  ['a HEAD', { method: 'HEAD' }, ['--head']],
  [
    'headers, one without a value',
    {
      headers: [
        { name: 'X-A', value: 'it\'s $HOME `id` "x" \\ !' },
        { name: 'X-B', value: '' },
      ],
    },
    ['-H', 'X-A: it\'s $HOME `id` "x" \\ !', '-H', 'X-B;'],
  ],
  [
    'a body that is no form',
    { method: 'POST', body: 'a=b' },
    ['-X', 'POST', '-H', 'Content-Type:', '--data-raw', 'a=b'],
  ],
  [
    'a body with its type',
    { method: 'PUT', headers: [{ name: 'content-type', value: 'text/plain' }], body: '@/etc/passwd' },
    ['-X', 'PUT', '-H', 'content-type: text/plain', '--data-raw', '@/etc/passwd'],
  ],
  ['an empty body', { method: 'PATCH', body: '' }, ['-X', 'PATCH', '-H', 'Content-Type:', '--data-raw', '']],
  ['a GET with a body', { body: '-x' }, ['-X', 'GET', '-H', 'Content-Type:', '--data-raw', '-x']],
])('%s as a command for a shell', async (_, input, expected) => {
  expect(await words(await curlOf(input))).toEqual([...literally, ...expected, `${run.url}/`]);
});

test('what stands for a secret is a placeholder', async () => {
  const headers = [{ name: 'Authorization', value: 'Bearer canary' }];
  const { id } = await server.call(run, { headers, path: '/?token=canary' });
  const { invocation } = await server.data<{ invocation: { request: { curl: string } } }>(
    'query ($id: ID!) { invocation(id: $id) { request { curl } } }',
    { id },
  );
  expect(await words(invocation.request.curl)).toEqual([
    ...[...literally, '-H', 'Authorization: <Authorization>'],
    `${run.url}/?token=<redacted>`,
  ]);
});

test('there is none of what no command line can hold', async () => {
  expect(await curlOf({ method: 'POST', body: 'a\0b' })).toBeNull();
  expect(await curlOf({ method: 'HEAD', body: 'x' })).toBeNull();
});

test('whatever is in a call, the shell gives it on as it is and runs nothing of it', async () => {
  const marks = [
    "'",
    '"',
    '\\',
    '$(touch x)',
    '`id`',
    '\n',
    '\r',
    '\t',
    '\u001b[2J',
    '!',
    '&',
    ';',
    '|',
    '\u0085',
    'é𝄞',
  ];
  const text = fc.array(fc.oneof(fc.constantFrom(...marks), fc.string({ maxLength: 4 })), { maxLength: 8 });
  const printable = (parts: string[]) => parts.join('').replace(/[^\x21-\x7e]|[\\#]/g, '');
  const calls = fc.record({
    path: text.map((parts) => `/x${printable(parts).replaceAll('..', '')}`),
    value: text.map((parts) => `x${printable(parts)}`),
    body: text.map((parts) => parts.join('').replaceAll('\0', '').toWellFormed()),
  });
  await fc.assert(
    fc.asyncProperty(calls, async ({ path, value, body }) => {
      const line = await curlOf({ method: 'POST', path, headers: [{ name: 'X-A', value }], body });
      expect(await words(line)).toEqual([
        ...[...literally, '-X', 'POST', '-H', `X-A: ${value}`, '-H', 'Content-Type:', '--data-raw', body],
        `${run.url}${path}`,
      ]);
    }),
    { numRuns: 100 },
  );
});
