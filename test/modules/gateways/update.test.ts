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

/** Every state in which the route was there without the protection it has asked for. */
function watchForOpen(): { open: string[]; stop: () => void } {
  const open: string[] = [];
  const check = (what: string) => {
    const [present, protection] = [route(), policy()];
    const wanted = present?.metadata.annotations?.['slipway.dev/auth'] ?? 'none';
    const { basicAuth, apiKeyAuth, jwt } = protection?.spec ?? {};
    if (present && wanted !== 'none' && !basicAuth && !apiKeyAuth && !jwt) open.push(what);
  };
  const stops = [
    server.embedded.api.observe(httpRoutes, ({ type }) => check(`route ${type}`)),
    server.embedded.api.observe(securityPolicies, ({ type }) => check(`policy ${type}`)),
  ];
  return { open, stop: () => stops.forEach((stop) => stop()) };
}

describe('update', () => {
  test('changes what is given, in place', async () => {
    const { gateway } = await call.create(input({ pathPrefix: '/v1' }));
    await server.kube.patch(httpRoutes, name, 'default', {
      metadata: { labels: { team: 'blue' } },
    });
    const uids = [route()?.metadata.uid, policy()?.metadata.uid];
    const changed = await call.update({
      id: gateway.id,
      rewritePathPrefix: '/x',
      backend: { service: 'bank', port: 81 },
    });
    expect(changed.gateway).toMatchObject({
      id: gateway.id,
      pathPrefix: '/v1',
      rewritePathPrefix: '/x',
      auth: { kind: 'BASIC' },
    });
    expect(route()).toMatchObject({
      metadata: { labels: { team: 'blue' } },
      spec: { rules: [{ backendRefs: [{ name: 'bank', port: 81 }] }] },
    });
    const reset = await call.update({
      id: gateway.id,
      pathPrefix: null,
      rewritePathPrefix: null,
      hostname: `moved-${name}.services.localhost`,
    });
    expect(reset.gateway).toMatchObject({
      pathPrefix: '/',
      rewritePathPrefix: null,
      hostname: `moved-${name}.services.localhost`,
    });
    expect((await call.update({ id: gateway.id, hostname: null })).gateway.hostname).toBe(`${name}.services.localhost`);
    expect([route()?.metadata.uid, policy()?.metadata.uid]).toEqual(uids);
  });

  test('from one protection to another there is no open moment', async () => {
    const { gateway } = await call.create(input({ auth: { none: true } }));
    const watching = watchForOpen();
    const steps: [object, string][] = [
      [{ basic: { secretName: 'users' } }, 'BASIC'],
      [{ apiKey: { secretName: 'keys' } }, 'API_KEY'],
      [{ basic: { secretName: 'others' } }, 'BASIC'],
      [{ none: true }, 'NONE'],
      [{ apiKey: { secretName: 'keys' } }, 'API_KEY'],
    ];
    const uids = new Set<string | undefined>();
    for (const [auth, kind] of steps) {
      const changed = await call.update({ id: gateway.id, auth });
      expect(changed.gateway.auth.kind).toBe(kind);
      expect(Boolean(policy())).toBe(kind !== 'NONE');
      uids.add(policy()?.metadata.uid);
      await server.until(name, (view) => ready(view) && view.auth.kind === kind);
    }
    watching.stop();
    expect(watching.open).toEqual([]);
    // One policy until it went with "none", and one after.
    expect(uids.size).toBe(3);
  });

  test('what else a policy does stays, also without protection', async () => {
    const { gateway } = await call.create(input());
    const cors = { allowOrigins: ['https://example.org'] };
    await server.kube.patch(securityPolicies, `${name}-sp`, 'default', { spec: { cors } });
    await call.update({ id: gateway.id, auth: { apiKey: { secretName: 'keys' } } });
    expect(policy()?.spec).toMatchObject({ cors, apiKeyAuth: { credentialRefs: [{ name: 'keys' }] } });
    expect(policy()?.spec.basicAuth).toBeUndefined();
    const watching = watchForOpen();
    await call.update({ id: gateway.id, auth: { none: true } });
    watching.stop();
    expect(watching.open).toEqual([]);
    expect(policy()?.spec).toEqual({ cors, targetRefs: [expect.objectContaining({ name })] });
  });

  test('dryRun changes nothing', async () => {
    const { gateway } = await call.create(input());
    const before = [route()?.metadata.resourceVersion, policy()?.metadata.resourceVersion];
    const tried = await call.update({ id: gateway.id, pathPrefix: '/v2', auth: { none: true }, dryRun: true });
    expect(tried.gateway).toMatchObject({ pathPrefix: '/v2', auth: { kind: 'NONE' } });
    expect(tried.manifests).not.toContain('SecurityPolicy');
    expect([route()?.metadata.generation, policy()?.metadata.generation]).toEqual([1, 1]);
    expect(before).toHaveLength(2);
  });

  test('somebody else changes the route at the last moment: the protection goes back to what it was', async () => {
    const { gateway } = await call.create(input());
    await server.until(name, ready);
    const stop = server.embedded.api.observe(securityPolicies, ({ object: { metadata, spec } }) => {
      if (metadata.name !== `${name}-sp` || spec.basicAuth?.users.name !== 'others') return;
      stop();
      void server.kube.patch(httpRoutes, name, 'default', { spec: { hostnames: ['theirs.services.localhost'] } });
    });
    const change = { id: gateway.id, pathPrefix: '/v2', auth: { basic: { secretName: 'others' } } };
    expect(await call.refusals(documents.update, change)).toEqual(['CONFLICT CHANGED']);
    expect(policy()?.spec.basicAuth?.users.name).toBe('users');
    expect(route()?.spec).toMatchObject({ hostnames: ['theirs.services.localhost'] });
  });

  test('the same again changes nothing, 100 times', async () => {
    const { gateway } = await call.create(input());
    await server.until(name, ready);
    const versions = () => [route()?.metadata.resourceVersion, policy()?.metadata.resourceVersion];
    const before = versions();
    for (let i = 0; i < 100; i++) {
      const again = await call.update({ id: gateway.id, hostname: gateway.hostname, pathPrefix: '/', auth: secured });
      expect(again.gateway.resourceVersion).toBe(gateway.resourceVersion);
    }
    expect(versions()).toEqual(before);
  });

  test('a stale resourceVersion is CONFLICT; of two editors exactly one wins', async () => {
    const { gateway } = await call.create(input());
    const { id, resourceVersion } = gateway;
    const answers = await Promise.all(
      ['/a', '/b'].map((pathPrefix) => server.query(documents.update, { input: { id, resourceVersion, pathPrefix } })),
    );
    expect(answers.filter(({ errors }) => !errors)).toHaveLength(1);
    expect(answers.flatMap(({ errors }) => errors?.[0]?.extensions ?? [])).toMatchObject([
      { code: 'CONFLICT', field: 'resourceVersion', reason: 'STALE_VERSION' },
    ]);
    expect(await call.refusals(documents.delete, { id, resourceVersion })).toEqual([
      'CONFLICT resourceVersion STALE_VERSION',
    ]);
  });

  describe('fields that somebody else manages', () => {
    const patch = (resource: typeof httpRoutes | typeof securityPolicies, target: string, change: object, by: string) =>
      server.kube.patch<KubeObject>(resource, target, 'default', { ...change }, { fieldManager: by });
    const refusal = async (change: object) => {
      const { errors } = await server.query(documents.update, { input: change });
      return (errors ?? [])
        .map(({ message, extensions }) => `${String(extensions['code'])} ${String(extensions['reason'])} ${message}`)
        .join();
    };

    test('are CONFLICT naming field and manager, and nothing changes; all other fields are free', async () => {
      const { gateway } = await call.create(input({ pathPrefix: '/v1' }));
      const { id } = gateway;
      await patch(httpRoutes, name, { spec: { hostnames: [`theirs-${name}.services.localhost`] } }, 'argocd');
      const generation = route()?.metadata.generation;
      const both = { id, hostname: `mine-${name}.services.localhost`, pathPrefix: '/v2' };
      expect(await refusal(both)).toMatch(/^CONFLICT FIELD_MANAGED .*spec\.hostnames \(argocd\)/);
      expect(route()?.metadata.generation).toBe(generation);
      expect((await call.update({ id, pathPrefix: '/v2' })).gateway.pathPrefix).toBe('/v2');
    });

    test('of the policy too; labels and status of others are in nobody’s way', async () => {
      const { gateway } = await call.create(input());
      const { id } = gateway;
      await server.until(name, ready);
      await patch(httpRoutes, name, { metadata: { labels: { team: 'blue' } } }, 'argocd');
      await patch(securityPolicies, `${name}-sp`, { spec: { cors: { allowOrigins: ['https://a.test'] } } }, 'argocd');
      await call.update({ id, auth: { basic: { secretName: 'others' } } });
      await patch(
        securityPolicies,
        `${name}-sp`,
        { spec: { basicAuth: { users: { name: 'users' } } } },
        'kubectl-edit',
      );
      expect(await refusal({ id, auth: { apiKey: { secretName: 'keys' } } })).toMatch(
        /^CONFLICT FIELD_MANAGED .*spec\.basicAuth.* \(kubectl-edit\)/,
      );
      expect(policy()?.spec.basicAuth?.users.name).toBe('users');
    });

    test('those of the platform’s own manager are not somebody else’s', async () => {
      const { gateway } = await call.create(input());
      await patch(
        httpRoutes,
        name,
        { spec: { hostnames: [`its-${name}.services.localhost`] } },
        'fabric8-kubernetes-client',
      );
      const hostname = `mine-${name}.services.localhost`;
      expect((await call.update({ id: gateway.id, hostname })).gateway.hostname).toBe(hostname);
    });
  });

  test('the place of another gateway can not be taken', async () => {
    const { gateway } = await call.create(input());
    await call.create(input({ name: `${name}-b` }));
    const taken = { id: gateway.id, hostname: `${name}-b.services.localhost` };
    expect(await call.refusals(documents.update, taken)).toEqual(['CONFLICT pathPrefix PATH_TAKEN']);
  });

  test('protection can be changed while the service is gone', async () => {
    await service(server, name);
    const { gateway } = await call.create(input({ backend: { service: name } }));
    await server.kube.delete(
      { group: '', version: 'v1', kind: 'Service', plural: 'services', namespaced: true },
      name,
      'default',
    );
    const changed = await call.update({ id: gateway.id, auth: { apiKey: { secretName: 'keys' } } });
    expect(changed.gateway.auth.kind).toBe('API_KEY');
  });

  test('a policy that can not be attached to the route anew is told, and the route stays as it was', async () => {
    const { gateway } = await call.create(input({ auth: { none: true } }));
    const metadata = { name: `${name}-sp`, namespace: 'default' };
    const targetRefs = [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: 'something-else' }];
    await server.kube.create(securityPolicies, {
      apiVersion: 'gateway.envoyproxy.io/v1alpha1',
      kind: 'SecurityPolicy',
      metadata,
      spec: { targetRefs },
    });
    const [refusal] = await call.refusals(documents.update, { id: gateway.id, auth: secured });
    expect(refusal).toMatch(/^CONFLICT/);
    expect(route()?.metadata.annotations).toMatchObject({ 'slipway.dev/auth': 'none' });
  });

  test.each([
    [{ backend: null }, 'INVALID backend NULL'],
    [{ auth: null }, 'INVALID auth NULL'],
    [{ parent: null }, 'INVALID parent NULL'],
    [{ auth: { none: false } }, 'INVALID auth.none AUTH_REQUIRED'],
    [{ hostname: '*.services.localhost' }, 'INVALID hostname HOSTNAME_INVALID'],
    [{ rewritePathPrefix: '/x' }, 'INVALID rewritePathPrefix ROOT_REWRITE'],
    [{ backend: { service: 'none' } }, 'NOT_FOUND backend.service SERVICE_NOT_FOUND'],
    [{ backend: { service: 'shop', namespace: 'other' } }, 'INVALID backend.namespace CROSS_NAMESPACE'],
    [{ parent: { namespace: 'slipway-system', name: 'none' } }, 'INVALID parent PARENT_NOT_FOUND'],
    [{ auth: { basic: { secretName: 'keys' } } }, 'INVALID auth.basic.secretName SECRET_KEY_MISSING'],
  ])('%j: %s', async (change, refusal) => {
    const { gateway } = await call.create(input());
    const before = route()?.metadata.generation;
    expect(await call.refusals(documents.update, { id: gateway.id, ...change })).toEqual([refusal]);
    expect([route()?.metadata.generation, policy()?.spec.basicAuth?.users.name]).toEqual([before, 'users']);
  });
});

