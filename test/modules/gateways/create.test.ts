import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { httpRoutes, securityPolicies } from '../../../src/k8s/resources.ts';
import type { HTTPRoute, KubeObject } from '../../../src/k8s/resources.ts';
import { calls, documents, type GatewaysServer, ready, service, startGatewaysServer } from './surface.ts';

let server: GatewaysServer;
let call: ReturnType<typeof calls>;
beforeAll(async () => {
  server = await startGatewaysServer();
  call = calls(server);
  await service(server, 'shop');
  await service(server, 'bank', {
    ports: [
      { name: 'http', port: 80 },
      { name: 'admin', port: 81 },
    ],
  });
  for (const name of ['users', 'others']) {
    await call.createSecret({ basic: { namespace: 'default', name, users: [{ username: 'maria' }] } });
  }
  await call.createSecret({ apiKey: { namespace: 'default', name: 'keys', clients: ['lab'] } });
});
afterAll(() => server.stop());

let count = 0;
let name = '';
beforeEach(() => {
  name = `gw-${++count}`;
});
const secured = { basic: { secretName: 'users' } };
const input = (more: object = {}) => ({ name, backend: { service: 'shop' }, auth: secured, ...more });
const route = () => server.embedded.api.get(httpRoutes, 'default', name);
const policy = () => server.embedded.api.get(securityPolicies, 'default', `${name}-sp`);
const unset = (object: KubeObject | undefined) => object?.metadata.annotations?.['slipway.dev/pending'] === undefined;

