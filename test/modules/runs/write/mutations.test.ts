import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { deployments, services } from '../../../../src/k8s/resources.ts';
import { type RunsServer, answering, errorsOf, startRunsServer } from '../surface.ts';

interface Payload {
  serviceRun: { id: string; runId: string; name: string; status: { state: string; health: string } } | null;
  manifests: string;
}

const selection = 'serviceRun { id runId name status { state health } } manifests';
const run = `mutation ($input: RunServiceInput!) { runService(input: $input) { ${selection} } }`;
const scale = `mutation ($input: ScaleServiceRunInput!) { scaleServiceRun(input: $input) { ${selection} } }`;
const remove = 'mutation ($input: ServiceRunActionInput!) { deleteServiceRun(input: $input) { id manifests } }';
const act = (name: string) => `mutation ($input: ServiceRunActionInput!) { ${name}(input: $input) { ${selection} } }`;

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

const call = async (document: string, input: object): Promise<Payload> => {
  const [payload] = Object.values(await server.data<Record<string, Payload>>(document, { input }));
  if (!payload) throw new Error('no payload');
  return payload;
};
const input = (more: object = {}) => ({ name, ports: [{ port: 8000 }], process: answering('hello'), ...more });
/** A run that has no replicas: nothing has to start. */
const asleep = async (more: object = {}): Promise<string> => {
  const { serviceRun } = await call(run, input({ replicas: 0, ...more }));
  return serviceRun?.id ?? '';
};
const deployment = () => server.kube.get(deployments, name, 'default');
const absent = (promise: Promise<unknown>) => expect(promise).rejects.toMatchObject({ status: 404 });

test('a local program from start to end: run, answer, logs, restart, stop, resume, delete', async () => {
  const started = await call(run, input({ readinessPath: '/', project: 'shop' }));
  const { id } = started.serviceRun ?? { id: '' };
  expect(started.serviceRun).toMatchObject({ name, status: { health: 'PROGRESSING' } });
  expect(started.manifests).toMatch(/kind: Deployment[\s\S]*---\n[\s\S]*kind: Service/);

  const healthy = await server.until(name, (view) => view.status.health === 'HEALTHY');
  expect(healthy.status).toMatchObject({ state: 'RUNNING', message: null, replicas: { ready: 1 } });
  const answer = await fetch(healthy.status.service?.urls[0]?.url ?? '');
  expect(await answer.text()).toBe('hello');
  const shown = await server.data<{ serviceRun: { logs: string; events: { reason: string }[] } }>(
    'query ($id: ID!) { serviceRun(by: { id: $id }) { logs events { reason } } }',
    { id },
  );
  expect(shown.serviceRun.logs).toBe('hello from 8000\n');
  expect(shown.serviceRun.events.map(({ reason }) => reason)).toContain('ScalingReplicaSet');

  await call(act('restartServiceRun'), { id });
  const before = new Set(healthy.pods.map(({ uid }) => uid));
  await server.until(
    name,
    (view) =>
      view.status.health === 'HEALTHY' && view.pods.length === 1 && !view.pods.some(({ uid }) => before.has(uid)),
  );

  const stopped = await call(act('stopServiceRun'), { id });
  expect(stopped.serviceRun?.status).toEqual({ state: 'STOPPED', health: 'SUSPENDED' });
  await server.until(name, (view) => view.pods.length === 0);
  await call(act('resumeServiceRun'), { id });
  await server.until(name, (view) => view.status.health === 'HEALTHY');

  const deleted = await call(remove, { id });
  expect(deleted).toMatchObject({ id, manifests: expect.stringContaining('kind: Service') });
  await server.untilGone(name);
  await absent(deployment());
  await absent(server.kube.get(services, name, 'default'));
});

describe('what fails says why', () => {
  test('a program that ends at once', async () => {
    await call(run, input({ process: { command: [process.execPath, '-e', 'process.exit(3)'] } }));
    const broken = await server.until(name, (view) => view.status.health === 'DEGRADED');
    expect(broken.status).toMatchObject({ state: 'ERROR', reasons: [{ code: 'CRASH_LOOP' }] });
    expect(broken.status.message).toContain('exit code 3');
  });

  test('a program that does not exist', async () => {
    await call(run, input({ process: { command: ['no-such-program-here'] } }));
    const broken = await server.until(name, (view) => view.status.health === 'DEGRADED');
    expect(broken.status.reasons[0]?.code).toBe('CONTAINER_CONFIG');
  });

  test('an image, which the embedded cluster can not run', async () => {
    await call(run, { name, ports: [{ port: 80 }], image: 'shop:1' });
    const broken = await server.until(name, (view) => view.status.health === 'DEGRADED');
    expect(broken.status.reasons[0]).toMatchObject({ code: 'IMAGE_PULL', hint: expect.stringContaining('`process`') });
  });
});

