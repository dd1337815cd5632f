import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { controllerName } from '../../../../src/k8s/embedded/gateway/conditions.ts';
import { ensureGateway, localGateway } from '../../../../src/k8s/embedded/seed/gateway.ts';
import { ensureNamespace } from '../../../../src/k8s/embedded/seed/namespaces.ts';
import {
  type Condition,
  gatewayClasses,
  type GatewayListener,
  gateways,
  httpRoutes,
  namespaces,
  type ParentReference,
  referenceGrants,
  services,
} from '../../../../src/k8s/resources.ts';
import { answeredBy, createWorld, prefix, to, until, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.service('one');
  await ensureNamespace(world.api, 'other');
  await world.service('one', undefined, 'other');
});
afterAll(() => world[Symbol.asyncDispose]());

const brief = (conditions: Condition[]) => conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`);
const accepted = 'Accepted=True Accepted';
const resolved = 'ResolvedRefs=True ResolvedRefs';

async function gateway(
  name: string,
  listeners: Partial<GatewayListener>[],
  gatewayClassName = 'slipway',
  namespace = 'lab',
) {
  await world.api.client.create(gateways, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name, namespace },
    spec: {
      gatewayClassName,
      listeners: listeners.map((more, index) => ({ name: `l${index}`, port: world.port, protocol: 'HTTP', ...more })),
    },
  });
}

describe('a route’s status', () => {
  beforeAll(async () => {
    await gateway('named', [{ name: 'web', hostname: '*.named.test' }]);
    await gateway('closed', [{}], 'slipway', 'other');
    await gateway('kinds', [{ allowedRoutes: { kinds: [{ kind: 'GRPCRoute' }] } }]);
    await gateway('elsewhere', [{ port: 1 }]);
    const selector = { matchLabels: { team: 'blue' } };
    await gateway('selecting', [{ allowedRoutes: { namespaces: { from: 'Selector', selector } } }], 'slipway', 'other');
  });

  it.each<[string, ParentReference, string]>([
    ['accepted', { ...localGateway }, accepted],
    ['section', { ...localGateway, sectionName: 'nope' }, 'Accepted=False NoMatchingParent'],
    ['port', { ...localGateway, port: 1 }, 'Accepted=False NoMatchingParent'],
    ['hostname', { name: 'named' }, 'Accepted=False NoMatchingListenerHostname'],
    ['namespace', { name: 'closed', namespace: 'other' }, 'Accepted=False NotAllowedByListeners'],
    ['selector', { name: 'selecting', namespace: 'other' }, 'Accepted=False NotAllowedByListeners'],
    ['kind', { name: 'kinds' }, 'Accepted=False NotAllowedByListeners'],
    ['unready', { name: 'elsewhere' }, 'Accepted=False Pending'],
  ])('parent: %s', async (name, parent, expected) => {
    const host = `${name}.parents.test`;
    const conditions = await world.route(`parent-${name}`, [host], [{ backendRefs: to('one') }], {
      parentRefs: [parent],
    });
    expect(brief(conditions)).toEqual([expected, resolved]);
    expect((await world.ask(host, '/')).status).toBe(expected === accepted ? 200 : 404);
  });

  it('follows the labels of its namespace', async () => {
    await world.api.client.patch(namespaces, 'lab', undefined, { metadata: { labels: { team: 'blue' } } });
    const now = await world.routeStatus('parent-selector', (conditions) => conditions[0]?.status === 'True');
    expect(brief(now)).toEqual([accepted, resolved]);
  });

  it.each<[string, { name: string; port?: number; kind?: string; namespace?: string }, string]>([
    ['missing', { name: 'nowhere', port: 80 }, 'BackendNotFound'],
    ['wrong-port', { name: 'one', port: 81 }, 'PortNotFound'],
    ['wrong-kind', { name: 'one', port: 80, kind: 'Deployment' }, 'InvalidKind'],
    ['foreign', { name: 'one', port: 80, namespace: 'other' }, 'RefNotPermitted'],
    ['external', { name: 'external', port: 80 }, 'UnsupportedValue'],
  ])('backend: %s', async (name, ref, reason) => {
    if (name === 'external') {
      await world.api.client.create(services, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'lab' },
        spec: { type: 'ExternalName', externalName: 'example.org' },
      });
    }
    const group = ref.kind === undefined ? '' : 'apps';
    const conditions = await world.route(`backend-${name}`, [`${name}.test`], [{ backendRefs: [{ group, ...ref }] }]);
    expect(brief(conditions)).toEqual([accepted, `ResolvedRefs=False ${reason}`]);
    expect((await world.ask(`${name}.test`, '/')).status).toBe(500);
  });

  it('a ReferenceGrant opens the way to another namespace', async () => {
    await world.api.client.create(referenceGrants, {
      apiVersion: 'gateway.networking.k8s.io/v1beta1',
      kind: 'ReferenceGrant',
      metadata: { name: 'lab', namespace: 'other' },
      spec: {
        from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'lab' }],
        to: [{ group: '', kind: 'Service' }],
      },
    });
    await world.routeStatus('backend-foreign', (conditions) => conditions[1]?.status === 'True');
    expect(answeredBy(await world.ask('foreign.test', '/'))).toBe('one');
  });

  it('says which rules were dropped, and refuses a route with none left', async () => {
    const odd = { matches: [{ path: { type: 'RegularExpression' as const, value: '(a+)+' } }], backendRefs: to('one') };
    const some = await world.route(
      'partly',
      ['partly.test'],
      [odd, { matches: [prefix('/')], backendRefs: to('one') }],
    );
    expect(brief(some)).toEqual([accepted, 'PartiallyInvalid=True UnsupportedValue', resolved]);
    expect(some[1]?.message).toMatch(/^Dropped Rule\(s\) \[0\]: The embedded gateway/);
    expect((await world.ask('partly.test', '/')).status).toBe(200);
    const none = await world.route('wholly', ['wholly.test'], [odd]);
    expect(brief(none)).toEqual(['Accepted=False UnsupportedValue', resolved]);
  });

  it('a rule without a backend answers 500, a service without ready endpoints 503', async () => {
    await world.route('backless', ['backless.test'], [{ matches: [prefix('/')] }]);
    expect((await world.ask('backless.test', '/')).status).toBe(500);
    await world.endpoints('unready', []);
    await world.route('unready', ['unready.test'], [{ backendRefs: to('unready') }]);
    expect((await world.ask('unready.test', '/')).status).toBe(503);
  });

  it('keeps the entries of other controllers, and its own transition times', async () => {
    const [before] = await world.route('kept', ['kept.test'], [{ backendRefs: to('one') }]);
    const route = world.api.get(httpRoutes, 'lab', 'kept');
    const foreign = {
      parentRef: { name: 'x' },
      controllerName: 'example.com/other',
      conditions: [{ ...before, reason: 'Other' }],
    };
    const parents = [foreign, ...(route?.status?.parents ?? [])];
    await world.api.client.patch(httpRoutes, 'kept', 'lab', { status: { parents } }, { subresource: 'status' });
    await world.api.client.patch(httpRoutes, 'kept', 'lab', { spec: { hostnames: ['kept2.test'] } });
    const after = await until(
      world.api,
      httpRoutes,
      'lab',
      'kept',
      (object) =>
        object.status?.parents?.[1]?.conditions?.[0]?.observedGeneration === object.metadata.generation &&
        object.metadata.generation !== route?.metadata.generation,
    );
    expect(after.status?.parents?.map((parent) => parent.controllerName)).toEqual([
      'example.com/other',
      controllerName,
    ]);
    expect(after.status?.parents?.[1]?.conditions?.[0]?.lastTransitionTime).toBe(before?.lastTransitionTime);
    expect((await world.ask('kept2.test', '/')).status).toBe(200);
    expect((await world.ask('kept.test', '/')).status).toBe(404);
  });
});

describe('Gateways', () => {
  it('count their routes, tell what is wrong with a listener, and accept their class', async () => {
    const object = await until(world.api, gateways, 'lab', 'named', (gateway) => !!gateway.status?.listeners);
    expect(object.status?.addresses).toEqual([{ type: 'IPAddress', value: '127.0.0.1' }]);
    expect(object.status?.listeners?.[0]?.attachedRoutes).toBe(0);
    await world.route('counted', ['a.named.test'], [{ backendRefs: to('one') }], { parentRefs: [{ name: 'named' }] });
    await until(world.api, gateways, 'lab', 'named', (gateway) => gateway.status?.listeners?.[0]?.attachedRoutes === 1);
    const elsewhere = world.api.get(gateways, 'lab', 'elsewhere');
    expect(brief(elsewhere?.status?.listeners?.[0]?.conditions ?? [])[0]).toBe('Accepted=False PortUnavailable');
    const [condition] = world.api.get(gatewayClasses, undefined, 'slipway')?.status?.conditions ?? [];
    expect(condition).toMatchObject({ type: 'Accepted', status: 'True' });
  });

  it('of another class are left alone', async () => {
    await gateway('foreign', [{}], 'someone-else');
    await world.route('foreigner', ['foreigner.test'], [{ backendRefs: to('one') }], {
      parentRefs: [{ ...localGateway }, { name: 'foreign' }],
    });
    expect(world.api.get(httpRoutes, 'lab', 'foreigner')?.status?.parents).toHaveLength(1);
    expect(world.api.get(gateways, 'lab', 'foreign')?.status?.listeners).toBeUndefined();
  });

  it('the local one is put right at start, and keeps what users added', async () => {
    const { namespace, name } = localGateway;
    const before = world.api.get(gateways, namespace, name)?.spec.listeners ?? [];
    const extra = { name: 'extra', port: 9, protocol: 'HTTP' };
    await world.api.client.patch(gateways, name, namespace, {
      spec: { listeners: [{ ...before[0], port: 7 }, extra] },
    });
    await ensureGateway(world.api, world.port);
    const after = world.api.get(gateways, namespace, name)?.spec.listeners;
    expect(after?.map(({ name, port }) => [name, port])).toEqual([
      ['http', world.port],
      ['extra', 9],
    ]);
  });
});
