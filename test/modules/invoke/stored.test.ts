import { mkdtemp, readFile, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { holdTimers } from './held-clock.ts';
import { errorsOf, startInvokeServer } from './surface.ts';
import { answer } from './upstream.ts';

/** How long a call may take before it is recorded that it has begun. */
const startMs = 50;
const stream = 'subscription ($input: InvokeServiceInput!) { invokeServiceStream(input: $input) { text } }';

async function storedIn(folder: string): Promise<string> {
  const files = (await readdir(folder)).map((name) => readFile(join(folder, name), 'latin1'));
  return (await Promise.all(files)).join('\n');
}

test('what is not to be kept is never in the file, not for a moment', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-history-'));
  const clock = holdTimers(startMs);
  const server = await startInvokeServer({
    clock,
    config: { invoke: { historyUrl: `sqlite:${join(folder, 'history.db')}`, redactValues: ['pattern-\\w+'] } },
  });
  const run = await server.play('echo', '');
  const secrets = {
    id: run.id,
    method: 'POST',
    path: '/kept?api_key=canary-1&b=pattern-canary',
    headers: [
      { name: 'Authorization', value: 'Bearer canary-2' },
      { name: 'X-Note', value: 'pattern-canary' },
      { name: 'Referer', value: 'http://x.example/?access_token=canary-3' },
    ],
    body: 'pattern-canary',
  };
  const unrecorded = {
    id: run.id,
    method: 'POST',
    record: false,
    headers: [{ name: 'X-Any', value: 'canary-4' }],
    body: 'canary-5',
  };
  const reply = answer('pattern-canary', {
    'set-cookie': 'session=canary-6',
    location: 'http://x.example/?code=1&token=canary-7',
  });
  const any = answer('canary-8', { 'x-any': 'canary-9' });
  for (const [input, bytes] of [
    [secrets, reply],
    [unrecorded, any],
  ] as const) {
    run.upstream.answerWith(bytes);
    expect(errorsOf(await server.answer({ ...input, idempotencyKey: `key of ${bytes.length}` }))).toEqual([]);
    for await (const { errors } of server.subscribe(stream, { input })) expect(errors).toBeUndefined();
    // It is on record while it is under way.
    run.upstream.answerWith(() => {});
    const arrived = run.upstream.next();
    const call = server.answer({ ...input });
    const socket = await arrived;
    await clock.fire(startMs);
    await expect.poll(async () => (await storedIn(folder)).includes('IN_PROGRESS')).toBe(true);
    socket.end(bytes);
    expect(errorsOf(await call)).toEqual([]);
    run.upstream.answerWith('canary-10 is no HTTP');
    expect(errorsOf(await server.answer({ ...input }))).toEqual([]);
    await server.answer({ ...input, headers: [...input.headers, { name: 'Cookie', value: 'canary-11' }] });
  }
  const seen = await storedIn(folder);
  await server.stop();
  const left = await storedIn(folder);
  expect(left).toContain('/kept?api_key=***&b=***');
  expect((seen + left).match(/canary-?\d*/g)).toBeNull();
});
