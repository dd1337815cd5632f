import { expect, test } from 'vitest';
import { createMachine } from '../../main-job/server.ts';

const invoke = `mutation ($input: InvokeServiceInput!) { invokeService(input: $input) { invocation { id outcome } } }`;
const list = `query ($after: String) {
  invocations(first: 200, after: $after) { nodes { id outcome } pageInfo { hasNextPage endCursor } }
}`;

interface Call {
  id: string;
  outcome: string;
}
interface Page {
  invocations: { nodes: Call[]; pageInfo: { hasNextPage: boolean; endCursor: string } };
}

test('nothing that was answered is lost on kill -9, and nothing is left in progress', async () => {
  await using machine = await createMachine();
  const api = await machine.start();
  const id = await machine.run(api, 'echo');
  const answered: string[] = [];
  /** What came of a key; null while nobody knows. */
  const keys = new Map<string, string | null>();
  const enough = Promise.withResolvers<void>();
  const call = async (own: typeof api, input: object) =>
    (await own.data<{ invokeService: { invocation: Call } }>(invoke, { input: { id, ...input } })).invokeService
      .invocation;
  const workers = Array.from({ length: 8 }, async (_, worker) => {
    for (let n = 0; ; n++) {
      const idempotencyKey = n % 4 === 0 ? `order ${worker}.${n}` : null;
      if (idempotencyKey !== null) keys.set(idempotencyKey, null);
      const made = await call(api, { idempotencyKey });
      expect(made.outcome).toBe('COMPLETED');
      if (idempotencyKey !== null) keys.set(idempotencyKey, made.id);
      answered.push(made.id);
      if (answered.length === 300) enough.resolve();
    }
  });
  const ended = Promise.allSettled(workers);
  await enough.promise;
  await machine.end('SIGKILL');
  await ended;

  const next = await machine.start();
  const kept = new Map<string, string>();
  for (let after: string | null = null; ; ) {
    const { invocations }: Page = await next.data<Page>(list, { after });
    for (const call of invocations.nodes) kept.set(call.id, call.outcome);
    if (!invocations.pageInfo.hasNextPage) break;
    after = invocations.pageInfo.endCursor;
  }
  expect(answered.filter((each) => kept.get(each) !== 'COMPLETED')).toEqual([]);
  expect([...kept.values()].filter((outcome) => !['COMPLETED', 'CANCELLED'].includes(outcome))).toEqual([]);
  // A key that was taken before calls nothing now, whether its call was answered or not.
  const again: string[] = [];
  for (const [idempotencyKey, first] of [...keys].slice(-40)) {
    const made = await call(next, { idempotencyKey });
    expect(first ?? made.id).toBe(made.id);
    again.push(made.id);
  }
  expect(again.filter((each) => kept.has(each)).length).toBeGreaterThanOrEqual(32);
}, 120_000);
