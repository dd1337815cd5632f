import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Access, fullAccess } from '../../../../src/caller.ts';
import { deployments, services } from '../../../../src/k8s/resources.ts';
import { type RunsServer, errorsOf, rights, startReplica, startRunsServer } from '../surface.ts';

const run = 'mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id runId } manifests } }';
const act = (name: string) => `mutation ($input: ServiceRunActionInput!) { ${name}(input: $input) { manifests } }`;

let server: RunsServer;
let other: Awaited<ReturnType<typeof startReplica>>;
beforeAll(async () => {
  server = await startRunsServer();
  other = await startReplica(server);
});
afterAll(async () => {
  await other.stop();
  await server.stop();
});

let count = 0;
let name = '';
beforeEach(() => {
  name = `web-${++count}`;
});
const idempotencyKey = () => `key-for-${name}`;
const input = (more: object = {}) => ({ name, image: 'shop:1', ports: [{ port: 80 }], replicas: 0, ...more });
const deployment = () => server.kube.get(deployments, name, 'default');

interface Made {
  runService: { serviceRun: { id: string; runId: string }; manifests: string } | null;
}

test('two replicas that get the same call at once make one run', async () => {
  const variables = { input: input({ idempotencyKey: idempotencyKey() }) };
  const answers = await Promise.all([server.query<Made>(run, variables), other.query<Made>(run, variables)]);
  expect(answers.flatMap(errorsOf)).toEqual([]);
  const [first, second] = answers.map(({ data }) => data?.runService);
  expect(second?.serviceRun).toEqual(first?.serviceRun);
  const { items } = await server.kube.list(deployments, {
    namespace: 'default',
    labelSelector: `slipway.dev/run=${first?.serviceRun.runId}`,
  });
  expect(items.map(({ metadata }) => metadata.name)).toEqual([name]);
});

test('the same key with other input is CONFLICT on the other replica too', async () => {
  await server.query(run, { input: input({ idempotencyKey: idempotencyKey() }) });
  const answer = await other.query(run, { input: input({ project: 'other', idempotencyKey: idempotencyKey() }) });
  expect(errorsOf(answer)).toEqual(['CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED']);
});

test('a call that died before it made the Service is carried to its end by the next', async () => {
  const variables = { input: input({ idempotencyKey: idempotencyKey() }) };
  const made = await server.data<Made>(run, variables);
  const service = await server.kube.get(services, name, 'default');
  await server.kube.delete(services, name, 'default');
  await other.cluster.cache(services).seen(service, { deleted: true });
  const again = await other.query<Made>(run, variables);
  expect(again.data?.runService?.serviceRun).toEqual(made.runService?.serviceRun);
  const owners = (await server.kube.get(services, name, 'default')).metadata.ownerReferences;
  expect(owners).toMatchObject([{ kind: 'Deployment', name }]);
});

test('a restart that two replicas are asked for at once is one', async () => {
  const made = await server.data<Made>(run, { input: input({ replicas: 1 }) });
  const id = made.runService?.serviceRun.id;
  await other.cluster.cache(deployments).seen(await deployment());
  await server.until(name, (view) => view.objects.replicaSets?.length === 1);
  const variables = { input: { id, idempotencyKey: idempotencyKey() } };
  const restart = act('restartServiceRun');
  const answers = await Promise.all([server.query(restart, variables), other.query(restart, variables)]);
  expect(answers.flatMap(errorsOf)).toEqual([]);
  // Each change of the Pod template makes a ReplicaSet.
  const { metadata } = await deployment();
  const settled = await server.until(
    name,
    (view) => view.objects.workload?.status?.observedGeneration === metadata.generation,
  );
  expect(settled.objects.replicaSets).toHaveLength(2);
});

test('what one replica did is not done again by another', async () => {
  const made = await server.data<Made>(run, { input: input({ replicas: 1 }) });
  const id = made.runService?.serviceRun.id;
  await other.cluster.cache(deployments).seen(await deployment());
  const stop = { input: { id, idempotencyKey: idempotencyKey() } };
  await server.data(act('stopServiceRun'), stop);
  await server.data(act('resumeServiceRun'), { input: { id } });
  // It has not seen any of that: the key stands on the object itself.
  expect(errorsOf(await other.query(act('stopServiceRun'), stop))).toEqual([]);
  expect((await deployment()).spec.replicas).toBe(1);
});

const keyed: [action: string, undo: string | null, prepare: string | null][] = [
  ['stopServiceRun', 'resumeServiceRun', null],
  ['resumeServiceRun', 'stopServiceRun', 'stopServiceRun'],
  ['restartServiceRun', null, null],
];

test.each(keyed)('the key of %s is known to a replica that was started since', async (action, undo, prepare) => {
  const made = await server.data<Made>(run, { input: input({ replicas: 1 }) });
  const id = made.runService?.serviceRun.id;
  const request = { input: { id, idempotencyKey: idempotencyKey() } };
  if (prepare) await server.data(act(prepare), { input: { id } });
  await server.data(act(action), request);
  if (undo) await server.data(act(undo), { input: { id } });
  const { spec } = await deployment();
  await using restarted = await startReplica(server);
  expect(errorsOf(await restarted.query(act(action), request))).toEqual([]);
  expect((await deployment()).spec).toEqual(spec);
  const otherKey = { input: { id, idempotencyKey: `${idempotencyKey()}-b` } };
  expect(errorsOf(await restarted.query(act(action), otherKey))).toEqual([]);
  expect((await deployment()).spec).not.toEqual(spec);
});

test('who has lost their rights is not told what their key did', async () => {
  let access: Access = fullAccess;
  await using mine = await startReplica(server, { as: { name: 'somebody', access: () => access } });
  const made = await server.data<Made>(run, { input: input({ replicas: 1 }) });
  const request = { input: { id: made.runService?.serviceRun.id, idempotencyKey: idempotencyKey() } };
  await mine.cluster.cache(deployments).seen(await deployment());
  expect(errorsOf(await mine.query(act('stopServiceRun'), request))).toEqual([]);
  await using restarted = await startReplica(server, { as: { name: 'somebody', access: () => access } });
  access = rights({ see: ['default'] });
  for (const replica of [mine, restarted])
    expect(errorsOf(await replica.query(act('stopServiceRun'), request))).toEqual(['FORBIDDEN id']);
  access = rights({});
  for (const replica of [mine, restarted])
    expect(errorsOf(await replica.query(act('stopServiceRun'), request))).toEqual(['NOT_FOUND id']);
});

test('many writers at once: every change is made, none is overwritten unseen', async () => {
  const made = await server.data<Made>(run, { input: input({ replicas: 1 }) });
  const id = made.runService?.serviceRun.id;
  await other.cluster.cache(deployments).seen(await deployment());
  const keys = Array.from({ length: 6 }, (_, index) => `${idempotencyKey()}-${index}`);
  const calls = keys.map((key, index) =>
    (index % 2 === 0 ? server : other).query(act('restartServiceRun'), { input: { id, idempotencyKey: key } }),
  );
  expect((await Promise.all(calls)).flatMap(errorsOf)).toEqual([]);
  const remembered = (await deployment()).metadata.annotations?.['slipway.dev/idempotency'] ?? '';
  expect(remembered.split(' ')).toHaveLength(keys.length);
});
