import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type HTTPRoute,
  gatewayClasses,
  gateways,
  type GatewayListener,
  httpRoutes,
  secrets,
  securityPolicies,
} from '../../../src/k8s/resources.ts';
import {
  calls,
  documents,
  errorsOf,
  type GatewaysServer,
  namespace,
  ready,
  rights,
  service,
  startGatewaysServer,
} from './surface.ts';

let server: GatewaysServer;
let call: ReturnType<typeof calls>;
beforeAll(async () => {
  server = await startGatewaysServer({ config: { gateways: { allowedDomains: ['localhost'] } } });
  call = calls(server);
  await namespace(server, 'lab');
  await service(server, 'shop');
  await service(server, 'bank', { labels: { 'slipway.dev/project': 'bank' } });
  await service(server, 'lab-shop', { namespace: 'lab' });
  await service(server, 'two', {
    ports: [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'admin', port: 81 },
    ],
  });
  await service(server, 'dns', { ports: [{ port: 53, protocol: 'UDP' }] });
  await service(server, 'outside', { type: 'ExternalName', externalName: 'example.org' });
  await secret('empty', {});
  await secret('plain', { '.htpasswd': 'maria:secret\n' });
  await secret('misnamed', { auth: 'maria:{SHA}x' });
  await secret('blank-key', { lab: '' });
  await server.kube.create(secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'typed', namespace: 'default' },
    type: 'kubernetes.io/basic-auth',
    stringData: { username: 'maria', password: 'harbour-lantern-7-otter-quay' },
  });
});
afterAll(() => server.stop());

const secret = (name: string, stringData: Record<string, string>) =>
  server.kube.create(secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'default' },
    stringData,
  });
const input = (more: object = {}) => ({ name: 'gw', backend: { service: 'shop' }, auth: { none: true }, ...more });
const jwt = (more: object) => ({
  auth: { jwt: { jwksUri: 'https://login.example.org/certs', issuer: 'https://x.org', ...more } },
});

/** Nothing was written, whatever was refused. */
async function untouched(): Promise<void> {
  for (const resource of [httpRoutes, securityPolicies]) {
    expect((await server.kube.list<(typeof resource)['type'] & object>(resource as never)).items).toEqual([]);
  }
}

