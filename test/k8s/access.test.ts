import { describe, expect, test } from 'vitest';
import { type Caller, fullAccess, localCaller } from '../../src/caller.ts';
import { createReviewedAccess } from '../../src/k8s/access.ts';
import { ApiError } from '../../src/k8s/api-error.ts';
import { createKubeClient } from '../../src/k8s/client.ts';
import { createTransport } from '../../src/k8s/transport.ts';
import { createTestClock } from '../faults/test-clock.ts';
import { startHttpServer } from './http-world.ts';

interface Review {
  user: string;
  groups: string[];
  resourceAttributes: { verb: string; group: string; resource: string; subresource?: string; namespace?: string };
}

const alice: Caller = { ...localCaller, local: false, name: 'oidc:alice', groups: ['oidc:dev', 'oidc:a'] };

/** A cluster that decides by a function, and what it was asked: `user verb group/resource namespace`. */
async function startReviews(allows: (review: Review) => boolean | 'denied' | ApiError) {
  const clock = createTestClock();
  const rules = { allows };
  const asked: Review[] = [];
  const server = await startHttpServer(({ body }, response) => {
    const { spec } = JSON.parse(body) as { spec: Review };
    asked.push(spec);
    const answer = rules.allows(spec);
    response.setHeader('content-type', 'application/json');
    if (answer instanceof ApiError) response.writeHead(answer.status).end(JSON.stringify({ kind: 'Status' }));
    else response.end(JSON.stringify({ status: { allowed: answer !== false, denied: answer === 'denied' } }));
  });
  const transport = createTransport({ url: server.url });
  const access = createReviewedAccess({
    client: createKubeClient(transport),
    namespaces: () => ['lab', 'prod', 'lab'],
    clock,
    signal: new AbortController().signal,
  });
  return {
    clock,
    rules,
    access,
    asked,
    questions: () =>
      asked.map(({ user, resourceAttributes: { verb, group, resource, subresource, namespace } }) =>
        [user, verb, [group, resource, subresource].filter(Boolean).join('/'), namespace ?? '*'].join(' '),
      ),
    async [Symbol.asyncDispose]() {
      await transport.close();
      await server.close();
    },
  };
}

const inLab = ({ resourceAttributes }: Review) => resourceAttributes.namespace === 'lab';

describe('rights by the RBAC of the cluster', () => {
  test('one question for each right and namespace, with the groups that the cluster adds', async () => {
    await using world = await startReviews(inLab);
    const scope = await world.access(alice).scope('see');
    expect([scope.includes({ namespace: 'lab' }), scope.includes({ namespace: 'prod' })]).toEqual([true, false]);
    // Where one right is missing, nobody asks for the other.
    expect(world.questions().toSorted()).toEqual(
      ['get *', 'get lab', 'get prod', 'list lab'].map((right) => {
        const [verb, where] = right.split(' ');
        return `oidc:alice ${verb} apps/deployments ${where}`;
      }),
    );
    expect(world.asked[0]?.groups).toEqual(['oidc:a', 'oidc:dev', 'system:authenticated']);
  });

  test('whoever may everywhere is not asked about each namespace, and has one scope', async () => {
    await using world = await startReviews(() => true);
    const scope = await world.access(alice).scope('see');
    expect(scope.includes({ namespace: 'not-known-yet' })).toBe(true);
    expect(world.asked).toHaveLength(2);
    expect((await world.access({ ...alice, name: 'oidc:bob' }).scope('see')).key).toBe(scope.key);
  });

  test('both of two rights, or one of two, as the verb needs', async () => {
    await using world = await startReviews(({ resourceAttributes: { verb } }) => verb === 'get' || verb === 'delete');
    const access = world.access(alice);
    expect(await access.allows('see', { namespace: 'lab' })).toBe(false);
    expect(await access.allows('act', { namespace: 'lab' })).toBe(true);
    expect(await access.allows('logs', { namespace: 'lab' })).toBe(true);
    expect(await access.allows('invoke', { namespace: 'lab' })).toBe(false);
  });

  test('denied is no, whatever else is said', async () => {
    await using world = await startReviews(() => 'denied');
    expect(await world.access(alice).allows('see', { namespace: 'lab' })).toBe(false);
  });

  test('yes is remembered for 30 s, no for 5 s', async () => {
    await using world = await startReviews(() => true);
    const ask = () => world.access(alice).allows('logs', { namespace: 'lab' });
    expect(await ask()).toBe(true);
    world.rules.allows = () => false;
    world.clock.advance(29_000);
    expect(await ask()).toBe(true);
    expect(world.asked).toHaveLength(1);
    world.clock.advance(1_000);
    expect(await ask()).toBe(false);
    world.rules.allows = () => true;
    world.clock.advance(4_000);
    expect(await ask()).toBe(false);
    world.clock.advance(1_000);
    expect(await ask()).toBe(true);
  });

  test('who asks at the same time waits for the same answer; another user or group has an own one', async () => {
    await using world = await startReviews(() => true);
    const ask = (caller: Caller) => world.access(caller).allows('logs', { namespace: 'lab' });
    await Promise.all([ask(alice), ask(alice), ask({ ...alice, groups: alice.groups.toReversed() })]);
    expect(world.asked).toHaveLength(1);
    await Promise.all([ask({ ...alice, name: 'oidc:bob' }), ask({ ...alice, groups: [] })]);
    expect(world.asked).toHaveLength(3);
  });

  test.for([500, 503, 403, 401, 429])('no decision (%i), no access, and it is not remembered', async (status) => {
    await using world = await startReviews(() => new ApiError(status, '', ''));
    const ask = () => world.access(alice).allows('logs', { namespace: 'lab' });
    await expect(ask()).rejects.toMatchObject({
      code: status === 403 ? 'INTERNAL' : status === 429 ? 'RATE_LIMITED' : 'UNAVAILABLE',
    });
    world.rules.allows = () => true;
    expect(await ask()).toBe(true);
  });

  test('what is remembered still holds while the cluster can not be asked', async () => {
    await using world = await startReviews(() => true);
    const ask = () => world.access(alice).allows('logs', { namespace: 'lab' });
    await ask();
    world.rules.allows = () => new ApiError(503, '', '');
    expect(await ask()).toBe(true);
    world.clock.advance(30_000);
    await expect(ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test("nobody is Kubernetes' own nobody, and the local user is not asked about", async () => {
    await using world = await startReviews(() => false);
    await world
      .access({ ...alice, name: 'system:admin', groups: ['system:masters'], anonymous: true })
      .allows('logs', { namespace: 'lab' });
    expect(world.asked[0]).toMatchObject({ user: 'system:anonymous', groups: ['system:unauthenticated'] });
    expect(world.access(localCaller)).toBe(fullAccess);
  });
});
