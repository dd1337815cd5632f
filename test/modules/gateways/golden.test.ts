import { expect, test } from 'vitest';
import { calls, documents, service, startGatewaysServer } from './surface.ts';
import { addGateway, middleware } from './traefik-kind.ts';

const jwt = {
  jwksUri: 'https://login.example.org/realms/lab/certs',
  issuer: 'https://login.example.org/realms/lab',
  audiences: ['weather'],
  claimToHeaders: [{ claim: 'preferred_username', header: 'x-user' }],
};
const auths = {
  none: { none: true },
  basic: { basic: { secretName: 'weather-users' } },
  'api-key': { apiKey: { secretName: 'weather-clients' } },
  jwt: { jwt },
} as const;
type Kind = keyof typeof auths;

/** A server whose default Gateway has this controller. */
async function start(controllerName: string) {
  const server = await startGatewaysServer({
    kinds: [middleware],
    config: { gateways: { parent: 'default/edge/https', domain: 'services.example.org' } },
    seed: (kube) => addGateway({ kube }, controllerName),
  });
  await service(server, 'weather-0a1b', { ports: [{ port: 8080 }] });
  const call = calls(server);
  await call.createSecret({ basic: { namespace: 'default', name: 'weather-users', users: [{ username: 'maria' }] } });
  await call.createSecret({ apiKey: { namespace: 'default', name: 'weather-clients', clients: ['lab'] } });
  const input = (kind: Kind) => ({
    ...{ name: 'weather', pathPrefix: '/v1', rewritePathPrefix: '/', dryRun: true },
    backend: { service: 'weather-0a1b' },
    auth: auths[kind],
  });
  return { server, call, input };
}

const implementations: [name: string, controller: string, kinds: Kind[]][] = [
  ['envoy-gateway', 'gateway.envoyproxy.io/gatewayclass-controller', ['none', 'basic', 'api-key', 'jwt']],
  ['traefik', 'traefik.io/gateway-controller', ['none', 'basic']],
];

test.each(implementations)('%s: the objects are those of the golden files', async (name, controller, kinds) => {
  const { server, call, input } = await start(controller);
  await using _ = server;
  for (const kind of kinds) {
    const { manifests } = await call.create(input(kind));
    await expect(manifests).toMatchFileSnapshot(`golden/${name}/${kind}.yaml`);
  }
  for (const kind of (Object.keys(auths) as Kind[]).filter((one) => !kinds.includes(one))) {
    expect(await call.refusals(documents.create, input(kind))).toEqual(['NOT_SUPPORTED auth AUTH_NOT_SUPPORTED']);
  }
});

test('a controller that nobody speaks for gets no protected gateway, and an open one only where that was asked', async () => {
  const { server, call, input } = await start('istio.io/gateway-controller');
  await using _ = server;
  for (const kind of ['basic', 'api-key', 'jwt'] as const) {
    expect(await call.refusals(documents.create, input(kind))).toEqual(['NOT_SUPPORTED auth AUTH_NOT_SUPPORTED']);
  }
  const { gateway } = await call.create({ ...input('none'), dryRun: false });
  const secured = { id: gateway.id, auth: auths.basic };
  expect(await call.refusals(documents.update, secured)).toEqual(['NOT_SUPPORTED auth AUTH_NOT_SUPPORTED']);
});
