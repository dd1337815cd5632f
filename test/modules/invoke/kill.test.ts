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
  const enough = Promise.withResolvers<void>();
  const workers = Array.from({ length: 8 }, async () => {
    for (;;) {
      const { invokeService } = await api.data<{ invokeService: { invocation: Call } }>(invoke, { input: { id } });
      expect(invokeService.invocation.outcome).toBe('COMPLETED');
      answered.push(invokeService.invocation.id);
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
}, 120_000);
