import { afterAll, beforeAll, expect, test } from 'vitest';
import { globalId } from '../../src/schema/ids.ts';
import { type TestServer, startTestServer } from '../../src/testing.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ demo: true });
});
afterAll(() => server.stop());

const strange = ['', 'x', globalId('Viewer', 'local'), globalId('Query', ''), globalId('ServiceRun', 'demo/none')];

test.each(strange)('an id that leads nowhere (%j) is null', async (id) => {
  expect(await server.data('query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }', { id })).toEqual({
    node: null,
    nodes: [null],
  });
});

test('nodes come in the order of their ids, with null for what is not there', async () => {
  const list = await server.data<{ serviceRuns: { nodes: { id: string }[] } }>('{ serviceRuns { nodes { id } } }');
  const ids = list.serviceRuns.nodes.flatMap(({ id }, index) => [id, strange[index] ?? id]);
  const { nodes } = await server.data<{ nodes: ({ id: string } | null)[] }>(
    'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
    { ids },
  );
  expect(nodes.map((node) => node?.id ?? null)).toEqual(ids.map((id) => (strange.includes(id) ? null : id)));
});
