import { expect, test } from 'vitest';
import { startApiProxy } from '../gateways/failures/api-proxy.ts';
import { startReplica, startRunsServer } from './surface.ts';

const run = 'mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } } }';
const list = '{ serviceRuns { nodes { name actions status { health state message reasons { code } } } } }';
interface List {
  serviceRuns: { nodes: { name: string; status: { health: string } }[] };
}

test('whatever health a run has, nothing is written or removed because of it', async () => {
  await using server = await startRunsServer();
  const proxy = await startApiProxy(server.kubernetesUrl, ['deployments', 'replicasets', 'pods', 'services', 'events']);
  const judging = await startReplica(server, { url: proxy.url });
  const command = [process.execPath, '-e', 'process.exit(3)'];
  const inputs = [
    { name: 'crashing', process: { command } },
    { name: 'no-image', image: 'shop:1' },
    { name: 'asleep', image: 'shop:1', replicas: 0 },
  ];
  for (const input of inputs) await server.data(run, { input: { ...input, ports: [{ port: 8000 }] } });
  const healths = async () => {
    const { data } = await judging.query<List>(list);
    return data?.serviceRuns.nodes.map(({ name, status }) => `${name} ${status.health}`).toSorted();
  };
  await expect.poll(healths).toEqual(['asleep SUSPENDED', 'crashing DEGRADED', 'no-image DEGRADED']);
  expect(proxy.asked).toEqual([]);
  await judging.stop();
  await proxy.stop();
});
