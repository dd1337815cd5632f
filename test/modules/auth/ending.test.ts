import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TestClock, createTestClock } from '../../faults/test-clock.ts';
import { bindings, clusterRoles } from './cluster-front.ts';
import { type Socket, bearer, openSocket, openStream, send } from './surface.ts';
import { type World, startWorld } from './world.ts';

let clock: TestClock;
let world: World;
beforeAll(async () => {
  clock = createTestClock(Date.now());
  world = await startWorld({ clock });
  await world.run('web', 'team-a', 'iris');
});
afterAll(() => world.stop());
/** Each test has a caller of its own: what is remembered of one says nothing about another. */
let caller = 0;
let strangers = 0;
beforeEach(() => {
  caller += 1;
  world.front.state.fault = null;
  world.front.state.rbac = bindings({ 'oidc:viewers': { namespace: 'team-a', rights: clusterRoles.view } });
});

const health = 'subscription { serviceHealthChanged { type serviceRun { name } } }';
const logs = 'subscription { serviceRunLogs(by: { service: { namespace: "team-a", name: "web" } }) { line } }';
const tokenFor = (seconds: number, groups = ['viewers']) =>
  world.issuer.sign({ sub: `c${caller}`, groups, exp: Math.floor(clock.now() / 1000) + seconds });
const asked = (resource: string) =>
  world.front.questions.some((question) => question.user === `oidc:c${caller}` && question.resource === resource);

/** A socket on which the snapshot has been told. */
async function subscribed(seconds: number, groups?: string[]): Promise<Socket> {
  const connection = await openSocket(world.url, { authorization: `Bearer ${await tokenFor(seconds, groups)}` });
  expect((await connection.next()).type).toBe('connection_ack');
  connection.send({ id: '1', type: 'subscribe', payload: { query: health } });
  let text = '';
  while (!text.includes('SYNCED')) text = JSON.stringify(await connection.next());
  return connection;
}
/** Whether it still answers. */
async function isOpen(connection: Socket): Promise<boolean> {
  connection.send({ type: 'ping' });
  while ((await connection.next()).type !== 'pong') continue;
  return true;
}
/**
 * Time passes in small steps. In each a stranger of the same groups asks, for whom nothing is remembered: the cluster has
 * been asked for him when it has been asked for those whose rights are looked at again.
 */
async function pass(seconds: number, until = { over: false }): Promise<void> {
  for (let at = 0; at < seconds && !until.over; at++) {
    clock.advance(1000);
    strangers += 1;
    const stranger = { sub: `stranger${strangers}`, groups: ['viewers', 'editors'] };
    await world.ask(stranger, '{ serviceRuns { totalCount } }');
  }
}
const watching = (ended: Promise<unknown>) => {
  const state = { over: false };
  void ended.then(() => (state.over = true));
  return state;
};

describe('when the token expires', () => {
  test('a WebSocket is closed with 4403, at that very time', async () => {
    const connection = await subscribed(20);
    await pass(19);
    clock.advance(999 - (clock.now() % 1000));
    expect(await isOpen(connection)).toBe(true);
    clock.advance(1);
    expect(await connection.closed).toBe(4403);
  });

  test('a subscription over SSE ends', async () => {
    const events = await openStream(world.url, await tokenFor(20), health);
    await events.until('SYNCED');
    clock.advance(20_000);
    expect(await events.ended).toBe('cut');
  });

  test('nothing can be started with it, on no connection', async () => {
    const token = await tokenFor(5);
    expect((await send(world.url, { headers: bearer(token) })).status).toBe(200);
    clock.advance(5_000);
    expect((await send(world.url, { headers: bearer(token) })).status).toBe(401);
    const connection = await openSocket(world.url, { authorization: `Bearer ${token}` });
    expect(await connection.closed).toBe(4403);
  });

  test('what a socket still sends after the closing frame is not done', async () => {
    const connection = await openSocket(world.url, { authorization: `Bearer ${await tokenFor(5)}` });
    await connection.next();
    // The client is busy and has not seen the frame when it sends.
    connection.socket.pause();
    clock.advance(5_000);
    connection.send({ id: '1', type: 'subscribe', payload: { query: '{ serviceRuns { totalCount } }' } });
    connection.socket.resume();
    expect(await connection.closed).toBe(4403);
    expect(asked('deployments')).toBe(false);
  });
});

describe('when the right is withdrawn', () => {
  test('a WebSocket is closed with 4403 within 35 seconds', async () => {
    const connection = await subscribed(600);
    const began = clock.now();
    const state = watching(connection.closed);
    world.front.state.rbac = () => false;
    await pass(60, state);
    expect(await connection.closed).toBe(4403);
    expect(clock.now() - began).toBeLessThanOrEqual(35_000);
  });

  test('a subscription over SSE ends', async () => {
    const events = await openStream(world.url, await tokenFor(600), health);
    await events.until('SYNCED');
    const state = watching(events.ended);
    world.front.state.rbac = () => false;
    await pass(60, state);
    expect(await events.ended).toBe('cut');
  });

  test('followed logs end too, though seeing is still allowed', async () => {
    const token = await tokenFor(600);
    const connection = await openSocket(world.url, { authorization: `Bearer ${token}` });
    await connection.next();
    connection.send({ id: '1', type: 'subscribe', payload: { query: logs } });
    while (!asked('pods/log')) await world.front.asked();
    const rights = ['get deployments', 'list deployments'];
    world.front.state.rbac = bindings({ 'oidc:viewers': { namespace: 'team-a', rights } });
    const state = watching(connection.closed);
    await pass(60, state);
    expect(await connection.closed).toBe(4403);
  });

  test('no decision is no right: while the cluster can not be asked, subscriptions end', async () => {
    const connection = await subscribed(600);
    const state = watching(connection.closed);
    world.front.state.fault = (response) => response.destroy();
    await pass(60, state);
    expect(await connection.closed).toBe(4403);
  });

  test("another's subscription goes on", async () => {
    const editors = { namespace: 'team-a', rights: clusterRoles.edit };
    world.front.state.rbac = bindings({ 'oidc:editors': editors, 'oidc:viewers': editors });
    const connection = await subscribed(600, ['editors']);
    const other = await subscribed(600);
    const state = watching(other.closed);
    world.front.state.rbac = bindings({ 'oidc:editors': editors });
    await pass(60, state);
    expect(await other.closed).toBe(4403);
    expect(await isOpen(connection)).toBe(true);
    connection.socket.close();
  });
});

describe('when a right comes in addition', () => {
  test('what was not visible is told from then on', async () => {
    // The watch may wait to begin again, on this clock.
    const seen = world.run('shop', 'team-b', 'other');
    await pass(60, watching(seen));
    await seen;
    const events = await openStream(world.url, await tokenFor(600), health);
    await events.until('SYNCED');
    expect(events.text()).not.toContain('shop');
    world.front.state.rbac = bindings({ 'oidc:viewers': { namespace: '*', rights: clusterRoles.view } });
    const told = events.until('shop');
    await pass(35, watching(told));
    await told;
    expect(events.text()).toContain('RESET');
    events.leave();
  });
});
