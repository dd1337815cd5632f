import { afterEach, describe, expect, test } from 'vitest';
import { gateways, type HTTPRoute, httpRoutes, type KubeObject, securityPolicies } from '../../../src/k8s/resources.ts';
import { manualClock } from '../../schema/stream/world.ts';
import { envoyProxy, judge, setDrainTime } from './envoy-gateway-kind.ts';
import type { GatewayView } from '../../../src/modules/gateways/service.ts';
import { calls, documents, type GatewaysServer, ready, service, startGatewaysServer } from './surface.ts';
import { accept, addGateway, edge } from './traefik-kind.ts';

let server: GatewaysServer;
let time: ReturnType<typeof manualClock>;
let call: ReturnType<typeof calls>;
afterEach(() => server.stop());

/** A server with a Gateway of Envoy Gateway, whose controller the test plays. */
async function start(config: object = { drainSeconds: 0 }): Promise<void> {
  time = manualClock(Date.now());
  server = await startGatewaysServer({
    clock: time.clock,
    kinds: [envoyProxy],
    config: { gateways: { parent: 'default/edge', domain: 'services.example.org', takeoverSeconds: 5, ...config } },
    seed: (kube) => addGateway({ kube }, 'gateway.envoyproxy.io/gatewayclass-controller'),
  });
  call = calls(server);
  await service(server, 'shop');
  for (const name of ['users', 'others']) {
    await call.createSecret({ basic: { namespace: 'default', name, users: [{ username: 'maria' }] } });
  }
  await call.createSecret({ apiKey: { namespace: 'default', name: 'keys', clients: ['lab'] } });
}

const basic = { basic: { secretName: 'users' } };
const apiKey = { apiKey: { secretName: 'keys' } };
const jwt = { jwt: { jwksUri: 'https://login.example.org/certs', issuer: 'https://login.example.org' } };
const input = (more: object = {}) => ({
  ...{ name: 'shop', backend: { service: 'shop' }, pathPrefix: '/v1', auth: basic },
  ...more,
});
const route = (name = 'shop') => server.embedded.api.get(httpRoutes, 'default', name);
const policy = (name = 'shop') => server.embedded.api.get(securityPolicies, 'default', `${name}-sp`);
const match = (object: HTTPRoute | undefined) => object?.spec.rules?.[0]?.matches?.[0];
const closes = (object: HTTPRoute | undefined) => match(object)?.headers?.[0]?.name === 'x-slipway-closed';
const pending = (object: KubeObject | undefined) => object?.metadata.annotations?.['slipway.dev/pending'] !== undefined;
const isClosed = (name = 'shop') => closes(route(name));
const authOf = (object: KubeObject | undefined) => object?.metadata.annotations?.['slipway.dev/auth'];

/** Resolves when the route is as wanted. */
async function until(wanted: (route: HTTPRoute) => boolean, name = 'shop'): Promise<HTTPRoute> {
  const { promise, resolve } = Promise.withResolvers<HTTPRoute>();
  const check = () => {
    const present = route(name);
    if (present && wanted(present)) resolve(present);
  };
  const stop = server.embedded.api.observe(httpRoutes, check);
  check();
  return promise.finally(stop);
}

/** Time passes until something has happened. */
async function whileTimePasses<T>(promise: Promise<T>, ms = 1_000): Promise<T> {
  let done = false;
  const settled = promise.finally(() => {
    done = true;
  });
  while (!done) {
    time.advance(ms);
    await server.query('{ __typename }');
  }
  return settled;
}

/** In steps, as watches need it. */
async function seconds(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    time.advance(1_000);
    await server.query('{ __typename }');
  }
}

/** The controller takes route and policy as they are now. */
async function taken(name: string): Promise<void> {
  await judge(server, name);
  const judged = new Set(['HTTPRoute', 'SecurityPolicy']);
  const said = ({ status }: GatewayView) =>
    status.conditions.filter(({ object, type, current }) => judged.has(object.kind) && type === 'Accepted' && current);
  await server.until(name, (view) => said(view).length === 2);
}