describe('what others made', () => {
  const theirs = (labels: Record<string, string>, rules: HTTPRoute['spec']['rules']): HTTPRoute => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name, namespace: 'default', labels },
    spec: {
      parentRefs: [{ name: 'local', namespace: 'slipway-system' }],
      hostnames: [`${name}.services.localhost`],
      ...(rules && { rules }),
    },
  });
  const simple = [
    { matches: [{ path: { type: 'PathPrefix' as const, value: '/' } }], backendRefs: [{ name: 'shop', port: 80 }] },
  ];

  test.each([
    ['another tool', {}, simple, 'NOT_MANAGED'],
    [
      'the platform, with two rules',
      { 'app.kubernetes.io/created-by': 'krm' },
      [...simple, { backendRefs: [{ name: 'bank', port: 80 }] }],
      'NOT_SIMPLE',
    ],
  ])('a route of %s is shown, not edited', async (_, labels, rules, reason) => {
    await server.kube.create(httpRoutes, theirs(labels, rules));
    const view = await server.until(name, ready);
    expect(view.managed).toBe(false);
    expect(await call.refusals(documents.update, { id: view.id, pathPrefix: '/x' })).toEqual([
      `NOT_SUPPORTED id ${reason}`,
    ]);
  });

  test('a simple route of the platform is edited and keeps its label', async () => {
    const labels = { 'app.kubernetes.io/created-by': 'krm' };
    await server.kube.create(httpRoutes, theirs(labels, simple));
    const view = await server.until(name, ready);
    expect(view.managed).toBe(true);
    await call.update({ id: view.id, auth: secured });
    expect(route()?.metadata.labels).toEqual(labels);
    expect(policy()?.metadata.ownerReferences).toMatchObject([{ uid: route()?.metadata.uid }]);
  });
});

