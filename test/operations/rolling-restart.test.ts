import { setTimeout as delay } from 'node:timers/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand, serverEnvironment, startProcess } from '../commands/process.ts';
import { type Balancer, startBalancer } from './balancer.ts';
import { startLoad } from './load.ts';
import { type Replica, startCluster, startReplica } from './replicas.ts';

let folder: string;
let cluster: Awaited<ReturnType<typeof startCluster>>;
let balancer: Balancer;
let replicas: Replica[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-rolling-'));
  balancer = await startBalancer();
  cluster = await startCluster(folder);
  const settings = { drainMs: 5_000, kubeconfig: cluster.kubeconfig };
  replicas = await Promise.all(['one', 'two'].map((name) => startReplica(join(folder, name), balancer, settings)));
}, 600_000);
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  await balancer.stop();
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

test('a replica is replaced under load, and no request is lost', async () => {
  const body = JSON.stringify({ query: '{ viewer { name } cluster { freshness } }' });
  const load = startLoad(balancer.url, { keeping: 4, opening: 2, next: () => delay(5, body) });
  await load.more(50);
  expect((await replicas[0]?.restart())?.exitCode).toBe(0);
  await load.more(50);
  await load.stop();
  expect(load.failures).toEqual([]);
}, 600_000);

test('a second SIGTERM ends it at once', async () => {
  const dataDir = join(folder, 'twice');
  const server = await startProcess(serverEnvironment(dataDir, { SLIPWAY_DEMO: 'false', SLIPWAY_DRAIN_MS: '8000' }));
  const { origin } = new URL(server.ready.graphql);
  server.child.kill('SIGTERM');
  while ((await fetch(`${origin}/readyz`)).status !== 503);
  server.child.kill('SIGTERM');
  expect(await server.ended).toBe(1);
});

test('a drain that would outlast the grace period of a Pod is refused', async () => {
  const { code, stderr } = await runCommand([], serverEnvironment(folder, { SLIPWAY_DRAIN_MS: '20000' }));
  expect([code, stderr.includes('SLIPWAY_DRAIN_MS')]).toEqual([78, true]);
});
