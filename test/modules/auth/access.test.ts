import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Metrics } from '../../../src/modules/metrics/service.ts';
import { type TestClock, createTestClock } from '../../faults/test-clock.ts';
import { bindings, clusterRoles } from './cluster-front.ts';
import { type World, startWorld } from './world.ts';

// A clock that is mostly set and not moved, since only answers shall get older. Each test has its own callers.
let clock: TestClock;
let world: World;
beforeAll(async () => {
  clock = createTestClock(Date.now());
  world = await startWorld({ clock });
  world.front.state.rbac = () => true;
  await world.run('web', 'team-a', 'iris');
  await world.run('shop', 'team-b', 'other');
});
afterAll(() => world.stop());
beforeEach(() => {
  world.front.state.fault = null;
  world.front.state.rbac = () => true;
  world.front.questions.length = 0;
});

const later = (ms: number): void => clock.set(clock.now() + ms);
const seen = async (sub: string): Promise<unknown> => {
  const { text, code } = await world.ask(
    { sub, exp: clock.now() / 1000 + 600 },
    '{ serviceRuns(orderBy: { field: NAME, direction: ASC }) { nodes { name } } }',
  );
  return code ?? JSON.parse(text).data.serviceRuns.nodes.map(({ name }: { name: string }) => name);
};
const asked = () =>
  world.front.questions.map(({ verb, resource, namespace }) => `${verb} ${resource} ${namespace}`.trim());

describe('decisions of the cluster', () => {
  test('who may see everywhere is asked about once, whatever the namespaces', async () => {
    expect(await seen('ann')).toEqual(['shop', 'web']);
    expect(asked()).toEqual(['get deployments', 'list deployments']);
    expect(new Set(world.front.questions.map(({ user }) => user))).toEqual(new Set(['oidc:ann']));
  });

  test('who may see in one namespace is asked about in each, and never about a name', async () => {
    world.front.state.rbac = bindings({ 'oidc:ben': { namespace: 'team-b', rights: clusterRoles.view } });
    expect(await seen('ben')).toEqual(['shop']);
    expect(asked()).toContain('get deployments team-a');
    expect(asked()).toContain('list deployments team-b');
    expect(asked().filter((question) => question.includes('shop'))).toEqual([]);
  });

  test('get without list is not enough to see', async () => {
    world.front.state.rbac = ({ verb }) => verb === 'get';
    expect(await seen('gus')).toEqual([]);
  });

  test('a permission is remembered for 30 seconds', async () => {
    expect(await seen('cat')).toHaveLength(2);
    world.front.state.rbac = () => false;
    later(29_999);
    expect(await seen('cat')).toHaveLength(2);
    later(1);
    expect(await seen('cat')).toEqual([]);
  });

  test('a refusal is remembered for 5 seconds', async () => {
    world.front.state.rbac = () => false;
    expect(await seen('dan')).toEqual([]);
    world.front.state.rbac = () => true;
    later(4_999);
    expect(await seen('dan')).toEqual([]);
    later(1);
    expect(await seen('dan')).toHaveLength(2);
  });

  test('what is remembered of one is not another’s, also with other groups', async () => {
    world.front.state.rbac = bindings({ 'oidc:staff': { namespace: '*', rights: clusterRoles.view } });
    const query = '{ serviceRuns { totalCount } }';
    const count = async (claims: Record<string, unknown>) =>
      JSON.parse((await world.ask({ ...claims, exp: clock.now() / 1000 + 600 }, query)).text).data.serviceRuns
        .totalCount;
    expect(await count({ sub: 'eve', groups: ['staff'] })).toBe(2);
    expect(await count({ sub: 'eve', groups: [] })).toBe(0);
    expect(await count({ sub: 'eve', groups: ['st', 'aff'] })).toBe(0);
    expect(await count({ sub: 'fay', groups: ['staff'] })).toBe(2);
  });

  test('those who ask at the same time share one question', async () => {
    const release = world.front.hold();
    const first = world.front.asked();
    const answers = Array.from({ length: 50 }, () => seen('hal'));
    await first;
    release();
    for (const names of await Promise.all(answers)) expect(names).toHaveLength(2);
    expect(asked()).toEqual(['get deployments', 'list deployments']);
  });
});

test('the questions are counted by what was answered', async () => {
  const counted = async () => {
    const text = await (await fetch(world.server.modules.use(Metrics).url ?? '')).text();
    const count = (answer: string) =>
      Number(new RegExp(`^slipway_access_reviews_total\\{answer="${answer}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
    return ['allowed', 'denied', 'failed'].map(count);
  };
  const added = async (sub: string) => {
    const before = await counted();
    await seen(sub);
    return (await counted()).map((count, at) => count - (before[at] ?? 0));
  };
  expect(await added('kim')).toEqual([2, 0, 0]);
  world.front.state.rbac = () => false;
  const [given, refused] = await added('lea');
  expect(given).toBe(0);
  expect(refused).toBe(asked().length - 2);
  world.front.state.fault = (response) => void response.writeHead(500).end();
  const [allowed, denied, failed] = await added('max');
  expect([allowed, denied]).toEqual([0, 0]);
  expect(failed).toBeGreaterThan(0);
});

describe('while the cluster can not be asked', () => {
  test.each<[string, (response: import('node:http').ServerResponse) => void, string]>([
    ['it fails', (response) => void response.writeHead(500).end(), 'UNAVAILABLE'],
    ['it is overloaded', (response) => void response.writeHead(429, { 'retry-after': '1' }).end(), 'RATE_LIMITED'],
    ['it is gone', (response) => void response.destroy(), 'UNAVAILABLE'],
    ['it answers nonsense', (response) => void response.writeHead(201).end('yes'), 'UNAVAILABLE'],
    ['it answers without a decision', (response) => void response.writeHead(201).end('{}'), ''],
    ['it says yes in words', (response) => void response.writeHead(201).end('{"status":{"allowed":"true"}}'), ''],
    ['it says both', (response) => void response.writeHead(201).end('{"status":{"allowed":true,"denied":true}}'), ''],
    ['it refuses us', (response) => void response.writeHead(403).end(), 'INTERNAL'],
  ])('%s: nobody gets in', async (name, fault, code) => {
    world.front.state.fault = fault;
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, at) => seen(`${name}-${at}`.replaceAll(' ', '-'))),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(new Set([JSON.stringify(code || [])]));
    // And as soon as it is well again, everybody does: a failure is not remembered.
    world.front.state.fault = null;
    later(5_000);
    expect(await seen(`${name}-0`.replaceAll(' ', '-'))).toHaveLength(2);
  });

  test('a permission that is remembered serves until it is 30 seconds old, and no longer', async () => {
    expect(await seen('ivy')).toHaveLength(2);
    world.front.state.fault = (response) => response.destroy();
    later(29_999);
    for (let at = 0; at < 20; at++) expect(await seen('ivy')).toHaveLength(2);
    later(1);
    for (let at = 0; at < 20; at++) expect(await seen('ivy')).toBe('UNAVAILABLE');
  });

  test('a cluster that does not answer has not decided', async () => {
    const release = world.front.hold();
    const first = world.front.asked();
    const answer = seen('jon');
    await first;
    clock.advance(10_000);
    expect(await answer).toBe('TIMEOUT');
    release();
  });
});