describe('delete', () => {
  test('the route goes first, then its policy', async () => {
    const { gateway } = await call.create(input());
    const order: string[] = [];
    const stops = [httpRoutes, securityPolicies].map((resource) =>
      server.embedded.api.observe<KubeObject>(resource, ({ type, object }) => {
        if (type === 'DELETED' && object.metadata.name.startsWith(name)) order.push(object.kind);
      }),
    );
    const tried = await call.delete({ id: gateway.id, dryRun: true });
    expect(tried.manifests).toMatch(/kind: HTTPRoute[\s\S]*kind: SecurityPolicy/);
    expect(order).toEqual([]);
    const { id, manifests } = await call.delete({ id: gateway.id, resourceVersion: gateway.resourceVersion });
    expect(id).toBe(gateway.id);
    expect(manifests).toBe(tried.manifests);
    expect(order).toEqual(['HTTPRoute', 'SecurityPolicy']);
    for (const stop of stops) stop();
    expect(await call.refusals(documents.delete, { id: gateway.id })).toEqual(['NOT_FOUND id']);
    const made = await call.create(input({ auth: { none: true } }));
    expect(made.gateway.auth.kind).toBe('NONE');
  });

  test('a policy that protects other routes too stays', async () => {
    const { gateway } = await call.create(input());
    const group = 'gateway.networking.k8s.io';
    const targetRefs = [name, 'another'].map((target) => ({ group, kind: 'HTTPRoute', name: target }));
    await server.kube.patch(securityPolicies, `${name}-sp`, 'default', {
      metadata: { ownerReferences: null },
      spec: { targetRefs },
    });
    await call.delete({ id: gateway.id });
    expect(route()).toBeUndefined();
    expect(policy()?.spec.targetRefs).toHaveLength(2);
  });
});
