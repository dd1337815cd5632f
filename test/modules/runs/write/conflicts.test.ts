import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Deployment, deployments, services } from '../../../../src/k8s/resources.ts';
import { type RunsServer, errorsOf, startRunsServer } from '../surface.ts';

const act = (name: string, type = 'ServiceRunActionInput') =>
  `mutation ($input: ${type}!) { ${name}(input: $input) { manifests } }`;
const scale = act('scaleServiceRun', 'ScaleServiceRunInput');
const remove = 'mutation ($input: ServiceRunActionInput!) { deleteServiceRun(input: $input) { id } }';

let server: RunsServer;
beforeAll(async () => {
  server = await startRunsServer();
});
afterAll(() => server.stop());

let count = 0;
let name = '';
beforeEach(() => {
  name = `web-${++count}`;
});

interface Made {
  runService: { serviceRun: { id: string } };
}
/** A run with an image that the embedded cluster can't run: its Pods stay as they are. */
async function make(replicas: number): Promise<string> {
  const input = { name, image: 'shop:1', ports: [{ port: 80 }], replicas };
  const document = 'mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } } }';
  return (await server.data<Made>(document, { input })).runService.serviceRun.id;
}
const deployment = () => server.kube.get(deployments, name, 'default');
/** Another program declares the number of replicas by server-side apply. */
const applyReplicas = async (fieldManager: string) => {
  // As `--force-conflicts`: it takes the field over.
  const url = `${server.kubernetesUrl}/apis/apps/v1/namespaces/default/deployments/${name}?fieldManager=${fieldManager}&force=true`;
  const response = await fetch(url, {
    method: 'PATCH',
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', spec: { replicas: 2 } }),
  });
  expect(response.status).toBe(200);
};
const setReplicas = (fieldManager: string, subresource?: string) =>
  server.kube.patch<Deployment>(
    deployments,
    name,
    'default',
    { spec: { replicas: 2 } },
    { fieldManager, ...(subresource && { subresource }) },
  );

describe('a number of replicas that somebody else manages', () => {
  const others: [string, () => Promise<unknown>, string][] = [
    ['by server-side apply', () => applyReplicas('gitops'), 'gitops'],
    ['by an autoscaler', () => setReplicas('kube-controller-manager', 'scale'), 'kube-controller-manager'],
    ['by another program', () => setReplicas('some-operator'), 'some-operator'],
  ];

  test.each(others)('%s: scaling and stopping is CONFLICT, names it and changes nothing', async (_, take, manager) => {
    const id = await make(0);
    await take();
    const before = await deployment();
    const scaled = await server.query(scale, { input: { id, replicas: 5 } });
    expect(errorsOf(scaled)).toEqual(['CONFLICT replicas FIELD_MANAGED']);
    expect(scaled.errors?.[0]?.message).toBe(
      `spec.replicas of Deployment ${name} is managed by ${manager}: change it there.`,
    );
    const stopped = await server.query(act('stopServiceRun'), { input: { id, dryRun: true } });
    expect(errorsOf(stopped)).toEqual(['CONFLICT id FIELD_MANAGED']);
    expect(errorsOf(await server.query(act('stopServiceRun'), { input: { id } }))).toEqual([
      'CONFLICT id FIELD_MANAGED',
    ]);
    const after = await deployment();
    expect([after.spec, after.metadata.annotations?.['slipway.dev/replicas']]).toEqual([before.spec, undefined]);
  });

  test('what it already is needs no change, and other fields are not touched by it', async () => {
    const id = await make(0);
    await applyReplicas('gitops');
    expect(errorsOf(await server.query(scale, { input: { id, replicas: 2 } }))).toEqual([]);
    expect(errorsOf(await server.query(act('restartServiceRun'), { input: { id } }))).toEqual([]);
  });

  test('what a person set with kubectl is free to be changed', async () => {
    const id = await make(0);
    await setReplicas('kubectl', 'scale');
    expect(errorsOf(await server.query(act('stopServiceRun'), { input: { id } }))).toEqual([]);
    expect((await deployment()).spec.replicas).toBe(0);
  });
});

describe('a run that Slipway did not make', () => {
  const labels = () => ({
    'app.kubernetes.io/managed-by': 'dhcore',
    'dhcore/framework': 'k8sserve',
    'dhcore/run': name,
    'dhcore/project': 'prices',
    'dhcore/runtime': 'container',
  });
  const foreign = async (owner?: { kind: string; name: string }): Promise<string> => {
    const metadata = { name, namespace: 'default', labels: labels() };
    const ownerReferences = owner && [{ ...owner, apiVersion: 'acme.dev/v1', uid: 'u-1', controller: true }];
    const options = { fieldManager: 'okhttp' };
    const made: Deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { ...metadata, ...(ownerReferences && { ownerReferences }) },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels() },
        template: { metadata: { labels: labels() }, spec: { containers: [{ name: 'main', image: 'shop:1' }] } },
      },
    };
    await server.kube.create(deployments, made, options);
    await server.kube.create(
      services,
      { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels(), ports: [{ port: 80 }] } },
      options,
    );
    return (await server.until(name, (run) => run.status.service !== null && run.objects.workload !== null)).id;
  };
  const actions = async (id: string) => {
    const query = 'query ($id: ID!) { serviceRun(by: { id: $id }) { source actions } }';
    return (await server.data<{ serviceRun: { source: string; actions: string[] } }>(query, { id })).serviceRun;
  };

  test('is stopped, resumed, scaled and restarted, since that can be taken back', async () => {
    const id = await foreign();
    expect(await actions(id)).toEqual({ source: 'digitalhub', actions: ['SCALE', 'STOP', 'RESTART'] });
    expect(errorsOf(await server.query(act('stopServiceRun'), { input: { id } }))).toEqual([]);
    expect((await deployment()).spec.replicas).toBe(0);
    expect(errorsOf(await server.query(act('resumeServiceRun'), { input: { id } }))).toEqual([]);
    expect((await deployment()).spec.replicas).toBe(2);
    expect(errorsOf(await server.query(act('restartServiceRun'), { input: { id } }))).toEqual([]);
    expect(errorsOf(await server.query(scale, { input: { id, replicas: 1 } }))).toEqual([]);
  });

  test('is not deleted here, and that is said', async () => {
    const id = await foreign();
    const answer = await server.query(remove, { input: { id } });
    expect(errorsOf(answer)).toEqual(['NOT_SUPPORTED id FOREIGN_RUN']);
    expect(answer.errors?.[0]?.message).toContain('source digitalhub');
    expect((await deployment()).metadata.deletionTimestamp).toBeUndefined();
  });

  test('is left to its controller when it has one', async () => {
    const id = await foreign({ kind: 'InferenceService', name: 'iris' });
    expect((await actions(id)).actions).toEqual([]);
    const all = [
      server.query(scale, { input: { id, replicas: 1 } }),
      ...['stopServiceRun', 'resumeServiceRun', 'restartServiceRun', 'deleteServiceRun'].map((mutation) =>
        server.query(act(mutation), { input: { id } }),
      ),
    ];
    for (const answer of await Promise.all(all)) {
      expect(errorsOf(answer)).toEqual(['NOT_SUPPORTED id CONTROLLED']);
      expect(answer.errors?.[0]?.message).toContain('InferenceService iris');
    }
    expect((await deployment()).spec.replicas).toBe(2);
  });
});