/** The controller takes it; closed until so many seconds later, and then open. */
async function opensAfter(name: string, seconds: number): Promise<void> {
  await taken(name);
  for (let i = 1; i < seconds; i++) {
    time.advance(1_000);
    await server.query('{ __typename }');
    expect(isClosed(name)).toBe(true);
  }
  time.advance(1_000);
  await whileTimePasses(
    until((now) => !closes(now), name),
    0,
  );
  await accept(server, name);
  await server.until(name, ready);
}

/** What becomes of route and policy, state by state. */
function states() {
  const seen: string[] = [];
  const look = () => {
    const { basicAuth, apiKeyAuth } = policy()?.spec ?? {};
    const protection = basicAuth ? basicAuth.users.name : apiKeyAuth ? 'keys' : 'nothing';
    const state = `${isClosed() ? 'closed' : 'open'}${pending(route()) ? ', pending' : ''}: ${protection}`;
    if (route() && seen.at(-1) !== state) seen.push(state);
  };
  const stops = [httpRoutes, securityPolicies].map((kind) => server.embedded.api.observe<KubeObject>(kind, look));
  look();
  return { seen, stop: () => stops.forEach((stop) => stop()) };
}

describe('a new protected route', () => {
  test('is closed to everybody until the controller has its policy and the data plane had time', async () => {
    await start();
    const answer = call.create(input());
    await until(() => true);
    expect(match(route())).toMatchObject({
      path: { value: '/v1' },
      headers: [{ value: expect.stringMatching(/^.{32}$/) as string }],
    });
    const { id, status } = await server.until('shop', () => true);
    const shown = await server.data('query ($id: ID!) { gateway(by: { id: $id }) { manifests } }', { id });
    expect(JSON.stringify(shown)).not.toContain('x-slipway-closed');
    expect(status).toEqual({
      ...status,
      phase: 'PROGRESSING',
      message: 'The gateway is closed, and opens by itself once its protection is in force.',
    });
    await until(() => !pending(policy()) || isClosed());
    await judge(server, 'shop');
    await server.until('shop', ({ status }) =>
      status.conditions.some(({ object }) => object.kind === 'SecurityPolicy'),
    );
    time.advance(4_900);
    await server.query('{ __typename }');
    expect(isClosed()).toBe(true);
    const { gateway } = await whileTimePasses(answer);
    expect(gateway).toMatchObject({ pathPrefix: '/v1', auth: { kind: 'BASIC' } });
    expect(match(route())).toEqual({ path: { type: 'PathPrefix', value: '/v1' } });
    expect([pending(policy()), policy()?.metadata.ownerReferences?.[0]?.uid]).toEqual([false, route()?.metadata.uid]);
    await accept(server, 'shop');
    const { resourceVersion } = await server.until('shop', ready);
    expect(resourceVersion).toBe(gateway.resourceVersion);
  });

  test('whose policy is refused stays closed until it is accepted: mended, it would be open for a moment', async () => {
    await start();
    const answer = call.create(input());
    await until(() => true);
    await judge(server, 'shop', 'False');
    const { gateway } = await whileTimePasses(answer);
    expect(gateway.status).toMatchObject({
      phase: 'REJECTED',
      message: expect.stringMatching(/can't use the policy/) as string,
    });
    expect(isClosed()).toBe(true);
    await opensAfter('shop', 5);
  });

  test('stays closed while the controller is silent, and opens when it has spoken', async () => {
    await start();
    const { gateway } = await whileTimePasses(call.create(input()));
    expect(['PROGRESSING', 'UNCLAIMED']).toContain(gateway.status.phase);
    expect([isClosed(), pending(policy())]).toEqual([true, false]);
    await seconds(70);
    expect(isClosed()).toBe(true);
    const { status } = await server.until('shop', ({ status }) => status.phase !== 'PROGRESSING');
    expect(status.phase).toBe('UNCLAIMED');
    await opensAfter('shop', 5);
  });

  test('of a create that died opens by itself, and a repetition says how it stands', async () => {
    await start();
    const idempotencyKey = 'key-of-the-shop';
    await whileTimePasses(call.create(input({ idempotencyKey })));
    const { gateway } = await whileTimePasses(call.create(input({ idempotencyKey })));
    expect(['PROGRESSING', 'UNCLAIMED']).toContain(gateway.status.phase);
    expect(isClosed()).toBe(true);
    await opensAfter('shop', 5);
  });

  test('is never closed where it asks nobody for anything', async () => {
    await start();
    const { notices } = await call.create(input({ auth: { none: true } }));
    expect(match(route())).toEqual({ path: { type: 'PathPrefix', value: '/v1' } });
    expect(notices.map(({ code }) => code)).not.toContain('CLOSED_AT_FIRST');
  });

  test('is closed, too, where its Gateway has no address yet: its Envoy may run', async () => {
    await start();
    const condition = (type: string, status: string) => ({
      ...{ type, status, reason: 'AddressNotAssigned', message: '', observedGeneration: 1 },
      lastTransitionTime: new Date().toISOString(),
    });
    const conditions = [condition('Accepted', 'True'), condition('Programmed', 'False')];
    const { name, namespace } = edge;
    const status = { status: { conditions } };
    const written = await server.kube.patch(gateways, name, namespace, status, { subresource: 'status' });
    await server.cluster.cache(gateways).seen(written);
    const answer = call.create(input());
    expect(closes(await until(() => true))).toBe(true);
    await whileTimePasses(answer);
  });
});

describe('connections from before', () => {
  test('are gone when a gateway with passwords opens: each brings a check of its own', async () => {
    await start({});
    const { gateway, notices } = await call.create(input());
    expect([gateway.status.phase, isClosed()]).toEqual(['PROGRESSING', true]);
    expect(notices.find(({ code }) => code === 'CLOSED_AT_FIRST')?.message).toMatch(/for about 65 s from when/);
    await opensAfter('shop', 65);
    await call.create(input({ name: 'bank' }));
    await opensAfter('bank', 65);
  });

  test.each([
    ['API keys', apiKey],
    ['tokens', jwt],
  ])('have the check already when others had %s for that long', async (_, auth) => {
    await start({ drainSeconds: 10 });
    await call.create(input({ auth }));
    await opensAfter('shop', 15);
    const early = await call.create(input({ name: 'early', auth, dryRun: true }));
    expect(early.notices.find(({ code }) => code === 'CLOSED_AT_FIRST')?.message).toMatch(/about 5 s/);
    const answer = call.create(input({ name: 'bank', auth }));
    await until(() => true, 'bank');
    await opensAfter('bank', 5);
    await whileTimePasses(answer);
    await call.delete({ id: (await server.until('shop', ready)).id });
    await call.delete({ id: (await server.until('bank', ready)).id });
    await call.create(input({ name: 'late', auth }));
    await opensAfter('late', 15);
  });

  test('are why it says when it opens, as soon as that is known', async () => {
    await start({});
    await call.create(input());
    await taken('shop');
    time.advance(5_000);
    const { status } = await server.until('shop', ({ status }) => /until/.test(status.message ?? ''));
    const then = new Date(time.clock.now() + 60_000).toISOString().slice(11, 19);
    expect(status).toMatchObject({
      phase: 'PROGRESSING',
      message: `The gateway is closed until ${then} UTC, when its protection is in force for every connection. Wait.`,
    });
    await seconds(59);
    expect(isClosed()).toBe(true);
    await whileTimePasses(until((now) => !closes(now)));
    const { status: opened } = await server.until('shop', ({ objects }) => !closes(objects.route));
    expect(opened.message).not.toContain('closed');
  });

  test('end as soon as the EnvoyProxy says', async () => {
    await start({});
    await setDrainTime(server, '1m30s');
    const seen = await server.kube.get(gateways, edge.name, edge.namespace);
    expect(seen.spec.gatewayClassName).toBe(edge.name);
    const { notices } = await call.create(input({ dryRun: true }));
    expect(notices.find(({ code }) => code === 'CLOSED_AT_FIRST')?.message).toMatch(/about 95 s/);
  });
});

describe('an update', () => {
  const opened = async (auth: object, seconds = 5) => {
    const answer = call.create(input({ auth }));
    await until(() => true);
    if ('none' in auth) return answer;
    await opensAfter('shop', seconds);
    return whileTimePasses(answer);
  };
  const update = async (more: object) => {
    const { id } = await server.until('shop', () => true);
    return { id, ...more };
  };

  test('to another kind of protection closes the route first, and opens it when the new one is in force', async () => {
    await start();
    await opened(basic);
    const { seen, stop } = states();
    const answer = call.update(await update({ auth: apiKey, pathPrefix: '/v2' }));
    await until((now) => closes(now) && !pending(now));
    expect(authOf(route())).toBe('apiKey');
    const { status } = await server.until('shop', ({ auth }) => auth.kind === 'API_KEY');
    expect(status.phase).toBe('PROGRESSING');
    await opensAfter('shop', 5);
    const { gateway } = await whileTimePasses(answer);
    stop();
    expect(seen).toEqual([
      'open: users',
      'closed, pending: users',
      'closed, pending: keys',
      'closed: keys',
      'open: keys',
    ]);
    expect(gateway).toMatchObject({ pathPrefix: '/v2', auth: { kind: 'API_KEY' } });
    expect((await server.until('shop', ready)).resourceVersion).toBe(gateway.resourceVersion);
  });

  test('from none is the same', async () => {
    await start();
    await opened({ none: true });
    const { seen, stop } = states();
    const answer = call.update(await update({ auth: basic }));
    await until((now) => closes(now) && !pending(now));
    await opensAfter('shop', 5);
    await whileTimePasses(answer);
    stop();
    expect(seen).toEqual([
      ...['open: nothing', 'closed, pending: nothing'],
      ...['closed, pending: users', 'closed: users', 'open: users'],
    ]);
  });

  test('to none opens at once what was closed', async () => {
    await start();
    await whileTimePasses(call.create(input()));
    expect(isClosed()).toBe(true);
    const { gateway } = await call.update(await update({ auth: { none: true } }));
    expect([gateway.auth.kind, isClosed(), policy()]).toEqual(['NONE', false, undefined]);
  });

  test.each([
    ['other passwords', { auth: { basic: { secretName: 'others' } } }],
    ['another path', { pathPrefix: '/v3' }],
    ['another hostname of the same listener', { hostname: 'other.services.example.org' }],
  ])('to %s closes nothing', async (_, more) => {
    await start();
    await opened(basic);
    const { seen, stop } = states();
    const { notices } = await call.update(await update(more));
    stop();
    expect(seen.filter((state) => state.startsWith('closed'))).toEqual([]);
    expect(notices.map(({ code }) => code)).not.toContain('CLOSED_AT_FIRST');
  });

  test('to another listener closes it: that one has no check yet', async () => {
    await start();
    await opened(basic);
    const { spec } = await server.kube.get(gateways, edge.name, edge.namespace);
    const more = { name: 'more', port: 443, protocol: 'HTTPS', hostname: 'new.services.example.org' };
    const listeners = [...spec.listeners.map((one) => ({ ...one, hostname: 'shop.services.example.org' })), more];
    const written = await server.kube.patch(gateways, edge.name, edge.namespace, { spec: { listeners } });
    await server.cluster.cache(gateways).seen(written);
    const { notices } = await call.update(await update({ hostname: 'new.services.example.org', dryRun: true }));
    expect(notices.map(({ code }) => code)).toContain('CLOSED_AT_FIRST');
  });

  test('as a dry run says that it will be closed, and for how long, and changes nothing', async () => {
    await start({ drainSeconds: 10 });
    await opened(basic, 15);
    const { seen, stop } = states();
    const { notices, manifests } = await call.update(await update({ auth: apiKey, dryRun: true }));
    stop();
    expect(notices.find(({ code }) => code === 'CLOSED_AT_FIRST')?.message).toMatch(/closed to everybody.*about 15 s/);
    expect(manifests).toContain('apiKeyAuth');
    expect(manifests).not.toContain('x-slipway-closed');
    expect(seen).toEqual(['open: users']);
  });

  test('whose policy is refused leaves the gateway open as it was', async () => {
    await start();
    await opened(basic);
    const version = (await server.until('shop', ready)).resourceVersion;
    const { seen, stop } = states();
    const theirs = { metadata: { annotations: { 'example.org/note': 'changed meanwhile' } } };
    const interfere = server.embedded.api.observe(httpRoutes, () => {
      if (isClosed() && policy()?.metadata.annotations?.['example.org/note'] === undefined)
        void server.kube.patch(securityPolicies, 'shop-sp', 'default', theirs);
    });
    expect(await call.refusals(documents.update, await update({ auth: apiKey }))).toEqual(['CONFLICT CHANGED']);
    interfere();
    stop();
    expect(seen).toEqual(['open: users', 'closed, pending: users', 'open: users']);
    expect((await server.until('shop', () => true)).resourceVersion).toBe(version);
  });

  test('that died before its policy is opened as it was, and one that died after it with the new protection', async () => {
    await start();
    await opened(basic);
    const die = async (annotations: object, value: string) => {
      const headers = [{ name: 'x-slipway-closed', value }];
      const rules = route()?.spec.rules?.map((rule) => ({ ...rule, matches: [{ ...match(route()), headers }] }));
      await server.kube.patch(httpRoutes, 'shop', 'default', { metadata: { annotations }, spec: { rules } });
      await server.until('shop', ({ objects }) => closes(objects.route));
    };
    const now = () => new Date(time.clock.now()).toISOString();
    await die({ 'slipway.dev/pending': now() }, 'nobody-knows');
    await seconds(59);
    expect(isClosed()).toBe(true);
    await whileTimePasses(until((object) => !pending(object)));
    await accept(server, 'shop');
    await whileTimePasses(until((object) => !closes(object)));
    expect([authOf(route()), policy()?.spec.basicAuth?.users.name]).toEqual(['basic', 'users']);

    await die({ 'slipway.dev/pending': now() }, 'nobody-knows-this');
    const spec = {
      basicAuth: null,
      apiKeyAuth: { credentialRefs: [{ name: 'keys' }], extractFrom: [{ headers: ['k'] }] },
    };
    const metadata = { annotations: { 'slipway.dev/auth': 'apiKey' } };
    await server.kube.patch(securityPolicies, 'shop-sp', 'default', { metadata, spec });
    await whileTimePasses(until((object) => !pending(object)));
    expect([authOf(route()), isClosed()]).toEqual(['apiKey', true]);
    await opensAfter('shop', 5);
  });

  test('that died before a first policy leaves an open gateway open', async () => {
    await start();
    await opened({ none: true });
    const headers = [{ name: 'x-slipway-closed', value: 'nobody-knows' }];
    const rules = route()?.spec.rules?.map((rule) => ({ ...rule, matches: [{ ...match(route()), headers }] }));
    const metadata = { annotations: { 'slipway.dev/pending': new Date(time.clock.now()).toISOString() } };
    await server.kube.patch(httpRoutes, 'shop', 'default', { metadata, spec: { rules } });
    await server.until('shop', ({ objects }) => closes(objects.route));
    await whileTimePasses(until((object) => !closes(object)));
    expect([authOf(route()), pending(route())]).toEqual(['none', false]);
  });
});

test('a closed route whose policy somebody deletes stays closed, and says so', async () => {
  await start();
  await whileTimePasses(call.create(input()));
  await server.kube.delete(securityPolicies, 'shop-sp', 'default');
  await whileTimePasses(server.until('shop', ({ status }) => status.phase === 'REJECTED'));
  const { status } = await server.until('shop', () => true);
  expect(status.message).toBe('The policy shop-sp is missing, so nobody gets through. Set the protection again.');
  await seconds(120);
  expect(isClosed()).toBe(true);
});