describe('create refuses', () => {
  afterAll(untouched);

  test.each<[object, ...string[]]>([
    [{ name: 'Gw' }, 'INVALID name NAME_INVALID'],
    [{ name: 'a.b' }, 'INVALID name NAME_INVALID'],
    [{ name: 'a'.repeat(64) }, 'INVALID name NAME_INVALID'],
    [{ namespace: 'lab', backend: { service: 'shop', namespace: 'default' } }, 'INVALID namespace CROSS_NAMESPACE'],
    [{ namespace: 'La b' }, 'INVALID namespace NAME_INVALID'],
    [{ hostname: '*.services.localhost' }, 'INVALID hostname HOSTNAME_INVALID'],
    [{ hostname: 'services.localhost' }, 'INVALID hostname HOSTNAME_APEX'],
    [{ hostname: '' }, 'INVALID hostname HOSTNAME_INVALID'],
    [{ hostname: 'shop.example.org' }, 'INVALID hostname HOSTNAME_NOT_ALLOWED'],
    [{ pathPrefix: '/a/../b' }, 'INVALID pathPrefix PATH_INVALID'],
    [{ pathPrefix: '/a', rewritePathPrefix: 'b' }, 'INVALID rewritePathPrefix PATH_INVALID'],
    [{ rewritePathPrefix: '/b' }, 'INVALID rewritePathPrefix ROOT_REWRITE'],
    [{ auth: { none: false } }, 'INVALID auth.none AUTH_REQUIRED'],
    [{ auth: { basic: { secretName: 'a b' } } }, 'INVALID auth.basic.secretName SECRET_NAME_INVALID'],
    [{ auth: { apiKey: { secretName: 'x', headerName: 'Host' } } }, 'INVALID auth.apiKey.headerName HEADER_INVALID'],
    [jwt({ jwksUri: 'http://login.example.org/certs' }), 'INVALID auth.jwt.jwksUri JWKS_NOT_HTTPS'],
    [jwt({ issuer: '' }), 'INVALID auth.jwt.issuer ISSUER_INVALID'],
    [jwt({ audiences: [''] }), 'INVALID auth.jwt.audiences AUDIENCE_INVALID'],
    [
      jwt({ claimToHeaders: [{ claim: 'sub', header: 'Authorization' }] }),
      'INVALID auth.jwt.claimToHeaders.0.header HEADER_NOT_ALLOWED',
    ],
    [{ backend: { service: 'none' } }, 'NOT_FOUND backend.service SERVICE_NOT_FOUND'],
    [{ backend: { service: 'lab-shop' } }, 'NOT_FOUND backend.service SERVICE_NOT_FOUND'],
    [{ backend: { service: '../secrets/plain' } }, 'NOT_FOUND backend.service SERVICE_NOT_FOUND'],
    [{ backend: { service: 'outside' } }, 'INVALID backend.service EXTERNAL_NAME'],
    [{ backend: { service: 'dns' } }, 'INVALID backend.service NO_PORT'],
    [{ backend: { service: 'two' } }, 'INVALID backend.port PORT_REQUIRED'],
    [{ backend: { service: 'two', port: 8080 } }, 'INVALID backend.port PORT_NOT_FOUND'],
    [{ parent: { namespace: 'slipway-system', name: 'none' } }, 'INVALID parent PARENT_NOT_FOUND'],
    [
      { parent: { namespace: 'slipway-system', name: 'local', sectionName: 'https' } },
      'INVALID parent.sectionName LISTENER_NOT_FOUND',
    ],
    [{ auth: { basic: { secretName: 'none' } } }, 'INVALID auth.basic.secretName SECRET_NOT_FOUND'],
    [{ auth: { basic: { secretName: 'empty' } } }, 'INVALID auth.basic.secretName SECRET_KEY_MISSING'],
    [{ auth: { basic: { secretName: 'plain' } } }, 'INVALID auth.basic.secretName SECRET_NOT_SHA'],
    [{ auth: { basic: { secretName: 'misnamed' } } }, 'INVALID auth.basic.secretName SECRET_KEY_MISSING'],
    [{ auth: { basic: { secretName: 'typed' } } }, 'INVALID auth.basic.secretName SECRET_KEY_MISSING'],
    [{ auth: { apiKey: { secretName: 'empty' } } }, 'INVALID auth.apiKey.secretName SECRET_EMPTY'],
    [{ auth: { apiKey: { secretName: 'blank-key' } } }, 'INVALID auth.apiKey.secretName SECRET_MALFORMED'],
    [{ auth: { apiKey: { secretName: 'plain' } } }, 'INVALID auth.apiKey.secretName SECRET_MIXED'],
    [{ auth: { apiKey: { secretName: 'typed' } } }, 'INVALID auth.apiKey.secretName SECRET_WRONG_TYPE'],
    [
      { name: 'A', hostname: '*', pathPrefix: 'x', auth: { none: false }, idempotencyKey: 'short' },
      'INVALID name NAME_INVALID',
      'INVALID hostname HOSTNAME_INVALID',
      'INVALID pathPrefix PATH_INVALID',
      'INVALID auth.none AUTH_REQUIRED',
      'INVALID idempotencyKey KEY_INVALID',
    ],
    [
      { backend: { service: 'none' }, parent: { namespace: 'x', name: 'y' } },
      'NOT_FOUND backend.service SERVICE_NOT_FOUND',
      'INVALID parent PARENT_NOT_FOUND',
    ],
  ])('%j', async (more, ...refusals) => {
    expect(await call.refusals(documents.create, input(more))).toEqual(refusals);
  });

  test.each([
    ['two kinds of protection', { none: true, basic: { secretName: 'users' } }],
    ['no kind', {}],
    ['null', { basic: null }],
  ])('%s, by the schema', async (_, auth) => {
    const [refusal] = await call.refusals(documents.create, input({ auth }));
    expect(refusal).toMatch(/^INVALID/);
  });

  test.each<[object, string]>([
    [
      { backend: { service: 'two', port: 8080 } },
      "The Service two has these ports: 80 (http), 81 (admin). 8080 is the port of the Pods; the Service's own is 80.",
    ],
    [
      { backend: { service: 'lab-shop' } },
      'There is no Service lab-shop in the namespace default, or you may not see it. There is one in lab: say so in ' +
        'backend.namespace.',
    ],
  ])('a message names what would fit: %j', async (more, message) => {
    const { errors } = await server.query(documents.create, { input: input(more) });
    expect(errors?.[0]?.message).toBe(message);
  });
});