describe('runService', () => {
  test('a dry run writes nothing and shows a run whose id does not resolve', async () => {
    const { serviceRun, manifests } = await call(run, input({ dryRun: true }));
    expect(serviceRun?.name).toBe(name);
    expect(manifests).toContain('image: slipway.dev/process');
    await absent(deployment());
    expect(await server.data('query ($id: ID!) { node(id: $id) { id } }', { id: serviceRun?.id })).toEqual({
      node: null,
    });
  });

  test('a taken name is CONFLICT', async () => {
    await asleep();
    expect(errorsOf(await server.query(run, { input: input() }))).toEqual(['CONFLICT name NAME_TAKEN']);
    expect(errorsOf(await server.query(run, { input: input({ dryRun: true }) }))).toEqual(['CONFLICT name NAME_TAKEN']);
  });

  test("somebody else's Service of that name is CONFLICT, and no Deployment is left", async () => {
    await server.kube.create(services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: { ports: [{ port: 1 }] },
    });
    const answer = await server.query(run, { input: input({ replicas: 0 }) });
    expect(errorsOf(answer)).toEqual(['CONFLICT name NAME_TAKEN']);
    expect(answer.data).toEqual({ runService: null });
    await absent(deployment());
  });

  test('a namespace that is not there', async () => {
    const answer = await server.query(run, { input: input({ namespace: 'nowhere' }) });
    expect(errorsOf(answer)).toEqual(['NOT_FOUND namespace']);
  });

  test('several faults are one error each', async () => {
    const answer = await server.query(run, { input: { name: 'Web', ports: [], process: { command: [] } } });
    expect(errorsOf(answer)).toEqual([
      'INVALID name NAME_SYNTAX',
      'INVALID process.command EMPTY',
      'INVALID ports EMPTY',
    ]);
  });

  test('the objects name their maker and belong together', async () => {
    await asleep({ labels: [{ key: 'team', value: 'a' }] });
    const made = await deployment();
    const service = await server.kube.get(services, name, 'default');
    expect(made.metadata.labels).toMatchObject({ team: 'a', 'app.kubernetes.io/managed-by': 'slipway' });
    expect(made.metadata.managedFields?.map(({ manager }) => manager)).toContain('slipway');
    expect(service.metadata.ownerReferences).toMatchObject([{ kind: 'Deployment', name, uid: made.metadata.uid }]);
  });
});

describe('idempotency keys', () => {
  const idempotencyKey = () => `key-for-${name}`;

  test('the same key and input is one run', async () => {
    const wanted = input({ replicas: 0, idempotencyKey: idempotencyKey() });
    const [first, second] = await Promise.all([call(run, wanted), call(run, wanted)]);
    const third = await call(run, wanted);
    expect(second.serviceRun?.runId).toBe(first.serviceRun?.runId);
    expect(third).toEqual(first);
  });

  test('the same key with other input is CONFLICT', async () => {
    await asleep({ idempotencyKey: idempotencyKey() });
    const other = { input: input({ replicas: 0, name: `${name}-other`, idempotencyKey: idempotencyKey() }) };
    expect(errorsOf(await server.query(run, other))).toEqual(['CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED']);
  });

  test('what failed may be tried again with its key', async () => {
    const wanted = { input: input({ namespace: 'nowhere', idempotencyKey: idempotencyKey() }) };
    expect(errorsOf(await server.query(run, wanted))).toEqual(['NOT_FOUND namespace']);
    expect(errorsOf(await server.query(run, wanted))).toEqual(['NOT_FOUND namespace']);
  });

  test('a stop that was done is not done again after a resume', async () => {
    const id = await asleep();
    await call(scale, { id, replicas: 1 });
    await call(act('stopServiceRun'), { id, idempotencyKey: idempotencyKey() });
    await call(act('resumeServiceRun'), { id });
    await call(act('stopServiceRun'), { id, idempotencyKey: idempotencyKey() });
    expect((await deployment()).spec.replicas).toBe(1);
    await call(act('stopServiceRun'), { id });
  });

  test('a delete answers alike when it is asked again', async () => {
    const id = await asleep();
    const first = await call(remove, { id, idempotencyKey: idempotencyKey() });
    expect(await call(remove, { id, idempotencyKey: idempotencyKey() })).toEqual(first);
    expect(errorsOf(await server.query(remove, { input: { id } }))).toEqual(['NOT_FOUND id']);
  });
});

