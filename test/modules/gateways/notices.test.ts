import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gatewayClasses, gateways, type SecurityPolicy, securityPolicies } from '../../../src/k8s/resources.ts';
import { calls, type GatewaysServer, startGatewaysServer } from './surface.ts';

let server: GatewaysServer;
let call: ReturnType<typeof calls>;
beforeAll(async () => {
  server = await startGatewaysServer();
  call = calls(server);
  for (const [name, image] of [
    ['shop', 'slipway.dev/demo/echo'],
    ['broken', 'example.org/no-such-image'],
  ]) {
    const input = { name, image, ports: [{ port: 8080 }] };
    await server.data('mutation ($input: RunServiceInput!) { runService(input: $input) { serviceRun { id } } }', {
      input,
    });
  }
  await server.untilRun('shop', ({ status }) => status.replicas.ready === 1);
  await call.createSecret({ basic: { namespace: 'default', name: 'users', users: [{ username: 'maria' }] } });
  await call.createSecret({ apiKey: { namespace: 'default', name: 'keys', clients: ['lab'] } });
  const written = await server.kube.create(gatewayClasses, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GatewayClass',
    metadata: { name: 'eg' },
    spec: { controllerName: 'gateway.envoyproxy.io/gatewayclass-controller' },
  });
  await server.cluster.cache(gatewayClasses).seen(written);
  for (const [name, protocol, port] of [
    ['plain', 'HTTP', 80],
    ['encrypted', 'HTTPS', 443],
    ['guarded', 'HTTPS', 443],
  ] as const) {
    await server.kube.create(gateways, {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name, namespace: 'default' },
      spec: { gatewayClassName: 'eg', listeners: [{ name: 'web', port, protocol }] },
    });
  }
  const guard: SecurityPolicy = {
    apiVersion: 'gateway.envoyproxy.io/v1alpha1',
    kind: 'SecurityPolicy',
    metadata: { name: 'staff-only', namespace: 'default' },
    spec: {
      targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'guarded' }],
      basicAuth: { users: { name: 'users' } },
    },
  };
  await server.cluster.cache(securityPolicies).seen(await server.kube.create(securityPolicies, guard));
});
afterAll(() => server.stop());

const none = { none: true };
const basic = { basic: { secretName: 'users' } };
const apiKey = { apiKey: { secretName: 'keys' } };
const jwt = (more: object = {}) => ({
  jwt: { jwksUri: 'https://login.example.org/certs', issuer: 'https://login.example.org', ...more },
});

/** What would be said to such a gateway, as `CODE field: message`; `warnings` are the messages. */
async function said(more: object, parent = 'encrypted'): Promise<string[]> {
  const { notices, warnings } = await call.create({
    ...{ name: 'gw', backend: { service: 'shop' }, auth: none, dryRun: true },
    ...{ parent: { namespace: 'default', name: parent }, ...more },
  });
  expect(warnings).toEqual(notices.map(({ message }) => message));
  return notices.map(({ code, field, message }) => `${code} ${field}: ${message}`);
}

describe('of the protection', () => {
  test('none is open to everybody', async () => {
    expect(await said({})).toEqual([
      'NO_AUTH auth.none: Everybody who reaches gw.services.localhost may call this service.',
    ]);
  });

  test.each<[string, object]>([
    ['passwords', basic],
    ['API keys', apiKey],
    ['tokens', jwt({ audiences: ['shop'] })],
  ])('%s over plain HTTP can be read on the way, over HTTPS not', async (_, auth) => {
    const clear =
      'CREDENTIALS_IN_CLEAR parent: Credentials travel unencrypted to http://gw.services.localhost/: anybody on the way ' +
      'can read them.';
    expect(await said({ auth }, 'plain')).toContain(clear);
    expect(await said({ auth })).not.toContain(clear);
  });

  test('passwords are hashed weakly', async () => {
    expect(await said({ auth: basic })).toContain(
      'WEAK_HASH auth.basic.secretName: The gateway takes only unsalted SHA-1 hashes: use long random passwords, as ' +
        'Slipway generates them.',
    );
  });

  test.each<[object, boolean]>([
    [{}, true],
    [{ audiences: [] }, true],
    [{ audiences: null }, true],
    [{ audiences: ['shop'] }, false],
  ])('tokens with %j may be for any other service: %s', async (more, unchecked) => {
    const notice =
      'AUDIENCES_UNCHECKED auth.jwt.audiences: Tokens that https://login.example.org made for any other service pass ' +
      'too. Give the audiences of this one.';
    expect((await said({ auth: jwt(more) })).includes(notice)).toBe(unchecked);
  });

  test('a policy of the Gateway applies, or no longer does', async () => {
    expect(await said({}, 'guarded')).toContain(
      'POLICY_INHERITED auth: The policy staff-only of the Gateway still applies to this route.',
    );
    expect(await said({ auth: apiKey }, 'guarded')).toContain(
      'POLICY_REPLACED auth: The policy staff-only of the Gateway no longer applies to this route, as a whole.',
    );
  });
});

test.each([
  ['shop.example.org', true],
  ['shop.services.localhost', false],
])('of the hostname: %s needs a DNS record of its own: %s', async (hostname, needed) => {
  const notice =
    `DNS_NEEDED hostname: ${hostname} is not under services.localhost: clients find it only if its DNS record leads to the ` +
    'Gateway.';
  expect((await said({ hostname })).includes(notice)).toBe(needed);
});

describe('of the path', () => {
  test('a prefix that is not stripped reaches the service', async () => {
    expect(await said({ pathPrefix: '/v1' })).toContain(
      'PREFIX_NOT_STRIPPED rewritePathPrefix: The service gets the path unchanged, with /v1. Give rewritePathPrefix "/" ' +
        'to strip it.',
    );
  });

  test.each([
    ['/', '/x'],
    ['/api', '/api/x'],
  ])('one that becomes %s is shown as the service gets it, and answers are not rewritten', async (rewrite, seen) => {
    expect(await said({ pathPrefix: '/v1', rewritePathPrefix: rewrite })).toContain(
      `ANSWERS_NOT_REWRITTEN rewritePathPrefix: The service gets /v1/x as ${seen}. Links, redirects and cookie paths in its ` +
        'answers are not rewritten, so a web interface may break.',
    );
  });
});

test('a service that is not ready is exposed all the same, and said to be so', async () => {
  await server.untilRun('broken', (run) => run.status.message !== null);
  const notice =
    /^BACKEND_NOT_READY backend\.service: The service has no ready replica: requests get 503 until it has\. ./;
  expect(await said({ backend: { service: 'broken' } })).toContainEqual(expect.stringMatching(notice));
});

test('an update says what holds for the gateway as it will be', async () => {
  const { gateway } = await call.create({ name: 'kept', backend: { service: 'shop' }, auth: none, pathPrefix: '/v1' });
  const { notices } = await call.update({ id: gateway.id, auth: basic, rewritePathPrefix: '/' });
  expect(notices.map(({ code, field }) => `${code} ${field}`)).toEqual([
    'CREDENTIALS_IN_CLEAR parent',
    'WEAK_HASH auth.basic.secretName',
    'ANSWERS_NOT_REWRITTEN rewritePathPrefix',
  ]);
});
