import { describe, expect, test } from 'vitest';
import type { SecurityPolicy } from '../../../src/k8s/resources.ts';
import { claimGraceMs, policyGraceMs } from '../../../src/modules/gateways/phase.ts';
import { condition, gateway, now, policy, route, toRoute, viewOf } from './objects.ts';

const refused = (type: string, reason: string, message = '') => [
  ...['Accepted', 'ResolvedRefs'].map((name) =>
    name === type ? condition(name, 'False', { reason, message }) : condition(name, 'True'),
  ),
];
const judged = (reason: string, message = '') => [condition('Accepted', 'False', { reason, message })];
const spec = (part: object) => ({ targetRefs: toRoute, ...part }) as SecurityPolicy['spec'];

describe('READY', () => {
  test.each([
    ['without protection', route(), []],
    ['with its policy in force', route({ auth: 'basic' }), [policy()]],
    ['with a policy of another tool that nobody asked for', route({ auth: null }), [policy({ name: 'theirs' })]],
  ])('%s', (_, object, policies) => {
    expect(viewOf(object, policies)).toMatchObject({ status: { phase: 'READY', message: null }, changesAt: null });
  });
});

test('READY names the hostnames that no listener takes, beside one that is served', () => {
  const several = (...hostnames: string[]) => {
    const object = route();
    object.spec.hostnames = hostnames;
    return viewOf(object, []).status;
  };
  expect(several('a.services.example.org', 'b.elsewhere.org')).toMatchObject({
    phase: 'READY',
    message:
      'No listener serves b.elsewhere.org: who calls that gets 404. Take it out of the route, or choose a Gateway that does.',
  });
  expect(several('a.services.example.org', '*.b.services.example.org')).toMatchObject({
    phase: 'READY',
    message: null,
  });
});

test('a Gateway that this server does not look after is judged by what its controller wrote', () => {
  const far = (conditions: Parameters<typeof route>[0] = {}) =>
    route({ parents: [{ name: 'edge', namespace: 'far' }], ...conditions });
  expect(viewOf(far(), []).status.phase).toBe('READY');
  expect(viewOf(far({ conditions: refused('Accepted', 'NotAllowedByListeners') }), []).status.phase).toBe('REJECTED');
  expect(viewOf(far({ auth: 'basic' }), [policy()]).status.phase).toBe('UNPROTECTED');
  expect(viewOf(far({ conditions: null }), []).status).toMatchObject({
    phase: 'UNCLAIMED',
    message: expect.stringMatching(/^No controller has taken this route for far\/edge/) as string,
  });
});

describe('a closed route', () => {
  const closed = (auth: string) => {
    const object = route({ auth });
    const headers = [{ name: 'x-slipway-closed', value: 'nobody-knows' }];
    const [rule] = object.spec.rules ?? [];
    object.spec.rules = [{ ...rule, matches: [{ ...rule?.matches?.[0], headers }] }];
    return object;
  };
  test.each<[string, string, SecurityPolicy[], string, RegExp]>([
    ['waits for its protection', 'basic', [policy()], 'PROGRESSING', /closed, and opens by itself/],
    ['waits for a protection to come', 'none', [], 'PROGRESSING', /closed, and opens by itself/],
    ['whose policy is missing', 'basic', [], 'REJECTED', /shop-sp is missing, so nobody gets through/],
    ['whose policy is beaten', 'basic', [policy({ conditions: judged('Conflicted') })], 'REJECTED', /Another policy/],
    [
      'whose policy is refused',
      'basic',
      [policy({ conditions: judged('Invalid') })],
      'REJECTED',
      /can't use the policy/,
    ],
  ])('%s is not open, so no alarm is raised', (_, auth, policies, phase, message) => {
    expect(viewOf(closed(auth), policies).status).toMatchObject({
      phase,
      message: expect.stringMatching(message) as string,
    });
  });

  test('has the version that it has when it is open', () => {
    const { resourceVersion, pathPrefix, managed } = viewOf(closed('basic'), [policy()]);
    expect({ resourceVersion, pathPrefix, managed }).toEqual({
      resourceVersion: viewOf(route({ auth: 'basic' }), [policy()]).resourceVersion,
      pathPrefix: '/v1',
      managed: true,
    });
  });
});

