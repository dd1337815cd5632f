import { expect, test } from 'vitest';
import { httpRoutes, type SecurityPolicy, securityPolicies } from '../../../src/k8s/resources.ts';
import { manualClock } from '../../schema/stream/world.ts';
import { calls, documents, service, startGatewaysServer } from './surface.ts';

const policy = (
  route: string,
  since: string | null,
  metadata: Partial<SecurityPolicy['metadata']> = {},
): SecurityPolicy => ({
  apiVersion: 'gateway.envoyproxy.io/v1alpha1',
  kind: 'SecurityPolicy',
  metadata: {
    name: `${route}-sp`,
    namespace: 'default',
    labels: { 'app.kubernetes.io/managed-by': 'slipway' },
    ...(since !== null && { annotations: { 'slipway.dev/pending': since } }),
    ...metadata,
  },
  spec: {
    targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: route }],
    basicAuth: { users: { name: 'users' } },
  },
});

async function start() {
  const time = manualClock();
  const server = await startGatewaysServer({ clock: time.clock });
  const put = async (object: SecurityPolicy) => {
    await server.cluster
      .cache(securityPolicies)
      .seen(await server.kube.create(securityPolicies, object), { timeoutMs: 1e9 });
  };
  const present = (name: string) => server.embedded.api.get(securityPolicies, 'default', name);
  return { time, server, put, present, now: () => new Date(time.clock.now()).toISOString() };
}

test('a policy whose create died is gone after a minute, one without the mark stays', async () => {
  const { time, server, put, present, now } = await start();
  await using _ = server;
  await put(policy('dead', now()));
  await put(policy('kept', null));
  time.advance(59_000);
  expect(present('dead-sp')).toBeDefined();
  const gone = Promise.withResolvers<void>();
  server.embedded.api.observe(securityPolicies, ({ type, object }) => {
    if (type === 'DELETED' && object.metadata.name === 'dead-sp') gone.resolve();
  });
  time.advance(1_000);
  await gone.promise;
  expect(present('kept-sp')).toBeDefined();
});

test.each([
  { how: 'marked', mark: true },
  { how: 'from a backup, without mark or owner', mark: false },
])('one whose route is there is tied to it: $how', async ({ mark }) => {
  const { time, server, put, present, now } = await start();
  await using _ = server;
  const route = await server.kube.create(httpRoutes, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'alive', namespace: 'default' },
    spec: {},
  });
  await put(policy('alive', mark ? now() : null));
  const tied = Promise.withResolvers<SecurityPolicy>();
  server.embedded.api.observe(securityPolicies, ({ type, object }) => {
    if (type === 'MODIFIED' && object.metadata.ownerReferences) tied.resolve(object);
  });
  time.advance(60_000);
  const { metadata } = await tied.promise;
  expect(metadata.ownerReferences).toMatchObject([{ kind: 'HTTPRoute', name: 'alive', uid: route.metadata.uid }]);
  expect(metadata.annotations).toBeUndefined();
  expect(present('alive-sp')).toBeDefined();
});

test('a create takes over what its predecessor left, and gives way to one that is under way', async () => {
  const { server, put, present, now, time } = await start();
  await using _ = server;
  await service(server, 'shop');
  const call = calls(server);
  for (const name of ['users', 'others']) {
    await call.createSecret({ basic: { namespace: 'default', name, users: [{ username: 'maria' }] } });
  }
  const input = (name: string, secretName: string) => ({
    name,
    backend: { service: 'shop' },
    auth: { basic: { secretName } },
  });
  await put(policy('same', now()));
  const uid = present('same-sp')?.metadata.uid;
  await call.create(input('same', 'users'));
  expect(present('same-sp')?.metadata).toMatchObject({ uid, ownerReferences: [{ name: 'same' }] });
  await put(policy('other', now()));
  expect(await call.refusals(documents.create, input('other', 'others'))).toEqual(['CONFLICT name CREATE_IN_PROGRESS']);
  await put(policy('open', new Date(time.clock.now() - 61_000).toISOString()));
  const { gateway } = await call.create({ name: 'open', backend: { service: 'shop' }, auth: { none: true } });
  expect(gateway.auth.kind).toBe('NONE');
  expect(present('open-sp')).toBeUndefined();
});

test('a create for which the cluster is too slow takes back what it has written', async () => {
  const { server, present, time } = await start();
  await using _ = server;
  await service(server, 'shop');
  const call = calls(server);
  await call.createSecret({ basic: { namespace: 'default', name: 'users', users: [{ username: 'maria' }] } });
  const stop = server.embedded.api.observe(securityPolicies, ({ type, object }) => {
    if (type === 'ADDED' && object.metadata.name === 'late-sp') time.advance(21_000);
  });
  const input = { name: 'late', backend: { service: 'shop' }, auth: { basic: { secretName: 'users' } } };
  expect(await call.refusals(documents.create, input)).toEqual(['UNAVAILABLE TOO_SLOW']);
  stop();
  expect(server.embedded.api.get(httpRoutes, 'default', 'late')).toBeUndefined();
  expect(present('late-sp')).toBeUndefined();
});
