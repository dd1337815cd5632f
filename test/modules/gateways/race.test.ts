import { afterAll, beforeAll, expect, test } from 'vitest';
import { httpRoutes, securityPolicies } from '../../../src/k8s/resources.ts';
import { calls, documents, type GatewaysServer, service, startGatewaysServer } from './surface.ts';
import { type Replica, startReplica } from './failures/world.ts';
import { systemClock } from '../../../src/clock.ts';

let server: GatewaysServer;
let other: Replica;
beforeAll(async () => {
  server = await startGatewaysServer();
  other = await startReplica(server, systemClock, server.kubernetesUrl);
  await service(server, 'shop');
});
afterAll(async () => {
  await other.stop();
  await server.stop();
});

const open = { backend: { service: 'shop' }, auth: { none: true } };
const served = (hostname: string, pathPrefix: string) =>
  server.embedded.api
    .list(httpRoutes)
    .filter(({ spec }) => spec.hostnames?.[0] === hostname && spec.rules?.[0]?.matches?.[0]?.path?.value === pathPrefix)
    .map(({ metadata }) => metadata.name);

test('of creates on two servers for one address exactly one stays, whichever', async () => {
  for (let round = 0; round < 4; round++) {
    const hostname = `race-${round}.services.localhost`;
    const answers = await Promise.all(
      [server, other, server, other].map((replica, i) =>
        replica.query(documents.create, { input: { ...open, name: `race-${round}-${9 - i}`, hostname } }),
      ),
    );
    const reasons = answers.flatMap(({ errors }) => errors?.map(({ extensions }) => extensions['reason']) ?? []);
    expect(reasons).toEqual(['PATH_TAKEN', 'PATH_TAKEN', 'PATH_TAKEN']);
    expect(served(hostname, '/')).toHaveLength(1);
  }
});

test('of 100 creates on two servers for one address exactly one stays, whichever', async () => {
  const hostname = 'crowd.services.localhost';
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      (i % 2 === 0 ? server : other).query(documents.create, { input: { ...open, name: `crowd-${i}`, hostname } }),
    ),
  );
  const reasons = answers.flatMap(({ errors }) => errors?.map(({ extensions }) => extensions['reason']) ?? []);
  expect(reasons).toHaveLength(99);
  expect(new Set(reasons)).toEqual(new Set(['PATH_TAKEN']));
  expect(served(hostname, '/')).toHaveLength(1);
});

test('of a create and an update for one address exactly one stays', async () => {
  const call = calls(server);
  for (let round = 0; round < 3; round++) {
    const { gateway } = await call.create({ ...open, name: `mover-${round}`, pathPrefix: '/here' });
    const hostname = `place-${round}.services.localhost`;
    const [moved, made] = await Promise.all([
      server.query(documents.update, { input: { id: gateway.id, hostname, pathPrefix: '/v1' } }),
      other.query(documents.create, { input: { ...open, name: `comer-${round}`, hostname, pathPrefix: '/v1' } }),
    ]);
    expect(served(hostname, '/v1')).toHaveLength(1);
    expect([moved, made].filter(({ errors }) => errors)).toHaveLength(1);
  }
});

test('an update whose place is taken while it is under way undoes itself, its protection too', async () => {
  const call = calls(server);
  for (const name of ['users', 'others']) {
    await call.createSecret({ basic: { namespace: 'default', name, users: [{ username: 'maria' }] } });
  }
  const auth = (secretName: string) => ({ basic: { secretName } });
  const { gateway } = await call.create({ ...open, name: 'late', auth: auth('users') });
  const before = structuredClone(server.embedded.api.get(httpRoutes, 'default', 'late'));
  const taken = Promise.withResolvers<unknown>();
  const { parentRefs = [], rules = [] } = before?.spec ?? {};
  const stop = server.embedded.api.observe(securityPolicies, ({ type, object }) => {
    if (type !== 'MODIFIED' || object.metadata.name !== 'late-sp' || object.spec.basicAuth?.users.name !== 'others')
      return;
    stop();
    const theirs = {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'early', namespace: 'default' },
      spec: { parentRefs, rules, hostnames: ['wanted.services.localhost'] },
    };
    taken.resolve(server.kube.create(httpRoutes, theirs));
  });
  const input = { id: gateway.id, hostname: 'wanted.services.localhost', auth: auth('others') };
  expect(await call.refusals(documents.update, input)).toEqual(['CONFLICT pathPrefix PATH_TAKEN']);
  await taken.promise;
  expect(served('wanted.services.localhost', '/')).toEqual(['early']);
  expect(server.embedded.api.get(httpRoutes, 'default', 'late')?.spec).toEqual(before?.spec);
  expect(server.embedded.api.get(securityPolicies, 'default', 'late-sp')?.spec.basicAuth?.users.name).toBe('users');
});
