import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { stripTypeScriptTypes } from 'node:module';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCommand, serverEnvironment, startProcess } from './process.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-command-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A user's project: the package as published (JavaScript), with Slipway installed beside it. */
async function projectWithSample(): Promise<void> {
  const [repository, fixture] = [resolve('.'), resolve('test/fixtures/third-party')];
  const target = join(folder, 'node_modules', '@acme', 'slipway-cost');
  await mkdir(target, { recursive: true });
  await cp(join(fixture, 'package.json'), join(target, 'package.json'));
  const manifest = await readFile(join(target, 'package.json'), 'utf8');
  await writeFile(join(target, 'package.json'), manifest.replace('index.ts', 'index.js'));
  const source = await readFile(join(fixture, 'index.ts'), 'utf8');
  await writeFile(join(target, 'index.js'), stripTypeScriptTypes(source));
  await symlink(repository, join(folder, 'node_modules', 'slipway'));
  await symlink(join(repository, 'node_modules', 'zod'), join(folder, 'node_modules', 'zod'));
}

describe('slipway', () => {
  test('names every problem of the configuration at once and ends with 78', async () => {
    const file = join(folder, 'slipway.yaml');
    await writeFile(file, 'modules: [auth, health, "@acme/absent"]\ngatewys: {}\n');
    const env = serverEnvironment(join(folder, 'data'), { SLIPWAY_CONFIG: file, SLIPWAY_PROT: '1' });
    const { code, stderr } = await runCommand([], env);
    expect(code).toBe(78);
    for (const name of ['@acme/absent', 'gatewys', 'SLIPWAY_PROT']) expect(stderr).toContain(name);
  });

  test.each([['SLIPWAY_PORT'], ['SLIPWAY_METRICS_PORT'], ['SLIPWAY_EMBEDDED_API_PORT'], ['SLIPWAY_GATEWAY_PORT']])(
    'a taken port is a boot error that names %s',
    async (setting) => {
      const blocker = createServer().listen(0, '127.0.0.1');
      await once(blocker, 'listening');
      const { port } = blocker.address() as { port: number };
      const { code, stderr } = await runCommand(
        [],
        serverEnvironment(join(folder, 'data'), { [setting]: String(port) }),
      );
      blocker.close();
      expect([code, stderr.includes(setting)]).toEqual([78, true]);
    },
  );

  test('without sign-in it refuses to listen beyond loopback', async () => {
    const { code, stderr } = await runCommand([], serverEnvironment(folder, { SLIPWAY_HOST: '0.0.0.0' }));
    expect([code, stderr.includes('SLIPWAY_HOST')]).toEqual([78, true]);
  });

  test('writes its addresses before the ready line, and ends cleanly on SIGTERM', async () => {
    const dataDir = join(folder, 'data');
    const server = await startProcess(serverEnvironment(dataDir, { SLIPWAY_METRICS_PORT: '0' }));
    const endpoints = JSON.parse(await readFile(join(dataDir, 'endpoints.json'), 'utf8'));
    expect(endpoints).toEqual({
      graphql: server.ready.graphql,
      console: null,
      kubernetes: server.ready.kubernetes,
      gateway: server.ready.gateway,
      metrics: server.ready.metrics,
    });
    expect((await fetch(endpoints.metrics)).status).toBe(200);
    await server.end();
    expect(server.child.exitCode).toBe(0);
  });

  test('what ends it without warning is the last line of its log', async () => {
    const target = join(folder, 'node_modules', '@acme', 'fails');
    await mkdir(target, { recursive: true });
    await symlink(resolve('.'), join(folder, 'node_modules', 'slipway'));
    await writeFile(
      join(target, 'package.json'),
      '{ "name": "@acme/fails", "type": "module", "exports": "./index.js" }',
    );
    await writeFile(
      join(target, 'index.js'),
      `import { defineModule } from 'slipway';
       const fail = () => { throw new Error('too bad'); };
       export default defineModule({ name: '@acme/fails', start: () => void setImmediate(fail) });`,
    );
    const file = join(folder, 'slipway.yaml');
    await writeFile(file, 'modules: [runs, "@acme/fails"]\n');
    const env = serverEnvironment(join(folder, 'data'), { SLIPWAY_CONFIG: file });
    const { code, stdout } = await runCommand([], env, folder);
    expect([code, JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')]).toEqual([
      1,
      expect.objectContaining({
        ...{ level: 'fatal', msg: 'uncaughtException' },
        err: expect.objectContaining({ message: 'too bad' }),
      }),
    ]);
  });

  test("a third party's module is loaded by package name and adds its field", async () => {
    await projectWithSample();
    const file = join(folder, 'slipway.yaml');
    await writeFile(file, 'modules: [runs, "@acme/slipway-cost"]\n"@acme/slipway-cost": { eurPerReplicaHour: 0.5 }\n');
    const env = serverEnvironment(join(folder, 'data'), { SLIPWAY_CONFIG: file });
    const { stdout } = await runCommand(['schema'], env, folder);
    expect(stdout).toContain('costPerHour: Float!');
    const server = await startProcess(env, folder);
    const response = await fetch(server.ready.graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ serviceRuns { nodes { costPerHour status { replicas { ready } } } } }' }),
    });
    const { data } = (await response.json()) as {
      data: { serviceRuns: { nodes: { costPerHour: number; status: { replicas: { ready: number } } }[] } };
    };
    await server.end();
    expect(data.serviceRuns.nodes.length).toBeGreaterThan(0);
    for (const run of data.serviceRuns.nodes) expect(run.costPerHour).toBe(run.status.replicas.ready * 0.5);
  });
});
