import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '../../../src/clock.ts';
import { lockDataFolder } from '../../../src/k8s/embedded/data-folder-lock.ts';
import { type EmbeddedCluster, startEmbedded } from '../../../src/k8s/embedded/index.ts';
import { deployments, gateways, httpRoutes, namespaces, services } from '../../../src/k8s/resources.ts';
import {
  functionLabel,
  managedByLabel,
  modelAnnotation,
  projectLabel,
  protocolAnnotation,
  runLabel,
} from '../../../src/modules/runs/labels.ts';
import { createLog } from '../../../src/log.ts';
import { send, until } from './gateway/world.ts';

let dataDir: string;
const clusters: EmbeddedCluster[] = [];
const start = async (demo = false, gatewayPort = 0) => {
  const cluster = await startEmbedded({
    dataDir,
    apiPort: 0,
    gatewayPort,
    demo,
    namespace: 'work',
    clock: systemClock,
    log: createLog(process.env['SLIPWAY_TEST_LOG'] ?? 'silent'),
  });
  clusters.push(cluster);
  return cluster;
};
const stopAll = async () => {
  for (const cluster of clusters.splice(0)) await cluster.stop();
};
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipway-embedded-'));
});
afterEach(async () => {
  await stopAll();
  await rm(dataDir, { recursive: true, force: true });
});

describe('start and stop', () => {
  it('gives an API, a Gateway and a kubeconfig that only its owner reads', async () => {
    const cluster = await start();
    const text = await readFile(cluster.kubeconfig, 'utf8');
    expect(parse(text)).toMatchObject({
      clusters: [{ cluster: { server: cluster.url } }],
      contexts: [{ context: { namespace: 'work' } }],
    });
    expect((await stat(cluster.kubeconfig)).mode & 0o777).toBe(0o600);
    expect(cluster.api.list(namespaces).map(({ metadata }) => metadata.name)).toEqual(
      expect.arrayContaining(['default', 'work', 'slipway-system']),
    );
    const { namespace, name } = cluster.gatewayParent;
    const gateway = await until(cluster.api, gateways, namespace, name, ({ status }) => !!status?.listeners);
    expect(gateway.spec.listeners[0]?.port).toBe(Number(new URL(cluster.gatewayUrl).port));
    expect(cluster.api.list(deployments)).toEqual([]);
  });

  it('refuses a second server on the same folder, and lets go of it at stop', async () => {
    await start();
    await expect(start()).rejects.toThrow(`is running on the data folder ${dataDir}`);
    await stopAll();
    await start();
  });

  it('lets go of everything when a part can’t start', async () => {
    const other = await start();
    const [first] = clusters.splice(0);
    const taken = Number(new URL(other.gatewayUrl).port);
    const folder = dataDir;
    dataDir = await mkdtemp(join(tmpdir(), 'slipway-embedded-'));
    await expect(start(false, taken)).rejects.toThrow('SLIPWAY_GATEWAY_PORT');
    await start();
    await stopAll();
    await first?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('takes the folder over from a server that was killed', async () => {
    const file = new URL('../../../src/k8s/embedded/data-folder-lock.ts', import.meta.url).href;
    const script = `const { lockDataFolder } = await import(${JSON.stringify(file)});
      await lockDataFolder(${JSON.stringify(dataDir)}); console.log('locked'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await expect(lockDataFolder(dataDir)).rejects.toThrow(`(process ${child.pid})`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const release = await lockDataFolder(dataDir);
    await release();
  });
});

describe('the demo', () => {
  it('answers over the gateway, fails where it should, and is made as runs are', async () => {
    const { api, gatewayUrl } = await start(true);
    const ready = (name: string) =>
      until(api, deployments, 'demo', name, ({ status }) => (status?.readyReplicas ?? 0) === 1);
    const [echo, iris, chat] = await Promise.all(['echo', 'iris', 'chat'].map(ready));
    expect(echo?.metadata.labels).toMatchObject({
      [managedByLabel]: 'slipway',
      [runLabel]: expect.any(String),
      [projectLabel]: 'demo',
      [functionLabel]: 'echo',
    });
    expect(iris?.metadata.annotations).toMatchObject({
      [protocolAnnotation]: 'OPEN_INFERENCE',
      [modelAnnotation]: 'iris',
    });
    expect(chat?.metadata.annotations).toMatchObject({ [protocolAnnotation]: 'OPENAI' });
    expect(api.get(services, 'demo', 'echo')?.metadata.ownerReferences?.[0]?.uid).toBe(echo?.metadata.uid);
    expect(api.list(deployments, 'demo').map(({ metadata }) => metadata.name)).toEqual(
      expect.arrayContaining(['crash', 'missing-image', 'never-ready']),
    );

    await until(api, httpRoutes, 'demo', 'echo', ({ status }) => !!status?.parents?.[0]?.conditions);
    const url = new URL(gatewayUrl);
    const answer = await send(Number(url.port), 'echo.services.localhost', '/hello?x=1', {});
    expect(answer.json()).toMatchObject({
      method: 'GET',
      path: '/hello',
      headers: { host: 'echo.services.localhost' },
    });
  });

  it('comes once: what a user deletes stays deleted, and a demo is never forced on an old folder', async () => {
    const first = await start(true);
    await first.api.client.delete(deployments, 'crash', 'demo');
    await stopAll();
    const second = await start(true);
    expect(second.api.get(deployments, 'demo', 'crash')).toBeUndefined();
    expect(second.api.get(deployments, 'demo', 'echo')).toBeDefined();
  });
});