describe('create', () => {
  test('writes the policy, then the route, and ties them', async () => {
    const order: string[] = [];
    const stops = [httpRoutes, securityPolicies].map((resource) =>
      server.embedded.api.observe<KubeObject>(resource, ({ type, object }) => {
        if (object.metadata.name.startsWith(name) && type === 'ADDED') {
          order.push(`${object.kind}${unset(object) ? '' : ' pending'}`);
        }
      }),
    );
    const { gateway, manifests } = await call.create(input());
    for (const stop of stops) stop();
    expect(order).toEqual(['SecurityPolicy pending', 'HTTPRoute']);
    expect(gateway.name).toBe(name);
    expect(manifests).toMatch(/kind: SecurityPolicy[\s\S]*---\n[\s\S]*kind: HTTPRoute/);
    expect(policy()).toMatchObject({
      metadata: {
        labels: { 'app.kubernetes.io/managed-by': 'slipway' },
        ownerReferences: [
          { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute', uid: route()?.metadata.uid },
        ],
      },
      spec: { basicAuth: { users: { name: 'users' } } },
    });
    expect(unset(policy())).toBe(true);
    for (const object of [route(), policy()]) {
      const writers = object?.metadata.managedFields?.filter(({ subresource }) => subresource === undefined) ?? [];
      expect(new Set(writers.map(({ manager }) => manager))).toEqual(new Set(['slipway']));
    }
    expect(route()).toMatchObject({
      metadata: { annotations: { 'slipway.dev/auth': 'basic' } },
      spec: {
        parentRefs: [{ name: 'local', namespace: 'slipway-system' }],
        hostnames: [`${name}.services.localhost`],
        rules: [{ matches: [{ path: { type: 'PathPrefix', value: '/' } }], backendRefs: [{ name: 'shop', port: 80 }] }],
      },
    });
    await server.until(name, ready);
  });

  test('answers with what queries then show', async () => {
    const { gateway } = await call.create(input());
    const { gateway: again } = await server.data<{ gateway: object }>(
      'query ($id: ID!) { gateway(by: { id: $id }) { id resourceVersion auth { kind secretName } } }',
      { id: gateway.id },
    );
    expect(again).toMatchObject({
      id: gateway.id,
      resourceVersion: gateway.resourceVersion,
      auth: { secretName: 'users' },
    });
    const node = await server.data('query ($id: ID!) { node(id: $id) { __typename id ... on Gateway { name } } }', {
      id: gateway.id,
    });
    expect(node).toEqual({ node: { __typename: 'Gateway', id: gateway.id, name } });
  });

  test('dryRun checks everything, writes nothing and shows it', async () => {
    const { gateway, manifests } = await call.create(input({ dryRun: true, idempotencyKey: 'never-used' }));
    expect(gateway).toMatchObject({ name, hostname: `${name}.services.localhost`, auth: { kind: 'BASIC' } });
    expect(manifests).toMatch(/kind: SecurityPolicy[\s\S]*basicAuth[\s\S]*---\n[\s\S]*kind: HTTPRoute/);
    expect([route(), policy()]).toEqual([undefined, undefined]);
    const { node } = await server.data<{ node: unknown }>('query ($id: ID!) { node(id: $id) { id } }', {
      id: gateway.id,
    });
    expect(node).toBeNull();
    expect(
      await call.refusals(documents.create, input({ dryRun: true, auth: { basic: { secretName: 'none' } } })),
    ).toEqual(['INVALID auth.basic.secretName SECRET_NOT_FOUND']);
  });

  test.each<[string, object]>([
    ['none', { none: true }],
    ['basic', secured],
    ['API keys', { apiKey: { secretName: 'keys', headerName: 'x-shop-key' } }],
    [
      'JWT',
      {
        jwt: {
          jwksUri: 'https://login.example.org/certs',
          issuer: 'https://login.example.org',
          audiences: ['shop'],
          claimToHeaders: [{ claim: 'sub', header: 'x-user' }],
        },
      },
    ],
  ])('dryRun shows the very bytes that are then there: %s', async (_, auth) => {
    const wanted = input({ auth, pathPrefix: '/v1/', rewritePathPrefix: '/' });
    const tried = await call.create({ ...wanted, dryRun: true });
    const { gateway, manifests, notices } = await call.create(wanted);
    expect([tried.manifests, tried.notices]).toEqual([manifests, notices]);
    const shown = await server.data<{ gateway: { manifests: string } }>(
      'query ($id: ID!) { gateway(by: { id: $id }) { manifests } }',
      { id: gateway.id },
    );
    expect(shown.gateway.manifests).toBe(manifests);

    const change = { id: gateway.id, pathPrefix: '/v2', auth: 'basic' in auth ? { none: true } : secured };
    const preview = await call.update({ ...change, dryRun: true });
    const changed = await call.update(change);
    expect([preview.manifests, preview.notices]).toEqual([changed.manifests, changed.notices]);
  });

  test('a name that is taken is CONFLICT, and what has it stays as it is', async () => {
    await call.create(input());
    const before = [route(), policy()];
    const again = input({ hostname: 'elsewhere.services.localhost', auth: { none: true } });
    expect(await call.refusals(documents.create, again)).toEqual(['CONFLICT name ALREADY_EXISTS']);
    expect([route()?.metadata.uid, policy()?.metadata.uid]).toEqual(before.map((object) => object?.metadata.uid));
  });

  test('a policy that would govern the route is in the way', async () => {
    const targetRefs = [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name }];
    const metadata = { name: `${name}-sp`, namespace: 'default' };
    const theirs = {
      apiVersion: 'gateway.envoyproxy.io/v1alpha1',
      kind: 'SecurityPolicy',
      metadata,
      spec: { targetRefs },
    };
    await server.kube.create(securityPolicies, theirs);
    expect(await call.refusals(documents.create, input())).toEqual(['CONFLICT name POLICY_EXISTS']);
    await server.kube.delete(securityPolicies, `${name}-sp`, 'default');

    const other = { ...theirs, metadata: { ...metadata, name: `other-${name}` } };
    await server.cluster.cache(securityPolicies).seen(await server.kube.create(securityPolicies, other));
    expect(await call.refusals(documents.create, input())).toEqual(['CONFLICT name POLICY_EXISTS']);
    expect([route(), policy()]).toEqual([undefined, undefined]);
    await server.kube.delete(securityPolicies, `other-${name}`, 'default');
    const selecting = {
      ...other,
      spec: { targetSelectors: [{ kind: 'HTTPRoute', matchLabels: { 'app.kubernetes.io/managed-by': 'slipway' } }] },
    };
    await server.cluster.cache(securityPolicies).seen(await server.kube.create(securityPolicies, selecting));
    expect(await call.refusals(documents.create, input())).toEqual(['CONFLICT name POLICY_EXISTS']);
    const gone = await server.kube.delete(securityPolicies, `other-${name}`, 'default');
    await server.cluster.cache(securityPolicies).seen(gone, { deleted: true });
  });

  test('somebody else takes the name at the last moment: nothing of ours is left', async () => {
    const theirs: HTTPRoute = {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name, namespace: 'default' },
      spec: { hostnames: ['theirs.example.org'] },
    };
    const taken = Promise.withResolvers<unknown>();
    const stop = server.embedded.api.observe(securityPolicies, ({ type, object }) => {
      if (type === 'ADDED' && object.metadata.name === `${name}-sp`)
        taken.resolve(server.kube.create(httpRoutes, theirs));
    });
    expect(await call.refusals(documents.create, input())).toEqual(['CONFLICT ALREADY_EXISTS']);
    await taken.promise;
    stop();
    expect(policy()).toBeUndefined();
    expect(route()?.spec.hostnames).toEqual(['theirs.example.org']);
  });

  test('the policy is deleted at the last moment: the route does not stay open', async () => {
    const stop = server.embedded.api.observe(httpRoutes, ({ type, object }) => {
      if (type === 'ADDED' && object.metadata.name === name)
        void server.kube.delete(securityPolicies, `${name}-sp`, 'default');
    });
    expect(await call.refusals(documents.create, input())).toEqual(['CONFLICT CHANGED']);
    stop();
    expect(route()).toBeUndefined();
  });

  test('of many at once for one address exactly one gets it', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        server.query(documents.create, {
          input: input({ name: `${name}-${i}`, hostname: `${name}.services.localhost`, auth: { none: true } }),
        }),
      ),
    );
    expect(answers.filter(({ errors }) => !errors)).toHaveLength(1);
    const reasons = answers.flatMap(({ errors }) => errors?.map(({ extensions }) => extensions['reason']) ?? []);
    expect(new Set(reasons)).toEqual(new Set(['PATH_TAKEN']));
  });
});