describe('UNPROTECTED', () => {
  const wanted = route({ auth: 'basic' });
  test.each<[string, SecurityPolicy[], RegExp]>([
    ['the policy is missing', [], /the policy shop-sp is missing/],
    ['another policy won', [policy({ conditions: judged('Conflicted') })], /Another policy is attached/],
    ['the route was not found', [policy({ conditions: judged('TargetNotFound') })], /does not find the route/],
    ['it is overridden', [policy({ conditions: [condition('Overridden', 'True')] })], /more specific policy/],
    ['nobody took notice of it', [policy({ conditions: null })], /takes no notice of the policy shop-sp/],
    ['it asks nobody for anything', [policy({ spec: spec({}) })], /asks nobody for anything/],
    [
      'it lets requests without a token pass',
      [policy({ spec: spec({ jwt: { optional: true, providers: [{ name: 'x' }] } }) })],
      /asks nobody for anything/,
    ],
    [
      'an older one is in force in its place',
      [policy({ name: 'older', age: 7200 }), policy({ conditions: judged('Conflicted') })],
      /so shop-sp has no effect/,
    ],
  ])('%s', (_, policies, message) => {
    expect(viewOf(wanted, policies).status).toEqual({
      phase: 'UNPROTECTED',
      message: expect.stringMatching(message) as string,
      conditions: expect.any(Array) as unknown[],
    });
  });

  test('the policy was attached to something else', () => {
    const strayed = policy({ target: 'other' });
    expect(viewOf(wanted, [], { policiesIn: () => [strayed] }).status.message).toMatch(/attached to something else/);
  });

  test('is worse than anything else', () => {
    const broken = route({ auth: 'jwt', conditions: refused('Accepted', 'NotAllowedByListeners'), deleting: true });
    expect(viewOf(broken, [], { parent: null }).status.phase).toBe('UNPROTECTED');
  });

  test('a route that is new may be seen before its policy, once', () => {
    const fresh = route({ auth: 'basic', age: 1 });
    expect(viewOf(fresh, [])).toMatchObject({
      status: { phase: 'PROGRESSING' },
      changesAt: now - 1000 + policyGraceMs,
    });
    expect(viewOf(fresh, [], { wasProtected: true }).status.phase).toBe('UNPROTECTED');
  });
});

