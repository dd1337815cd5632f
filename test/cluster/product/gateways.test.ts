import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import {
  type Resource,
  gatewayClasses,
  gateways,
  httpRoutes,
  resourcePath,
  secrets,
  securityPolicies,
} from '../../../src/k8s/resources.ts';
import { calls, documents } from '../../modules/gateways/surface.ts';
import { type ProductCluster, clusters } from './clusters.ts';
import { type Product, startProduct } from './surface.ts';

describe.each(clusters)('gateways on %s', (_, open) => {
  let cluster: ProductCluster;
  let product: Product;
  let namespace: string;
  let call: ReturnType<typeof calls>;

  beforeAll(async () => {
    cluster = await open();
    namespace = await cluster.namespace('gateways');
    await cluster.kube.create(gatewayClasses, {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'GatewayClass',
      metadata: { name: namespace },
      spec: { controllerName: 'gateway.envoyproxy.io/gatewayclass-controller' },
    });
    await cluster.kube.create(gateways, {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'edge', namespace },
      spec: {
        gatewayClassName: namespace,
        listeners: [{ name: 'http', port: 80, protocol: 'HTTP', hostname: `*.${namespace}.example.org` }],
      },
    });
    product = await startProduct({
      kubeconfig: cluster.kubeconfig,
      config: { gateways: { domain: `${namespace}.example.org`, parent: `${namespace}/edge` } },
    });
    call = calls(product);
    const run = 'mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } } }';
    const input = { name: 'shop', namespace, image: 'team/shop:1', ports: [{ port: 80 }], project: 'shop' };
    await product.data(run, { input });
    await product.until(namespace, 'shop', ({ status }) => status.health === 'HEALTHY');
    await call.createSecret({ basic: { namespace, name: 'users', users: [{ username: 'maria' }] } });
    await call.createSecret({ apiKey: { namespace, name: 'keys', clients: ['lab'] } });
  }, 120_000);
  afterAll(async () => {
    await cluster.kube.delete(gatewayClasses, namespace);
    await product.stop();
    await cluster.close();
  });

  const input = (name: string, more: object = {}) => ({
    ...{ name, namespace, backend: { service: 'shop', namespace }, auth: { basic: { secretName: 'users' } } },
    ...more,
  });
  /** The version at which an object came into the world. */
  const born = async (resource: Resource, name: string, version: string): Promise<number> => {
    await using watch = await cluster.api.watch(resourcePath(resource, namespace), { resourceVersion: version });
    const { object } = await watch.until((event) => event.type === 'ADDED' && event.object.metadata.name === name);
    return Number(object.metadata.resourceVersion);
  };

  it('createGateway writes the policy first, then the route, and ties them together', async () => {
    const { resourceVersion } = (await cluster.api.get(resourcePath(httpRoutes, namespace))).list.metadata;
    const { gateway, manifests } = await call.create(input('tied'));
    expect(manifests).toMatch(/kind: SecurityPolicy[\s\S]*---\n[\s\S]*kind: HTTPRoute/);
    expect(gateway).toMatchObject({
      name: 'tied',
      managed: true,
      hostname: `tied.${namespace}.example.org`,
      auth: { kind: 'BASIC', secretName: 'users', policy: { name: 'tied-sp' } },
    });
    const policyBorn = await born(securityPolicies, 'tied-sp', resourceVersion);
    const routeBorn = await born(httpRoutes, 'tied', resourceVersion);
    expect(policyBorn).toBeLessThan(routeBorn);
    const route = await cluster.kube.get(httpRoutes, 'tied', namespace);
    const policy = await cluster.kube.get(securityPolicies, 'tied-sp', namespace);
    expect(policy.metadata.ownerReferences).toMatchObject([{ kind: 'HTTPRoute', uid: route.metadata.uid }]);
    expect(policy.metadata.annotations?.['slipway.dev/pending']).toBeUndefined();
    expect(policy.spec.basicAuth?.users).toMatchObject({ name: 'users' });
  });

  it('a dry run shows the very bytes that are then there', async () => {
    const kinds = {
      none: { none: true },
      basic: { basic: { secretName: 'users' } },
      keys: { apiKey: { secretName: 'keys' } },
      tokens: { jwt: { jwksUri: 'https://login.example.org/certs', issuer: 'https://login.example.org' } },
    };
    for (const [kind, auth] of Object.entries(kinds)) {
      const wanted = input(`tried-${kind}`, { auth, pathPrefix: '/v1', rewritePathPrefix: '/' });
      const tried = await call.create({ ...wanted, dryRun: true });
      const { gateway, manifests } = await call.create(wanted);
      expect(tried.manifests).toBe(manifests);
      const shown = await product.data('query ($id: ID!) { gateway(by: { id: $id }) { manifests } }', {
        id: gateway.id,
      });
      expect(shown).toEqual({ gateway: { manifests } });
      const change = { id: gateway.id, pathPrefix: '/v2', auth: kind === 'basic' ? kinds.keys : kinds.basic };
      const preview = await call.update({ ...change, dryRun: true });
      expect(preview.manifests).toBe((await call.update(change)).manifests);
    }
  });

  it('is UNCLAIMED for as long as no controller says a word', async () => {
    await call.create(input('alone'));
    // A controller has some seconds to say it. For this server they are over.
    const clock = { ...systemClock, now: () => Date.now() + 60_000 };
    const later = await startProduct({ kubeconfig: cluster.kubeconfig, clock });
    const { status } = await later.untilGateway(namespace, 'alone', () => true);
    await later.stop();
    expect(status).toMatchObject({
      phase: 'UNCLAIMED',
      message: `No controller has taken this route for ${namespace}/edge. Check that its GatewayClass has a controller that runs.`,
    });
  });

  it('what the conditions of a controller say is told', async () => {
    await call.create(input('claimed'));
    const condition = (type: string, status: 'True' | 'False', reason: string) => ({
      ...{ type, status, reason, message: `because ${reason}`, observedGeneration: 1 },
      lastTransitionTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    });
    const ancestor = (conditions: object[]) => ({
      controllerName: 'gateway.envoyproxy.io/gatewayclass-controller',
      conditions,
    });
    const edge = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge', namespace };
    const write = (resource: Resource, name: string, status: object) =>
      cluster.kube.patch(resource, name, namespace, { status }, { subresource: 'status' });
    await write(gateways, 'edge', {
      conditions: [condition('Accepted', 'True', 'Accepted'), condition('Programmed', 'True', 'Programmed')],
    });
    const conditions = [condition('Accepted', 'True', 'Accepted'), condition('ResolvedRefs', 'True', 'ResolvedRefs')];
    await write(httpRoutes, 'claimed', {
      parents: [{ parentRef: edge, ...ancestor(conditions) }],
    });
    await write(securityPolicies, 'claimed-sp', {
      ancestors: [{ ancestorRef: edge, ...ancestor([condition('Accepted', 'True', 'Accepted')]) }],
    });
    await product.untilGateway(namespace, 'claimed', ({ status }) => status.phase === 'READY');
    const refused = [condition('Accepted', 'False', 'NotAllowedByListeners'), conditions[1] ?? {}];
    await write(httpRoutes, 'claimed', {
      parents: [{ parentRef: edge, ...ancestor(refused) }],
    });
    const view = await product.untilGateway(namespace, 'claimed', ({ status }) => status.phase === 'REJECTED');
    expect(view.status.conditions.map(({ reason }) => reason)).toContain('NotAllowedByListeners');
  });

  it('takes another protection, and goes with its policy', async () => {
    const { gateway } = await call.create(input('changed'));
    const { id, resourceVersion } = gateway;
    const changed = await call.update({ id, resourceVersion, auth: { apiKey: { secretName: 'keys' } } });
    expect(changed.gateway.auth).toMatchObject({ kind: 'API_KEY', secretName: 'keys' });
    const policy = await cluster.kube.get(securityPolicies, 'changed-sp', namespace);
    expect([policy.spec.basicAuth, policy.spec.apiKeyAuth]).toEqual([undefined, expect.anything()]);
    expect(await call.refusals(documents.update, { id, resourceVersion, auth: { none: true } })).toEqual([
      expect.stringMatching(/^CONFLICT resourceVersion/),
    ]);
    await call.delete({ id });
    await cluster.api.until(resourcePath(httpRoutes, namespace, 'changed'), 'gone');
    await cluster.api.until(resourcePath(securityPolicies, namespace, 'changed-sp'), 'gone');
  });

  it('a taken name or address is CONFLICT', async () => {
    await call.create(input('taken'));
    expect(await call.refusals(documents.create, input('taken', { hostname: `b.${namespace}.example.org` }))).toEqual([
      expect.stringMatching(/^CONFLICT name/),
    ]);
    expect(
      await call.refusals(documents.create, input('other', { hostname: `taken.${namespace}.example.org` })),
    ).toEqual([expect.stringMatching(/^CONFLICT .* PATH_TAKEN$/)]);
  });

  it('secrets hold what was generated, and say only names', async () => {
    const made = await call.createSecret({ apiKey: { namespace, name: 'more', clients: ['a', 'b'] } });
    expect(made.secret).toMatchObject({ kind: 'API_KEY', principals: ['a', 'b'], problem: null });
    const { data = {} } = await cluster.kube.get(secrets, 'more', namespace);
    const values = Object.entries(data).map(([principal, value]) => ({
      principal,
      value: Buffer.from(value, 'base64').toString(),
    }));
    expect(values).toEqual(made.generated);
    const listed = await product.data(
      'query ($namespace: String!) { gatewaySecrets(namespace: $namespace, kind: API_KEY) { name principals } }',
      { namespace },
    );
    expect(listed).toEqual({
      gatewaySecrets: [
        { name: 'keys', principals: ['lab'] },
        { name: 'more', principals: ['a', 'b'] },
      ],
    });
    const rotated = await call.rotateSecret({ namespace, name: 'more', principals: ['a'] });
    expect(rotated.generated).toEqual([
      { principal: 'a', value: expect.not.stringContaining(made.generated[0]?.value ?? '') },
    ]);
    expect((await call.deleteSecret({ namespace, name: 'more' })).deleted).toBe(true);
  });
});
