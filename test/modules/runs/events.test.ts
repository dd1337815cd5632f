import { expect, test } from 'vitest';
import { deployments, events } from '../../../src/k8s/resources.ts';
import { startRunsServer } from './surface.ts';

test('events come newest first, those of one second in the order of their writing, every time alike', async () => {
  await using server = await startRunsServer({
    seed: async (kube) => {
      const labels = { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': 'r1' };
      const workload = await kube.create(deployments, {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'default', labels },
        spec: {
          replicas: 0,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'slipway.dev/process' }] } },
        },
      });
      const { name, namespace, uid = '' } = workload.metadata;
      const write = (message: string, lastTimestamp: string, type: string) =>
        kube.create(events, {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { name: `web.${message}`, namespace: 'default' },
          involvedObject: { kind: 'Deployment', namespace: namespace ?? '', name, uid },
          type,
          reason: 'Test',
          message,
          lastTimestamp,
        });
      await write('later', '2100-01-01T00:00:02Z', 'Normal');
      await write('c', '2100-01-01T00:00:01Z', 'Normal');
      await write('a', '2100-01-01T00:00:01Z', 'Warning');
      await write('b', '2100-01-01T00:00:01Z', 'Normal');
    },
  });
  await server.until('web', () => true);
  const query = '{ serviceRuns { nodes { events(first: 10) { reason message } } } }';
  interface Data {
    serviceRuns: { nodes: { events: { reason: string; message: string }[] }[] };
  }
  const messages = async () =>
    (await server.data<Data>(query)).serviceRuns.nodes[0]?.events
      .filter(({ reason }) => reason === 'Test')
      .map(({ message }) => message);
  expect(await messages()).toEqual(['later', 'b', 'a', 'c']);
  expect(await messages()).toEqual(['later', 'b', 'a', 'c']);
});
