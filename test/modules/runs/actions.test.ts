import { expect, test } from 'vitest';
import type { Verb } from '../../../src/caller.ts';
import { type TestServer, startTestServer } from '../../../src/testing.ts';
import { answering, rights } from './surface.ts';

const run = 'mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } } }';
const stop = 'mutation ($id: ID!) { stopServiceRun(input: { id: $id }) { manifests } }';

const actionsOf = async (server: TestServer) => {
  const query = '{ serviceRuns { nodes { actions status { health } } } }';
  const { serviceRuns } = await server.data<{ serviceRuns: { nodes: { actions: string[] }[] } }>(query);
  return serviceRuns.nodes[0]?.actions;
};

test('the actions of a run are those that make sense now and that the caller may take, by all modules', async () => {
  const allowed = { see: ['default'], act: ['default'], invoke: ['default'], expose: ['default'] };
  const may: Partial<Record<Verb, readonly string[]>> = {};
  await using server = await startTestServer({
    as: {
      access: {
        scope: (verb) => rights(may).scope(verb),
        allows: (verb, place) => rights(may).allows(verb, place),
      },
    },
  });
  Object.assign(may, allowed);
  const input = { name: 'web', ports: [{ port: 8000 }], process: answering('hello'), readinessPath: '/' };
  const made = await server.data<{ runService: { serviceRun: { id: string } } }>(run, { input });
  await expect.poll(() => actionsOf(server)).toEqual(['INVOKE', 'SCALE', 'STOP', 'RESTART', 'DELETE', 'EXPOSE']);
  delete may.act;
  expect(await actionsOf(server)).toEqual(['INVOKE', 'EXPOSE']);
  delete may.expose;
  expect(await actionsOf(server)).toEqual(['INVOKE']);
  delete may.invoke;
  expect(await actionsOf(server)).toEqual([]);
  Object.assign(may, allowed);
  await server.data(stop, { id: made.runService.serviceRun.id });
  await expect.poll(() => actionsOf(server)).toEqual(['SCALE', 'RESUME', 'DELETE', 'EXPOSE']);
});
