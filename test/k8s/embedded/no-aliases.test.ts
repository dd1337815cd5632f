import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { connect } from '../../../src/k8s/connect.ts';
import { startEmbedded } from '../../../src/k8s/embedded/index.ts';
import { createLog } from '../../../src/log.ts';
import { builtinModules } from '../../../src/modules/index.ts';
import { createServer } from '../../../src/server.ts';
import { createApiClient, followHealth } from '../../main-job/client.ts';

interface Run {
  id: string;
  status: { service: { url: string; urls: { url: string }[]; ports: { port: number }[] } };
}
const serviceOf = `query ($id: ID!) { serviceRun(by: { id: $id }) {
  id status { service { url urls { url } ports { port } } }
} }`;
const run = 'mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } } }';
const call = `mutation ($input: InvokeServiceInput!) { invokeService(input: $input) {
  invocation { outcome response { body } }
} }`;

it('without loopback aliases a run is still reached: at the address it shows, and through the mediator', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipway-no-aliases-'));
  const base = { clock: systemClock, log: createLog('silent') };
  const options = { dataDir, apiPort: 0, gatewayPort: 0, demo: false, namespace: 'default', aliases: false };
  const embedded = await startEmbedded({ ...base, ...options });
  const cluster = await connect({ ...base, mode: 'EMBEDDED', namespaces: null, namespace: 'default', embedded });
  const server = await createServer({ ...base, modules: builtinModules, config: {}, cluster, port: 0, dataDir });
  try {
    const api = createApiClient(`${server.url}/graphql`);
    const program = `require('node:http').createServer((request, response) => response.end('here'))
      .listen(Number(process.env.PORT), process.env.HOST)`;
    const input = { name: 'web', process: { command: [process.execPath, '-e', program] }, ports: [{ port: 80 }] };
    const healthy = followHealth(api.healthOverSse(), 'web').until('HEALTHY');
    const { runService } = await api.data<{ runService: { serviceRun: { id: string } } }>(run, { input });
    await healthy;
    const { serviceRun } = await api.data<{ serviceRun: Run }>(serviceOf, { id: runService.serviceRun.id });
    const { url, urls, ports } = serviceRun.status.service;
    expect(url).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(ports).toEqual([{ port: 80 }]);
    expect(urls).toEqual([{ url: `http://${url}/` }]);
    expect(await (await fetch(`http://${url}/`)).text()).toBe('here');
    for (const target of [{ port: 80 }, { url: `http://${url}/` }]) {
      const answer = await api.data<{ invokeService: { invocation: unknown } }>(call, {
        input: { id: serviceRun.id, ...target },
      });
      expect(answer.invokeService.invocation).toEqual({ outcome: 'COMPLETED', response: { body: 'here' } });
    }
  } finally {
    await server.stop();
    await embedded.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
});
