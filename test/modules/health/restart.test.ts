import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deployments } from '../../../src/k8s/resources.ts';
import { health } from '../../../src/modules/health/index.ts';
import { runs } from '../../../src/modules/runs/index.ts';
import { startTestServer } from '../../../src/testing.ts';

interface Transitions {
  serviceRun: { status: { health: string; transitions: { from: string | null; to: string; at: string }[] } };
}
const transitions = `query ($by: ServiceRunBy!) {
  serviceRun(by: $by) { status { health transitions { from to at } } }
}`;
const change = (name: string) => `mutation ($input: ServiceRunActionInput!) { ${name}(input: $input) { manifests } }`;
const by = { service: { namespace: 'default', name: 'web' } };

let dataDir = '';
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipway-restart-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

test('transitions outlive the server, and go on where they were', async () => {
  const start = () => startTestServer({ modules: [runs, health], dataDir });
  const seen: Transitions['serviceRun']['status'][] = [];
  let id = '';
  {
    await using server = await start();
    const input = { name: 'web', image: 'shop:1', ports: [{ port: 80 }], replicas: 0 };
    const { runService } = await server.data<{ runService: { serviceRun: { id: string } } }>(
      'mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } } }',
      { input },
    );
    ({ id } = runService.serviceRun);
    seen.push((await server.data<Transitions>(transitions, { by })).serviceRun.status);
  }
  {
    await using server = await start();
    seen.push((await server.data<Transitions>(transitions, { by })).serviceRun.status);
    await server.data(change('resumeServiceRun'), { input: { id } });
    await server.kube.patch(deployments, 'web', 'default', { metadata: { labels: { touched: 'yes' } } });
    seen.push((await server.data<Transitions>(transitions, { by })).serviceRun.status);
  }
  const [before, after, resumed] = seen;
  expect(before).toMatchObject({ health: 'SUSPENDED', transitions: [{ from: null, to: 'SUSPENDED' }] });
  expect(after).toEqual(before);
  expect(resumed?.transitions.slice(0, 1)).toEqual(before?.transitions);
  expect(resumed?.transitions[1]?.from).toBe('SUSPENDED');
});
