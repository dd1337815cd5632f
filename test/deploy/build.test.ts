import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serverEnvironment, startProcess } from '../commands/process.ts';

const run = promisify(execFile);
const main = resolve('dist/main.js');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-build-'));
  await run('npm', ['run', 'build', '--silent']);
}, 900_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const query = async (url: string, document: string): Promise<Record<string, unknown>> => {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query: document }) });
  const { data } = (await response.json()) as { data: Record<string, unknown> };
  return data;
};

test('the build runs as the sources do, its threads and programs too', async () => {
  await using server = await startProcess(serverEnvironment(join(folder, 'data')), folder, main);
  const { serviceRuns } = (await query(
    server.ready.graphql,
    '{ serviceRuns(filter: { search: "echo" }) { nodes { id } } }',
  )) as {
    serviceRuns: { nodes: { id: string }[] };
  };
  const id = serviceRuns.nodes[0]?.id;
  const call = `mutation { invokeService(input: { id: "${id}", method: GET, path: "/" }) { invocation { outcome } } }`;
  await expect
    .poll(() => query(server.ready.graphql, call))
    .toEqual({ invokeService: { invocation: { outcome: 'COMPLETED' } } });
  expect(await query(server.ready.graphql, '{ invocations(first: 1) { nodes { outcome } } }')).toEqual({
    invocations: { nodes: [{ outcome: 'COMPLETED' }] },
  });
  await server.end();
  expect(server.child.exitCode).toBe(0);
});

test("in an image, modules of others import it as 'slipway'", async () => {
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, '@acme', 'cost'), { recursive: true });
  await symlink(resolve('dist'), join(modules, 'slipway'));
  await writeFile(join(modules, '@acme', 'cost', 'package.json'), '{ "name": "@acme/cost", "exports": "./index.mjs" }');
  await writeFile(
    join(modules, '@acme', 'cost', 'index.mjs'),
    `import { defineModule, Runs } from 'slipway';
     export default defineModule({
       name: '@acme/cost',
       needs: { runs: Runs },
       schema: (builder) => builder.objectField('ServiceRun', 'cost', (t) => t.int({ description: 'Cost.', resolve: () => 1 })),
     });`,
  );
  await writeFile(join(folder, 'slipway.yaml'), 'modules: [runs, "@acme/cost"]\n');
  const { stdout } = await run(process.execPath, [main, 'schema', '--config', 'slipway.yaml'], { cwd: folder });
  expect(stdout).toContain('cost: Int!');
});