describe('idempotencyKey', () => {
  test('the same key with the same input gives the first result and does nothing again', async () => {
    const key = `key-of-${name}`;
    const [first, same] = await Promise.all([
      call.create(input({ idempotencyKey: key })),
      call.create(input({ idempotencyKey: key, pathPrefix: '/', dryRun: null })),
    ]);
    const [uid, version] = [route()?.metadata.uid, route()?.metadata.generation];
    const later = await call.create(input({ idempotencyKey: key }));
    for (const { gateway } of [same, later]) {
      expect(gateway).toMatchObject({ id: first.gateway.id, resourceVersion: first.gateway.resourceVersion });
    }
    expect([route()?.metadata.uid, route()?.metadata.generation]).toEqual([uid, version]);
    expect(JSON.stringify(route())).not.toContain(key);
  });

  test('with other input it is CONFLICT', async () => {
    const idempotencyKey = `key-of-${name}`;
    await call.create(input({ idempotencyKey }));
    const other = input({ name: `${name}x`, idempotencyKey });
    expect(await call.refusals(documents.create, other)).toEqual(['CONFLICT idempotencyKey IDEMPOTENCY_KEY_REUSED']);
  });

  test.each(['short', 'x'.repeat(129), 'line\nbreak-in-it'])('%j is no key', async (idempotencyKey) => {
    expect(await call.refusals(documents.create, input({ idempotencyKey }))).toEqual([
      'INVALID idempotencyKey KEY_INVALID',
    ]);
  });

  test('what a crash left undone is done by the repetition', async () => {
    const idempotencyKey = `key-of-${name}`;
    await call.create(input({ idempotencyKey }));
    await server.kube.patch(securityPolicies, `${name}-sp`, 'default', {
      metadata: { ownerReferences: null, annotations: { 'slipway.dev/pending': new Date().toISOString() } },
    });
    await call.create(input({ idempotencyKey }));
    expect(policy()?.metadata.ownerReferences).toMatchObject([{ uid: route()?.metadata.uid }]);
    expect(unset(policy())).toBe(true);
  });
});
