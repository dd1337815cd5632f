import { afterEach, beforeEach, expect, test } from 'vitest';
import { httpRoutes, type SecurityPolicy, securityPolicies } from '../../../src/k8s/resources.ts';
import { manualClock } from '../../schema/stream/world.ts';
import { calls, type GatewaysServer, ready, service, startGatewaysServer } from './surface.ts';
import { accept, addGateway, edge } from './traefik-kind.ts';

let server: GatewaysServer;
let time: ReturnType<typeof manualClock>;
let call: ReturnType<typeof calls>;
beforeEach(async () => {
  time = manualClock(Date.now());
  server = await startGatewaysServer({
    clock: time.clock,
    config: { gateways: { parent: 'default/edge', domain: 'services.example.org', takeoverSeconds: 5 } },
    seed: (kube) => addGateway({ kube }, 'gateway.envoyproxy.io/gatewayclass-controller'),
  });
  call = calls(server);
  await service(server, 'shop');
  await call.createSecret({ basic: { namespace: 'default', name: 'users', users: [{ username: 'maria' }] } });
});
afterEach(() => server.stop());

const input = (more: object = {}) => ({
  ...{ name: 'shop', backend: { service: 'shop' }, pathPrefix: '/v1', auth: { basic: { secretName: 'users' } } },
  ...more,
});
const route = () => server.embedded.api.get(httpRoutes, 'default', 'shop');
const policy = () => server.embedded.api.get(securityPolicies, 'default', 'shop-sp');
const match = () => route()?.spec.rules?.[0]?.matches?.[0];
const pending = () => policy()?.metadata.annotations?.['slipway.dev/pending'] !== undefined;
const isClosed = () => match()?.headers?.[0]?.name === 'x-slipway-gate';

/** The controller says what it thinks of the policy as it is now. */
async function judge(status: 'True' | 'False', reason: string): Promise<SecurityPolicy> {
  const { metadata } = await server.kube.get(securityPolicies, 'shop-sp', 'default');
  const condition = { type: 'Accepted', status, reason, message: '', observedGeneration: metadata.generation ?? 1 };
  const conditions = [{ ...condition, lastTransitionTime: new Date().toISOString() }];
  const ancestors = [{ ancestorRef: edge, controllerName: 'x/y', conditions }];
  return server.kube.patch(
    securityPolicies,
    'shop-sp',
    'default',
    { status: { ancestors } },
    { subresource: 'status' },
  );
}

/** Resolves when the route is there; the answer of the mutation comes later. */
async function creating(more: object = {}) {
  const made = Promise.withResolvers<void>();
  const stop = server.embedded.api.observe(httpRoutes, () => made.resolve());
  const answer = call.create(input(more));
  await made.promise;
  stop();
  return { answer };
}

/** Time passes until something has happened. */
async function whileTimePasses<T>(promise: Promise<T>): Promise<T> {
  let done = false;
  const settled = promise.finally(() => {
    done = true;
  });
  while (!done) {
    time.advance(1_000);
    await server.query('{ __typename }');
  }
  return settled;
}

test('a protected route is closed to everybody until the controller has its policy and the data plane had time', async () => {
  const { answer } = await creating();
  expect(match()).toMatchObject({
    path: { value: '/v1' },
    headers: [{ value: expect.stringMatching(/^.{32}$/) as string }],
  });
  expect([isClosed(), pending()]).toEqual([true, true]);
  const { status } = await server.until('shop', () => true);
  expect(status).toMatchObject({ phase: 'PROGRESSING', message: expect.stringMatching(/opens as soon as/) as string });
  await server.cluster.cache(securityPolicies).seen(await judge('True', 'Accepted'), { timeoutMs: 1e9 });
  time.advance(4_900);
  expect(isClosed()).toBe(true);
  time.advance(100);
  const { gateway } = await whileTimePasses(answer);
  expect(gateway).toMatchObject({ pathPrefix: '/v1', auth: { kind: 'BASIC' } });
  expect(match()).toEqual({ path: { type: 'PathPrefix', value: '/v1' } });
  expect([pending(), policy()?.metadata.ownerReferences?.[0]?.uid]).toEqual([false, route()?.metadata.uid]);
  await accept(server, 'shop');
  await server.until('shop', ready);
});

test('one whose policy is refused opens: the controller lets nobody through', async () => {
  const { answer } = await creating();
  await judge('False', 'Invalid');
  await whileTimePasses(answer);
  expect(isClosed()).toBe(false);
});

test('while the controller is silent it stays closed, and the sweep opens it when the controller has spoken', async () => {
  const { answer } = await creating();
  const { gateway } = await whileTimePasses(answer);
  expect([gateway.status.phase, isClosed(), pending()]).toEqual(['PROGRESSING', true, true]);
  time.advance(61_000);
  await server.query('{ __typename }');
  expect(isClosed()).toBe(true);
  await judge('True', 'Accepted');
  const opened = Promise.withResolvers<void>();
  server.embedded.api.observe(httpRoutes, () => !isClosed() && opened.resolve());
  await whileTimePasses(opened.promise);
  expect(match()).toEqual({ path: { type: 'PathPrefix', value: '/v1' } });
});

test('a repetition of a create that died opens what it left closed', async () => {
  const idempotencyKey = 'key-of-the-shop';
  const { answer } = await creating({ idempotencyKey });
  await whileTimePasses(answer);
  expect(isClosed()).toBe(true);
  await judge('True', 'Accepted');
  await whileTimePasses(call.create(input({ idempotencyKey })));
  expect([isClosed(), pending()]).toEqual([false, false]);
});

test('an open gateway has no gate', async () => {
  await call.create(input({ auth: { none: true } }));
  expect(match()).toEqual({ path: { type: 'PathPrefix', value: '/v1' } });
});