describe('REJECTED', () => {
  test.each([
    ['NotAllowedByListeners', 'Accepted', /take no routes from the namespace lab/],
    ['NoMatchingListenerHostname', 'Accepted', /serves shop\.services\.example\.org/],
    ['NoMatchingParent', 'Accepted', /no such listener/],
    ['BackendNotFound', 'ResolvedRefs', /The Service shop:80 does not exist/],
    ['RefNotPermitted', 'ResolvedRefs', /another namespace/],
    ['InvalidKind', 'ResolvedRefs', /no Service/],
    ['UnsupportedProtocol', 'ResolvedRefs', /Choose a port that serves HTTP/],
    ['UnsupportedValue', 'Accepted', /Remove it from the route/],
    ['IncompatibleFilters', 'Accepted', /Remove one of them/],
    ['NeverHeardOf', 'Accepted', /\(NeverHeardOf\)\. The gateway says: Because/],
  ])('the route: %s', (reason, type, message) => {
    const { status } = viewOf(route({ conditions: refused(type, reason, 'Because.') }), []);
    expect(status.phase).toBe('REJECTED');
    expect(status.message).toMatch(message);
  });

  test('the policy: its Secret', () => {
    const broken = policy({ conditions: judged('Invalid', 'BasicAuth: secret lab/users does not exist.') });
    const { status } = viewOf(route({ auth: 'basic' }), [broken]);
    expect(status.phase).toBe('REJECTED');
    expect(status.message).toMatch(/can't use the Secret users, so requests get 500.*does not exist/);
  });

  test('the policy: for a reason of its own, in the words of the controller', () => {
    const broken = policy({ conditions: judged('TooBusy', 'Later.') });
    const { status } = viewOf(route({ auth: 'basic' }), [broken]);
    expect(status.message).toMatch(/refuses the policy shop-sp \(TooBusy\).*The gateway says: Later\./);
  });

  test('only a part of the route is served', () => {
    const partly = [...(viewOf(route(), []).objects.route.status?.parents?.[0]?.conditions ?? [])];
    const conditions = [...partly, condition('PartiallyInvalid', 'True', { message: 'Dropped Rule 2.' })];
    expect(viewOf(route({ conditions }), []).status).toMatchObject({
      phase: 'REJECTED',
      message: expect.stringContaining('Dropped Rule 2.') as string,
    });
  });

  test('the Gateway or its listener is not in operation', () => {
    const down = gateway({}, [condition('Programmed', 'False')]);
    expect(viewOf(route(), [], { parent: down }).status.phase).toBe('REJECTED');
    const listening = gateway();
    listening.status = {
      ...listening.status,
      listeners: [{ name: 'https', conditions: [condition('Programmed', 'False')] }],
    };
    expect(viewOf(route(), [], { parent: listening }).status.message).toMatch(/listener of infra\/edge/);
  });
});

describe('PROGRESSING', () => {
  const behind = { observedGeneration: 0 };
  test.each([
    [
      'the route',
      route({ conditions: [condition('Accepted', 'True', behind), condition('ResolvedRefs', 'True')] }),
      [],
    ],
    ['the policy', route({ auth: 'basic' }), [policy({ conditions: [condition('Accepted', 'True', behind)] })]],
    ['the policy, at all', route({ auth: 'basic', age: 1 }), [policy({ conditions: null, age: 1 })]],
    ['a route that is new', route({ conditions: null, age: 1 }), []],
  ])('%s is not taken over yet', (_, object, policies) => {
    expect(viewOf(object, policies).status.phase).toBe('PROGRESSING');
  });

  test('what a condition said of an older generation is no refusal', () => {
    const old = refused('Accepted', 'NotAllowedByListeners').map((one) => ({ ...one, ...behind }));
    expect(viewOf(route({ conditions: old }), []).status.phase).toBe('PROGRESSING');
  });

  test('policies that can not be read are not known to protect', () => {
    const view = viewOf(route({ auth: 'basic' }), [], { policiesKnown: false });
    expect(view).toMatchObject({ auth: { kind: 'UNKNOWN' }, status: { phase: 'PROGRESSING' } });
  });
});

describe('UNCLAIMED', () => {
  test('nobody takes the route: first it is waited for', () => {
    expect(viewOf(route({ conditions: null, age: 5 }), [])).toMatchObject({
      status: { phase: 'PROGRESSING' },
      changesAt: now - 5000 + claimGraceMs,
    });
    expect(viewOf(route({ conditions: null, age: 15 }), []).status.phase).toBe('UNCLAIMED');
  });
  test('the Gateway is missing, or none is named', () => {
    expect(viewOf(route(), [], { parent: null }).status).toMatchObject({
      phase: 'UNCLAIMED',
      message: 'The Gateway infra/edge does not exist. Choose another parent.',
    });
    expect(viewOf(route({ parents: [] }), []).status.phase).toBe('UNCLAIMED');
  });
});

test('DELETING while it is on its way out', () => {
  expect(viewOf(route({ deleting: true }), []).status.phase).toBe('DELETING');
});

describe('the rest of the view', () => {
  test('address, parts and protection', () => {
    expect(viewOf(route({ auth: 'basic' }), [policy()])).toMatchObject({
      key: 'lab/shop',
      hostnames: ['shop.services.example.org'],
      pathPrefix: '/v1',
      rewritePathPrefix: null,
      backend: { namespace: 'lab', service: 'shop', port: 80 },
      url: 'https://shop.services.example.org/v1',
      auth: { kind: 'BASIC', secretName: 'users', inherited: false, policy: { name: 'shop-sp' } },
      managed: true,
    });
  });

  test('a policy protects whatever its name is', () => {
    expect(viewOf(route({ auth: null }), [policy({ name: 'theirs' })]).auth).toMatchObject({
      kind: 'BASIC',
      secretName: 'users',
      policy: { name: 'theirs' },
    });
  });

  test('a policy of the Gateway is inherited until the route has its own', () => {
    const targetRefs = [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' }];
    const theirs = policy({
      name: 'all',
      namespace: 'infra',
      spec: { targetRefs, basicAuth: { users: { name: 'staff' } } },
    });
    const policiesIn = (namespace: string) => (namespace === 'infra' ? [theirs] : []);
    expect(viewOf(route(), [], { policiesIn }).auth).toMatchObject({
      kind: 'BASIC',
      secretName: 'staff',
      inherited: true,
    });
    expect(viewOf(route(), [policy()], { policiesIn }).auth).toMatchObject({ secretName: 'users', inherited: false });
  });

  test.each([
    ['made by another tool', route({ labels: {} }), [policy()], false],
    ["made by the platform's manager", route({ labels: { 'app.kubernetes.io/created-by': 'krm' } }), [policy()], true],
    ['with two policies', route(), [policy(), policy({ name: 'more' })], false],
    ['with a policy of another name', route(), [policy({ name: 'more' })], false],
    ['with a policy that selects it', route(), [policy({ spec: { targetSelectors: [{ kind: 'HTTPRoute' }] } })], false],
  ])('a route %s may be edited: %s', (_, object, policies, managed) => {
    expect(viewOf(object, policies).managed).toBe(managed);
  });

  test('resourceVersion is moved by what is wanted, not by status', () => {
    const first = viewOf(route(), [policy()]).resourceVersion;
    expect(viewOf(route({ conditions: null }), [policy({ conditions: null })]).resourceVersion).toBe(first);
    expect(viewOf(route({ auth: 'basic' }), [policy()]).resourceVersion).not.toBe(first);
    expect(viewOf(route(), []).resourceVersion).not.toBe(first);
    const changed = policy();
    changed.spec.basicAuth = { users: { name: 'others' } };
    expect(viewOf(route(), [changed]).resourceVersion).not.toBe(first);
  });
});
