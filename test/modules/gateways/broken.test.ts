import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { httpRoutes, secrets, type SecurityPolicy, securityPolicies } from '../../../src/k8s/resources.ts';
import { calls, echo, type GatewaysServer, ready, startGatewaysServer } from './surface.ts';

let server: GatewaysServer;
let call: ReturnType<typeof calls>;
beforeAll(async () => {
  server = await startGatewaysServer();
  call = calls(server);
  await echo(server);
});
afterAll(() => server.stop());

let count = 0;
let name = '';
beforeEach(() => {
  name = `broken-${++count}`;
});

const hash = `{SHA}${'A'.repeat(27)}=`;
const kinds = {
  basic: () => ({ basic: { secretName: name } }),
  apiKey: () => ({ apiKey: { secretName: name } }),
  jwt: () => ({ jwt: { jwksUri: 'https://login.example.org/certs', issuer: 'https://login.example.org' } }),
};
type Kind = keyof typeof kinds;

/** A gateway with this protection that works, with a Secret of its own. */
async function standing(kind: Kind): Promise<void> {
  const place = { namespace: 'default', name };
  if (kind === 'basic') await call.createSecret({ basic: { ...place, users: [{ username: 'maria' }] } });
  if (kind === 'apiKey') await call.createSecret({ apiKey: { ...place, clients: ['lab'] } });
  await call.create({ name, backend: { service: 'echo' }, auth: kinds[kind]() });
  await server.until(name, ready);
  expect(await status()).toBe(401);
}

const status = async (): Promise<number> => (await server.ask(`${name}.services.localhost`, '/')).status;
const setSecret = (data: Record<string, string | null>) => () =>
  server.kube.patch(secrets, name, 'default', {
    data: Object.fromEntries(
      Object.entries(data).map(([key, text]) => [key, text === null ? null : Buffer.from(text).toString('base64')]),
    ),
  });
const setPolicy = (spec: object) => () => server.kube.patch(securityPolicies, `${name}-sp`, 'default', { spec });
const target = (route: string) => [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: route }];

/** Ours comes back from a backup, after one of somebody else: of two the older one is in force. */
const olderPolicy = async () => {
  const { metadata, ...ours } = await server.kube.get(securityPolicies, `${name}-sp`, 'default');
  const theirs: SecurityPolicy = {
    apiVersion: 'gateway.envoyproxy.io/v1alpha1',
    kind: 'SecurityPolicy',
    metadata: { name: `a-${name}`, namespace: 'default' },
    spec: { targetRefs: target(name), basicAuth: { users: { name } } },
  };
  await server.kube.create(securityPolicies, theirs);
  await server.kube.delete(securityPolicies, metadata.name, 'default');
  const { labels = {}, annotations = {} } = metadata;
  const back = { name: metadata.name, namespace: 'default', labels, annotations };
  await server.kube.create(securityPolicies, { ...ours, metadata: back });
};

test.each<[string, Kind, () => Promise<unknown>, string, number, RegExp]>([
  [
    'its Secret is deleted',
    'basic',
    () => server.kube.delete(secrets, name, 'default'),
    'REJECTED',
    500,
    /Secret broken/,
  ],
  [
    'the password file gets another name',
    'basic',
    setSecret({ '.htpasswd': null, auth: `a:${hash}` }),
    'REJECTED',
    500,
    /htpasswd/,
  ],
  [
    'a password is bcrypt',
    'basic',
    setSecret({ '.htpasswd': 'maria:$2y$05$abcdefghijklmnopqrstuv' }),
    'REJECTED',
    500,
    /\{SHA\}/,
  ],
  ['the password file is empty', 'basic', setSecret({ '.htpasswd': '' }), 'REJECTED', 500, /non-empty/],
  ['the password file is no such', 'basic', setSecret({ '.htpasswd': 'maria' }), 'REJECTED', 500, /username:password/],
  ['a hash is too short', 'basic', setSecret({ '.htpasswd': 'maria:{SHA}QUJD' }), 'REJECTED', 500, /20 bytes/],
  [
    'it reads a Secret of another namespace',
    'basic',
    () => setPolicy({ basicAuth: { users: { name, namespace: 'slipway-system' } } })(),
    'REJECTED',
    500,
    /ReferenceGrant/,
  ],
  [
    'two clients have the same key',
    'apiKey',
    setSecret({ one: 'the-same-key', two: 'the-same-key' }),
    'REJECTED',
    500,
    /duplicated/,
  ],
  [
    'its Secret of keys is deleted',
    'apiKey',
    () => server.kube.delete(secrets, name, 'default'),
    'REJECTED',
    500,
    /Secret broken/,
  ],
  [
    'its keys are garbage',
    'jwt',
    setPolicy({ jwt: { providers: [{ name: 'x', localJWKS: { type: 'Inline', inline: '{"keys":[]}' } }] } }),
    'REJECTED',
    500,
    /JWKS/,
  ],
  [
    'its service is deleted',
    'basic',
    () =>
      server.kube.patch(httpRoutes, name, 'default', [
        { op: 'replace', path: '/spec/rules/0/backendRefs/0/name', value: 'gone' },
      ]),
    'REJECTED',
    401,
    /gone:8080 does not exist/,
  ],
  [
    'its policy is deleted',
    'basic',
    () => server.kube.delete(securityPolicies, `${name}-sp`, 'default'),
    'UNPROTECTED',
    200,
    /is missing/,
  ],
  [
    'its policy is attached to something else',
    'apiKey',
    setPolicy({ targetRefs: target('other') }),
    'UNPROTECTED',
    200,
    /attached to something else/,
  ],
  ['a token is optional', 'jwt', setPolicy({ jwt: { optional: true } }), 'UNPROTECTED', 200, /asks nobody/],
  ['an older policy has the route', 'basic', olderPolicy, 'UNPROTECTED', 401, /so broken-\d+-sp has no effect/],
])('when %s (%s)', async (_, kind, breakIt, phase, answer, message) => {
  await standing(kind);
  await breakIt();
  const view = await server.until(name, (one) => one.status.phase === phase);
  expect(view.status.message).toMatch(message);
  expect(await status()).toBe(answer);
});
