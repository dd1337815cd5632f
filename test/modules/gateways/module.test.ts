import { expect, test } from 'vitest';
import { BootError } from '../../../src/boot-error.ts';
import { gatewayClasses, gateways as gatewayResource } from '../../../src/k8s/resources.ts';
import { defineModule } from '../../../src/module.ts';
import { envoyGateway } from '../../../src/modules/gateways/envoy-gateway.ts';
import { gateways } from '../../../src/modules/gateways/index.ts';
import { PolicyBackend } from '../../../src/modules/gateways/service.ts';
import { runs } from '../../../src/modules/runs/index.ts';
import { startTestServer } from '../../../src/testing.ts';
import { systemClock } from '../../../src/clock.ts';
import { startReplica } from './failures/world.ts';
import { calls, documents, echo, errorsOf, namespace, rights, service, startGatewaysServer } from './surface.ts';

const controllerName = 'example.org/controller';
/** What a third party writes for its gateway: here one that takes Envoy Gateway's objects, but only API keys. */
const acme = defineModule({
  name: '@acme/gateway',
  provides: { backends: PolicyBackend },
  start: () => ({
    backends: [{ ...envoyGateway, name: 'acme', controllers: [controllerName], kinds: ['API_KEY' as const] }],
  }),
});

test("a third party's back end enforces what it can, and nothing is left open for the rest", async () => {
  await using server = await startTestServer({
    modules: [runs, acme, gateways],
    seed: async (kube) => {
      await service({ kube }, 'shop');
      await namespace({ kube }, 'infra');
      await kube.create(gatewayClasses, {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'GatewayClass',
        metadata: { name: 'acme' },
        spec: { controllerName },
      });
      await kube.create(gatewayResource, {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'Gateway',
        metadata: { name: 'edge', namespace: 'infra' },
        spec: {
          gatewayClassName: 'acme',
          listeners: [{ name: 'https', port: 443, protocol: 'HTTPS', allowedRoutes: { namespaces: { from: 'All' } } }],
        },
      });
    },
  });
  await server.cluster.synced();
  const call = calls(server);
  await call.createSecret({ apiKey: { namespace: 'default', name: 'keys', clients: ['lab'] } });
  await call.createSecret({ basic: { namespace: 'default', name: 'users', users: [{ username: 'maria' }] } });
  const input = { name: 'shop', backend: { service: 'shop' }, parent: { namespace: 'infra', name: 'edge' } };
  expect(await call.refusals(documents.create, { ...input, auth: { basic: { secretName: 'users' } } })).toEqual([
    'NOT_SUPPORTED auth AUTH_NOT_SUPPORTED',
  ]);
  const { gateway, notices } = await call.create({ ...input, auth: { apiKey: { secretName: 'keys' } } });
  expect(gateway).toMatchObject({
    auth: { kind: 'API_KEY', secretName: 'keys' },
    url: 'https://shop.services.localhost/',
    // Nobody serves that Gateway here.
    status: { phase: 'PROGRESSING' },
  });
  expect(notices.map(({ code }) => code)).not.toContain('CREDENTIALS_IN_CLEAR');
  const { gatewayParents } = await server.data<{ gatewayParents: object[] }>('{ gatewayParents { name authKinds } }');
  expect(gatewayParents).toContainEqual({ name: 'edge', authKinds: ['NONE', 'API_KEY'] });
});

test('a policy back end that nobody provides is a boot error that names the others', async () => {
  const starting = startTestServer({ modules: [runs, gateways], config: { gateways: { policy: 'nginx' } } });
  await expect(starting).rejects.toThrow(BootError);
  await expect(
    startTestServer({ modules: [runs, gateways], config: { gateways: { policy: 'nginx' } } }),
  ).rejects.toThrow(/gateways\.policy: .*"nginx".* auto or one of: envoy-gateway/);
});

test.each([
  [{ parent: 'local' }, /gateways\.parent: must be namespace\/name/],
  [{ domain: '*.example.org' }, /gateways\.domain: must be a domain name/],
  [{ domains: 'x' }, /domains/],
])('the configuration %j is refused at boot', async (config, message) => {
  await expect(startTestServer({ modules: [runs, gateways], config: { gateways: config } })).rejects.toThrow(message);
});

test('the configured parent and domain are the defaults', async () => {
  await using server = await startGatewaysServer({
    config: { gateways: { domain: 'lab.localhost', parent: 'slipway-system/local/http' } },
    seed: (kube) => service({ kube }, 'shop'),
  });
  const { manifests } = await calls(server).create({
    ...{ name: 'shop', backend: { service: 'shop' }, auth: { none: true }, dryRun: true },
  });
  expect(manifests).toContain('shop.lab.localhost');
  expect(manifests).toContain('sectionName: http');
});

test('where no Gateway is the default one, it has to be named', async () => {
  await using server = await startGatewaysServer({
    kubeconfig: ({ kubeconfig }) => Promise.resolve(kubeconfig),
    as: {},
    seed: (kube) => service({ kube }, 'shop'),
  });
  const call = calls(server);
  const input = { name: 'shop', backend: { service: 'shop' }, auth: { none: true } };
  expect(await call.refusals(documents.create, input)).toEqual(['INVALID parent PARENT_REQUIRED']);
  const parent = { namespace: 'slipway-system', name: 'local' };
  expect((await call.create({ ...input, parent, dryRun: true })).gateway.name).toBe('shop');
});

test('a server that looks after some namespaces writes to those alone', async () => {
  await using home = await startGatewaysServer({
    seed: async (kube) => {
      await namespace({ kube }, 'lab');
      for (const place of ['lab', 'default']) await service({ kube }, 'shop', { namespace: place });
    },
  });
  const limited = await startReplica(home, systemClock, home.kubernetesUrl, ['lab', 'slipway-system']);
  const create = (namespace: string) =>
    limited.query(documents.create, {
      input: { name: 'shop', backend: { service: 'shop', namespace }, auth: { none: true } },
    });
  expect(errorsOf(await create('lab'))).toEqual([]);
  expect(errorsOf(await create('default'))).toEqual(['INVALID backend.namespace NAMESPACE_NOT_WATCHED']);
  const input = { apiKey: { namespace: 'default', name: 'keys', clients: ['lab'] } };
  expect(errorsOf(await limited.query(documents.createSecret, { input }))).toEqual([
    'INVALID apiKey.namespace NAMESPACE_NOT_WATCHED',
  ]);
  await limited.stop();
});

test('without gateways the schema has no trace of them; with them a run may be exposed by who may', async () => {
  const actions = '{ serviceRuns { nodes { actions } } }';
  await using server = await startGatewaysServer({ as: { access: rights({ see: ['default'], act: ['default'] }) } });
  await echo(server);
  const { serviceRuns } = await server.data<{ serviceRuns: { nodes: { actions: string[] }[] } }>(actions);
  expect(serviceRuns.nodes[0]?.actions).toContain('SCALE');
  expect(serviceRuns.nodes[0]?.actions).not.toContain('EXPOSE');
  await using bare = await startTestServer({ modules: [runs] });
  const { __schema } = await bare.data<{ __schema: { types: { name: string }[] } }>('{ __schema { types { name } } }');
  expect(__schema.types.map(({ name }) => name).filter((name) => /Gateway/.test(name))).toEqual([]);
});
