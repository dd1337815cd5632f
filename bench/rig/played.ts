import type { BenchServer } from './server.ts';

/** Where a service in this process listens. */
export const address = '127.77.0.1';

const labels = { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': 'bench' };
const call = 'mutation ($input: InvokeServiceInput!) { invokeService(input: $input) { invocation { outcome } } }';

/** A Service and a ready Pod that leads to this process, which answers `/ready` on that port. Gives the id of the run. */
export async function play(server: BenchServer, port: number): Promise<string> {
  const { kube } = server;
  const core = '/api/v1/namespaces/default';
  await kube('POST', `${core}/services`, {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'bench', labels } },
    spec: { selector: { 'slipway.dev/run': 'bench' }, ports: [{ name: 'http', port: 8000, targetPort: port }] },
  });
  await kube('POST', `${core}/pods`, {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'bench-1', labels } },
    // A node that is not there: no kubelet meddles.
    spec: { nodeName: 'played', containers: [{ name: 'main', image: 'played' }] },
  });
  const condition = { status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' };
  await kube('PATCH', `${core}/pods/bench-1/status`, {
    status: {
      ...{ phase: 'Running', podIP: address, podIPs: [{ ip: address }] },
      conditions: ['Ready', 'ContainersReady'].map((type) => ({ type, ...condition })),
      containerStatuses: [
        {
          ...{ name: 'main', image: 'played', imageID: '', ready: true, restartCount: 0 },
          state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
        },
      ],
    },
  });
  return ready(server);
}

/** Once it can be called. */
async function ready(server: BenchServer): Promise<string> {
  for (;;) {
    const { serviceRuns } = await server.query<{ serviceRuns: { nodes: { id: string }[] } }>(
      '{ serviceRuns { nodes { id } } }',
    );
    const id = serviceRuns.nodes[0]?.id ?? '';
    const answer = await server
      .query<{ invokeService: object }>(call, { input: { id, path: '/ready' } })
      .catch(() => null);
    if (answer) return id;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