describe('what a Gateway takes', () => {
  const parent = (name: string) => ({ parent: { namespace: 'infra', name } });
  const make = async (name: string, listener: Partial<GatewayListener>, className = 'eg') => {
    await server.kube.create(gateways, {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name, namespace: 'infra' },
      spec: { gatewayClassName: className, listeners: [{ name: 'http', port: 80, protocol: 'HTTP', ...listener }] },
    });
  };
  beforeAll(async () => {
    await namespace(server, 'infra');
    const classes = { eg: 'gateway.envoyproxy.io/gatewayclass-controller', other: 'example.org/controller' };
    for (const [name, controllerName] of Object.entries(classes)) {
      const written = await server.kube.create(gatewayClasses, {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'GatewayClass',
        metadata: { name },
        spec: { controllerName },
      });
      await server.cluster.cache(gatewayClasses).seen(written);
    }
    const all = { allowedRoutes: { namespaces: { from: 'All' as const } } };
    await make('same', {});
    await make('tcp', { ...all, protocol: 'TCP' });
    await make('narrow', { ...all, hostname: '*.narrow.localhost' });
    await make('labelled', {
      allowedRoutes: {
        namespaces: { from: 'Selector', selector: { matchLabels: { 'kubernetes.io/metadata.name': 'lab' } } },
      },
    });
    await make('foreign', all, 'other');
    await call.createSecret({ basic: { namespace: 'default', name: 'users', users: [{ username: 'maria' }] } });
  });

  test.each([
    ['same', 'INVALID parent NAMESPACE_NOT_ALLOWED'],
    ['labelled', 'INVALID parent NAMESPACE_NOT_ALLOWED'],
    ['tcp', 'INVALID parent KIND_NOT_ALLOWED'],
    ['narrow', 'INVALID hostname HOSTNAME_NOT_SERVED'],
  ])('%s: %s', async (name, refusal) => {
    expect(await call.refusals(documents.create, input(parent(name)))).toEqual([refusal]);
  });

  test('hostname and Secret are judged together', async () => {
    const auth = { basic: { secretName: 'none' } };
    expect(await call.refusals(documents.create, input({ ...parent('narrow'), auth }))).toEqual([
      'INVALID hostname HOSTNAME_NOT_SERVED',
      'INVALID auth.basic.secretName SECRET_NOT_FOUND',
    ]);
  });

  test('protection that nobody enforces is refused, never left out', async () => {
    const auth = { basic: { secretName: 'users' } };
    expect(await call.refusals(documents.create, input({ ...parent('foreign'), auth }))).toEqual([
      'NOT_SUPPORTED auth AUTH_NOT_SUPPORTED',
    ]);
    const { gateway } = await call.create(input({ ...parent('foreign'), name: 'open', dryRun: true }));
    expect(gateway.auth.kind).toBe('NONE');
  });

  test('a namespace that its selector takes is taken', async () => {
    const { gateway } = await call.create(
      input({ ...parent('labelled'), backend: { service: 'lab-shop', namespace: 'lab' }, dryRun: true }),
    );
    expect(gateway.namespace).toBe('lab');
  });

  test('parents are listed with what they take', async () => {
    const { gatewayParents } = await server.data<{
      gatewayParents: { name: string; authKinds: string[]; default: boolean }[];
    }>('{ gatewayParents { name authKinds default } }');
    expect(gatewayParents).toContainEqual({ name: 'foreign', authKinds: ['NONE'], default: false });
    expect(gatewayParents).toContainEqual({
      name: 'same',
      authKinds: ['NONE', 'BASIC', 'API_KEY', 'JWT'],
      default: false,
    });
    expect(gatewayParents.filter((one) => one.default).map(({ name }) => name)).toEqual(['local']);
  });
});

describe('addresses that somebody has', () => {
  beforeAll(async () => {
    await call.create(input({ name: 'first', hostname: 'first.services.localhost', pathPrefix: '/v1' }));
    await server.until('first', ready);
  });

  test.each<[object, string[]]>([
    [{ pathPrefix: '/v1' }, ['CONFLICT pathPrefix PATH_TAKEN']],
    [{ pathPrefix: '/v1/' }, ['CONFLICT pathPrefix PATH_TAKEN']],
    [{ pathPrefix: '/v1/x' }, []],
    [{ pathPrefix: '/' }, []],
    [{ pathPrefix: '/v1/x', backend: { service: 'lab-shop', namespace: 'lab' } }, ['CONFLICT hostname HOSTNAME_TAKEN']],
    [{ pathPrefix: '/v2', backend: { service: 'lab-shop', namespace: 'lab' } }, []],
    [{ pathPrefix: '/', backend: { service: 'lab-shop', namespace: 'lab' } }, []],
  ])('%j: %j', async (more, refusals) => {
    const given = input({ name: 'second', hostname: 'first.services.localhost', dryRun: true, ...more });
    expect(errorsOf(await server.query(documents.create, { input: given }))).toEqual(refusals);
  });
});

