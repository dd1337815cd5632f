import { once } from 'node:events';
import { type Server, createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Resource, deployments, services } from '../../../src/k8s/resources.ts';
import { auth } from '../../../src/modules/auth/index.ts';
import { type TestClock, createTestClock } from '../../faults/test-clock.ts';
import { createAuthority } from '../../k8s/certificates.ts';
import { type SigningKey, createKey } from '../../modules/auth/issuer.ts';
import { type Socket, openSocket } from '../../modules/auth/surface.ts';
import { errorsOf } from '../../modules/runs/surface.ts';
import { type ProductCluster, openReal } from './clusters.ts';
import { serviceFor, workload } from './objects.ts';
import { type Product, startProduct } from './surface.ts';

const audience = 'slipway';
const rbac = 'rbac.authorization.k8s.io';
const roleBindings: Resource = {
  ...{ group: rbac, version: 'v1', kind: 'RoleBinding', plural: 'rolebindings', namespaced: true },
};

/** An identity provider with a certificate that this process trusts. */
async function startIssuer(): Promise<{ url: string; key: SigningKey; server: Server }> {
  const authority = createAuthority();
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), authority.cert]);
  const key = await createKey('ES256');
  const server = createServer(authority.forServer(), (request, response) => {
    const document = request.url === '/keys' ? { keys: [key.jwk] } : { issuer: url(), jwks_uri: `${url()}/keys` };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = () => `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: url(), key, server };
}

const query = '{ serviceRuns { totalCount nodes { name namespace } } }';
const run = 'mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } } }';

describe("callers by the cluster's own RBAC", () => {
  let cluster: ProductCluster;
  let product: Product;
  let issuer: Awaited<ReturnType<typeof startIssuer>>;
  let clock: TestClock;
  let [ours, theirs] = ['', ''];

  const tokenOf = (name: string) =>
    new SignJWT({ scope: 'api' })
      .setProtectedHeader({ alg: 'ES256', kid: issuer.key.kid, typ: 'at+jwt' })
      .setIssuer(issuer.url)
      .setAudience(audience)
      .setSubject(name)
      .setIssuedAt(Math.floor(clock.now() / 1000))
      .setExpirationTime(Math.floor(clock.now() / 1000) + 3600)
      .sign(issuer.key.privateKey);
  const bind = async (namespace: string, user: string, role: string, kind = 'ClusterRole') => {
    const binding = {
      ...{ apiVersion: `${rbac}/v1`, kind: 'RoleBinding', metadata: { name: `${user}-${role}`, namespace } },
      roleRef: { apiGroup: rbac, kind, name: role },
      subjects: [{ kind: 'User', name: `oidc:${user}`, apiGroup: rbac }],
    };
    await cluster.kube.create(roleBindings, binding);
    await decided(namespace, user, true);
  };
  /** The authorizer of the API server hears of a binding a moment later. */
  const decided = async (namespace: string, user: string, allowed: boolean) => {
    const spec = {
      user: `oidc:${user}`,
      resourceAttributes: { namespace, verb: 'list', group: 'apps', resource: 'deployments' },
    };
    const review = async () => {
      const { object } = await cluster.api.post('/apis/authorization.k8s.io/v1/subjectaccessreviews', { spec });
      return (object['status'] as { allowed: boolean }).allowed;
    };
    while ((await review()) !== allowed);
  };
  const make = async (namespace: string, name: string) => {
    const labels = { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': name };
    await cluster.kube.create(deployments, workload(name, namespace, { labels, replicas: 0 }));
    await cluster.kube.create(services, serviceFor(name, namespace, labels));
    await product.until(namespace, name, ({ objects }) => objects.service !== null && objects.workload !== null);
  };

  beforeAll(async () => {
    cluster = await openReal();
    issuer = await startIssuer();
    clock = createTestClock(Date.now());
    ours = await cluster.namespace('ours');
    theirs = await cluster.namespace('theirs');
    product = await startProduct({
      kubeconfig: cluster.kubeconfig,
      auth,
      clock,
      config: { auth: { issuer: issuer.url, audience: [audience] } },
    });
    await make(ours, 'mine');
    await make(theirs, 'other');
    await bind(ours, 'vera', 'view');
    await bind(ours, 'edith', 'edit');
  });
  afterAll(async () => {
    await product.stop();
    issuer.server.closeAllConnections();
    issuer.server.close();
    await cluster.close();
  });

  it('nobody gets in without a token, and without rights sees nothing', async () => {
    expect(errorsOf(await product.query(query))).toEqual(['UNAUTHENTICATED']);
    expect(await product.data(query, {}, await tokenOf('nobody'))).toEqual({
      serviceRuns: { totalCount: 0, nodes: [] },
    });
  });

  it('who may view one namespace sees its runs alone, and changes nothing', async () => {
    const token = await tokenOf('vera');
    expect(await product.data(query, {}, token)).toEqual({
      serviceRuns: { totalCount: 1, nodes: [{ name: 'mine', namespace: ours }] },
    });
    const by = '{ serviceRun(by: { runId: "mine" }) { id actions } }';
    const { serviceRun } = await product.data<{ serviceRun: { id: string; actions: string[] } }>(by, {}, token);
    expect(serviceRun.actions).toEqual([]);
    const scale = 'mutation ($input: ScaleServiceRunInput!) { scaleServiceRun(input: $input) { manifests } }';
    const input = { id: serviceRun.id, replicas: 2 };
    expect(errorsOf(await product.query(scale, { input }, token))[0]).toMatch(/^FORBIDDEN/);
    expect((await cluster.kube.get(deployments, 'mine', ours)).spec.replicas).toBe(0);
  });

  it('writes go out as the caller: where the cluster refuses them nothing is written', async () => {
    const token = await tokenOf('edith');
    const input = (namespace: string) => ({ name: 'new', namespace, image: 'a:1', ports: [{ port: 80 }], replicas: 0 });
    await product.data(run, { input: input(ours) }, token);
    const made = await cluster.kube.get(deployments, 'new', ours);
    expect(made.metadata.annotations?.['slipway.dev/user']).toBe('oidc:edith');
    // A namespace that one may not see is one that is not there.
    expect(errorsOf(await product.query(run, { input: input(theirs) }, token))).toEqual(['NOT_FOUND namespace']);
    await expect(cluster.kube.get(deployments, 'new', theirs)).rejects.toMatchObject({ status: 404 });
    const another = { ...input(ours), name: 'another' };
    expect(errorsOf(await product.query(run, { input: another }, await tokenOf('vera')))[0]).toMatch(/^FORBIDDEN/);
    await expect(cluster.kube.get(deployments, 'another', ours)).rejects.toMatchObject({ status: 404 });
  });

  it('a delete that is repeated with its key is told to whoever did it, as long as they may do it', async () => {
    const remove = 'mutation ($input: ServiceRunActionInput!) { deleteServiceRun(input: $input) { id manifests } }';
    await bind(theirs, 'dora', 'edit');
    await make(theirs, 'doomed');
    const token = await tokenOf('dora');
    const by = '{ serviceRun(by: { runId: "doomed" }) { id } }';
    const { serviceRun } = await product.data<{ serviceRun: { id: string } }>(by, {}, token);
    const input = { id: serviceRun.id, idempotencyKey: 'delete-the-doomed' };
    const first = await product.query(remove, { input }, token);
    expect(first.data?.['deleteServiceRun']).toMatchObject({ id: serviceRun.id });
    expect(await product.query(remove, { input }, token)).toEqual(first);
    for (const other of ['edith', 'vera', 'nobody'])
      expect(errorsOf(await product.query(remove, { input }, await tokenOf(other)))).toEqual(['NOT_FOUND id']);
    await cluster.kube.delete(roleBindings, 'dora-edit', theirs);
    for (let second = 0; second < 35; second++) {
      clock.advance(1000);
      await product.query(query);
    }
    expect(errorsOf(await product.query(remove, { input }, token))).toEqual(['NOT_FOUND id']);
  });

  it('where the key can not be remembered nothing is deleted', async () => {
    const remove = 'mutation ($input: ServiceRunActionInput!) { deleteServiceRun(input: $input) { id } }';
    const rule = (apiGroup: string, resource: string, ...verbs: string[]) => ({
      ...{ apiGroups: [apiGroup], resources: [resource], verbs },
    });
    const role = {
      ...{ apiVersion: `${rbac}/v1`, kind: 'Role', metadata: { name: 'deleter', namespace: ours } },
      rules: [rule('apps', 'deployments', 'get', 'list', 'delete'), rule('', 'services', 'get', 'delete')],
    };
    await cluster.kube.create({ ...roleBindings, kind: 'Role', plural: 'roles' }, role);
    await bind(ours, 'otto', 'deleter', 'Role');
    await make(ours, 'kept');
    const token = await tokenOf('otto');
    const by = '{ serviceRun(by: { runId: "kept" }) { id } }';
    const { serviceRun } = await product.data<{ serviceRun: { id: string } }>(by, {}, token);
    const input = { id: serviceRun.id, idempotencyKey: 'delete-the-kept' };
    const answer = await product.query(remove, { input }, token);
    expect(errorsOf(answer)).toEqual(['FORBIDDEN idempotencyKey']);
    expect(answer.errors?.[0]?.message).toContain('nothing was deleted');
    expect((await cluster.kube.get(deployments, 'kept', ours)).metadata.deletionTimestamp).toBeUndefined();
    await product.data(remove, { input: { id: serviceRun.id } }, token);
  });

  it('a subscription ends within 35 s of the RoleBinding', async () => {
    await bind(theirs, 'sue', 'view');
    const socket: Socket = await openSocket(product.url, { authorization: `Bearer ${await tokenOf('sue')}` });
    expect((await socket.next()).type).toBe('connection_ack');
    const subscription = 'subscription { serviceHealthChanged { type serviceRun { name } } }';
    socket.send({ id: '1', type: 'subscribe', payload: { query: subscription } });
    let told = '';
    while (!told.includes('SYNCED')) told += JSON.stringify(await socket.next());
    expect(told).toContain('other');
    expect(told).not.toContain('mine');
    await cluster.kube.delete(roleBindings, 'sue-view', theirs);
    await decided(theirs, 'sue', false);
    let over = false;
    void socket.closed.then(() => (over = true));
    for (let second = 0; second < 35 && !over; second++) {
      clock.advance(1000);
      // Each second the server asks the cluster anew; this has an answer of its own to wait for.
      await product.query(query);
    }
    // No more time passes: what is decided by now is on its way.
    expect(await socket.closed).toBe(4403);
  });
});
