import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HeldClock, holdTimers } from './held-clock.ts';
import { type InvokeServer, type PlayedRun, startInvokeServer } from './surface.ts';
import { answer } from './upstream.ts';

const patienceMs = 5_000;
/** Each alias is looked for in the whole document. */
const slow = Array.from({ length: 9_000 }, (_, n) => `- &a${n} [x]\n- *a${n}`).join('\n');
const list = Array.from({ length: 2_000 }, (_, n) => ({ name: `item-${n}`, value: n }));
const long = list.map(({ name, value }) => `- name: ${name}\n  value: ${value}\n`).join('');

let server: InvokeServer;
let run: PlayedRun;
let clock: HeldClock;
beforeAll(async () => {
  clock = holdTimers(patienceMs);
  server = await startInvokeServer({ clock });
  run = await server.play('echo', '');
});
afterAll(() => server.stop());

interface Answer {
  invokeService: { invocation: { response: { preview: { format: string; value: unknown; error: string | null } } } };
}

async function preview(own: InvokeServer, { id, upstream }: PlayedRun, body: string) {
  const type = { 'content-type': 'application/yaml' };
  upstream.answerWith(answer(body, type));
  const query = `mutation ($id: ID!) {
    invokeService(input: { id: $id }) { invocation { response { preview { format value error } } } } }`;
  const { invokeService } = await own.data<Answer>(query, { id });
  return invokeService.invocation.response.preview;
}

test('long YAML is parsed like short YAML', async () => {
  expect(await preview(server, run, long)).toEqual({ format: 'YAML', value: list, error: null });
  expect(await preview(server, run, `${long}]`)).toMatchObject({
    value: null,
    error: expect.stringMatching(/^Not valid YAML: /),
  });
  const aliases = `a0: &a0 [${'x,'.repeat(1_000)}]\n${Array.from({ length: 20 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}, *a${n}]`).join('\n')}`;
  expect(await preview(server, run, aliases)).toMatchObject({ value: null, error: expect.stringMatching(/alias/) });
  expect(await preview(server, run, '- a\n'.repeat(70_000))).toMatchObject({
    value: null,
    error: expect.stringMatching(/more than 262144/),
  });
});

test('YAML that takes long holds nothing up, and is given up in the end', async () => {
  const pending = preview(server, run, slow);
  await clock.set(patienceMs);
  expect(await server.data('{ serviceRuns { totalCount } }')).toEqual({ serviceRuns: { totalCount: 1 } });
  await clock.fire(patienceMs);
  const error = 'Parsing it takes too long for a preview.';
  expect(await pending).toEqual({ format: 'YAML', value: null, error });
  expect(await preview(server, run, long)).toMatchObject({ value: list });
});

test('a server that stops does not wait for it', async () => {
  const held = holdTimers(patienceMs);
  const own = await startInvokeServer({ clock: held });
  const echo = await own.play('echo', '');
  const pending = preview(own, echo, slow).catch(() => 'cut off');
  await held.set(patienceMs);
  await own.stop();
  await held.cleared(patienceMs);
  // It may have had its answer before.
  expect(await pending).toSatisfy((end: unknown) => end === 'cut off' || JSON.stringify(end).includes('stopping'));
});