describe('scale, stop, resume', () => {
  const annotations = async () => (await deployment()).metadata.annotations ?? {};

  test('the number of replicas is remembered while the run is stopped, and only then', async () => {
    const id = await asleep();
    await call(scale, { id, replicas: 3 });
    await call(act('stopServiceRun'), { id });
    expect(await annotations()).toMatchObject({ 'slipway.dev/replicas': '3' });
    await call(act('resumeServiceRun'), { id });
    expect((await deployment()).spec.replicas).toBe(3);
    expect(await annotations()).not.toHaveProperty('slipway.dev/replicas');
    const zero = await call(scale, { id, replicas: 0 });
    expect(zero.serviceRun?.status.state).toBe('STOPPED');
    expect(await annotations()).toMatchObject({ 'slipway.dev/replicas': '3' });
  });

  test('a stopped run that nobody scaled before resumes with one replica', async () => {
    const id = await asleep();
    await call(act('resumeServiceRun'), { id });
    expect((await deployment()).spec.replicas).toBe(1);
    await call(act('stopServiceRun'), { id });
  });

  test.each([-1, 101])('%i replicas are INVALID', async (replicas) => {
    const id = await asleep();
    expect(errorsOf(await server.query(scale, { input: { id, replicas } }))).toEqual(['INVALID replicas OUT_OF_RANGE']);
  });

  test('a dry run changes nothing', async () => {
    const id = await asleep();
    const { manifests, serviceRun } = await call(scale, { id, replicas: 2, dryRun: true });
    expect(manifests).toContain('replicas: 2');
    expect(serviceRun?.id).not.toBe(id);
    expect((await deployment()).spec.replicas).toBe(0);
    expect((await call(remove, { id, dryRun: true })).manifests).toContain('kind: Deployment');
    expect((await deployment()).metadata.name).toBe(name);
  });

  const dryRuns: [action: string, replicas: number, shown: RegExp][] = [
    ['stopServiceRun', 2, /slipway.dev\/replicas: "2"[\s\S]*replicas: 0/],
    ['resumeServiceRun', 0, /replicas: 1/],
    ['restartServiceRun', 2, /kubectl.kubernetes.io\/restartedAt/],
  ];
  test.each(dryRuns)(
    'a dry run of %s shows what it would write, and writes nothing',
    async (action, replicas, shown) => {
      const { serviceRun } = await call(run, { name, image: 'shop:1', ports: [{ port: 80 }], replicas });
      const id = serviceRun?.id ?? '';
      const { spec } = await deployment();
      const preview = await call(act(action), { id, dryRun: true });
      expect(preview.manifests).toMatch(shown);
      const { serviceRun: resolved } = await server.data<{ serviceRun: object | null }>(
        'query ($id: ID!) { serviceRun(by: { id: $id }) { id } }',
        { id: preview.serviceRun?.id },
      );
      expect(resolved).toBeNull();
      const after = await deployment();
      expect([after.spec, after.metadata.annotations?.['slipway.dev/replicas']]).toEqual([spec, undefined]);
    },
  );

  test('a stopped run can not be restarted', async () => {
    const id = await asleep();
    expect(errorsOf(await server.query(act('restartServiceRun'), { input: { id } }))).toEqual(['NOT_READY id STOPPED']);
  });

  test('a run without its Deployment can only be deleted', async () => {
    const id = await asleep();
    const service = await server.kube.get(services, name, 'default');
    await server.kube.patch(services, name, 'default', { metadata: { ownerReferences: null } });
    await server.kube.delete(deployments, name, 'default');
    await server.until(name, (view) => view.status.reasons[0]?.code === 'WORKLOAD_MISSING');
    const answer = await server.query(act('stopServiceRun'), { input: { id } });
    expect(errorsOf(answer)).toEqual(['NOT_READY id WORKLOAD_MISSING']);
    await call(remove, { id });
    await absent(server.kube.get(services, service.metadata.name, 'default'));
  });
});