describe('addresses that a route has without naming them', () => {
  const parent = { namespace: 'default', name: 'own-name' };
  beforeAll(async () => {
    const listener = { port: 80, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' as const } } };
    await server.kube.create(gateways, {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: parent,
      spec: {
        gatewayClassName: 'slipway',
        listeners: [
          { ...listener, name: 'exact', hostname: 'exact.services.localhost' },
          { ...listener, name: 'all', hostname: '*.services.localhost' },
        ],
      },
    });
    const route = (name: string, spec: HTTPRoute['spec']) =>
      server.kube.create(httpRoutes, {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'HTTPRoute',
        metadata: { name, namespace: 'lab' },
        spec: { parentRefs: [parent], ...spec },
      });
    const made = [
      await route('nameless', { parentRefs: [{ ...parent, sectionName: 'exact' }] }),
      await route('pattern', {
        hostnames: ['pattern.services.localhost'],
        rules: [{ matches: [{ path: { type: 'RegularExpression', value: '/v[0-9]+' } }] }],
      }),
    ];
    for (const object of made) await server.cluster.cache(httpRoutes).seen(object);
  });

  test.each<[string, string[]]>([
    ['exact', ['CONFLICT hostname HOSTNAME_TAKEN']],
    ['pattern', ['CONFLICT hostname HOSTNAME_TAKEN']],
    ['free', []],
  ])('%s.services.localhost: %j', async (name, refusals) => {
    const given = input({ name, hostname: `${name}.services.localhost`, pathPrefix: '/v1', parent, dryRun: true });
    expect(errorsOf(await server.query(documents.create, { input: given }))).toEqual(refusals);
  });
});

describe('rights', () => {
  const withRights = async (allowed: Parameters<typeof rights>[0]) => {
    const limited = await startGatewaysServer({
      as: { caller: { name: 'maria' }, access: rights(allowed) },
      seed: async (kube) => {
        await service({ kube }, 'shop');
        await kube.create(secrets, {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 'keys', namespace: 'default' },
          stringData: { lab: 'a-key-of-some-length' },
        });
      },
    });
    return limited;
  };
  const keyed = input({ auth: { apiKey: { secretName: 'keys' } } });

  test('what is not seen is NOT_FOUND, what may not be done FORBIDDEN', async () => {
    await using blind = await withRights({});
    for (const namespace of ['default', 'other']) {
      const backend = { service: 'shop', namespace };
      const { errors } = await blind.query(documents.create, { input: { ...keyed, backend } });
      expect(errors).toMatchObject([
        {
          message: `There is no Service shop in the namespace ${namespace}, or you may not see it.`,
          extensions: { code: 'NOT_FOUND', field: 'backend.service', reason: 'SERVICE_NOT_FOUND' },
        },
      ]);
    }
    await using looker = await withRights({ see: ['default'] });
    expect(await calls(looker).refusals(documents.create, keyed)).toEqual(['FORBIDDEN backend.service']);
    await using exposer = await withRights({ see: ['default'], expose: ['default'] });
    const { gateway } = await calls(exposer).create(input());
    expect(gateway.auth.kind).toBe('NONE');
  });

  test('a Secret that the caller may not read is not checked, and that is said', async () => {
    await using exposer = await withRights({ see: ['default'], expose: ['default'] });
    const unchecked = {
      code: 'SECRET_UNCHECKED',
      field: 'auth.apiKey.secretName',
      message:
        'You may not read the Secret missing, so whether it is there and can serve was not checked: ' +
        'if it is missing all calls are refused, and whatever it holds counts as an API key.',
    };
    const missing = { apiKey: { secretName: 'missing' } };
    const { gateway, notices } = await calls(exposer).create(input({ auth: missing }));
    expect(notices).toContainEqual(unchecked);
    const { id } = gateway;
    const { notices: again } = await calls(exposer).update({ id, auth: missing, dryRun: true });
    expect(again).toContainEqual(unchecked);
  });

  test('whoever sees a gateway may still not change it', async () => {
    await using looker = await withRights({ see: ['default'] });
    await looker.kube.create(httpRoutes, {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'theirs', namespace: 'default', labels: { 'app.kubernetes.io/managed-by': 'slipway' } },
      spec: { hostnames: ['theirs.services.localhost'] },
    });
    const { id } = await looker.until('theirs', () => true);
    const { update, delete: remove } = documents;
    expect(await calls(looker).refusals(update, { id, pathPrefix: '/x' })).toEqual(['FORBIDDEN id']);
    expect(await calls(looker).refusals(remove, { id })).toEqual(['FORBIDDEN id']);
  });
});
