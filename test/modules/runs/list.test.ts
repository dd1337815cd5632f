import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Scope, everything } from '../../../src/caller.ts';
import { type ServiceRunOrder, listRuns } from '../../../src/modules/runs/list.ts';
import type { RunView } from '../../../src/modules/runs/service.ts';
import type { PageArgs } from '../../../src/schema/paging.ts';
import * as make from './objects.ts';
import { createWorld } from './world.ts';

const labels = (id: string) => ({
  'app.kubernetes.io/managed-by': 'slipway',
  'slipway.dev/run': id,
  'slipway.dev/project': `p${Number(id.slice(1)) % 7}`,
});
const metadata = (id: string) => ({
  name: `web-${id}`,
  uid: `d-${id}`,
  namespace: Number(id.slice(1)) % 2 === 0 ? 'lab' : 'vault',
  labels: labels(id),
  // Many are made in the same second.
  creationTimestamp: make.ago(3600 - (Number(id.slice(1)) % 50)),
});
/** A run that is well, or whose rollout stalled so many seconds ago. */
const deployment = (id: string, stalled: number | null = null) => {
  const condition = { type: 'Progressing', status: 'False' as const, reason: 'ProgressDeadlineExceeded' };
  const conditions = stalled === null ? [] : [{ ...condition, lastTransitionTime: make.ago(stalled) }];
  return make.deployment({
    replicas: stalled === null ? 0 : 1,
    metadata: metadata(id),
    status: { conditions, replicas: 2, updatedReplicas: 1 },
  });
};
const service = (id: string) => make.service({ metadata: { ...metadata(id), uid: `s-${id}` } });

async function crowd(size: number) {
  const world = createWorld();
  const ids = Array.from({ length: size }, (_, index) => `r${index}`);
  for (const id of ids) world.put(deployment(id), service(id));
  await world.begin();
  return { ...world, ids };
}

const orders: ServiceRunOrder[] = (['CREATED_AT', 'NAME', 'PROJECT', 'HEALTH', 'LAST_CHANGED_AT'] as const).flatMap(
  (field) => (['ASC', 'DESC'] as const).map((direction) => ({ field, direction })),
);

/** A CI run has 10,000. */
const crowded = Number(process.env['SLIPWAY_PAGING_RUNS'] ?? 2_000);

describe('paging through thousands of runs that change meanwhile', () => {
  const change = fc.record({
    what: fc.constantFrom('fail' as const, 'fail' as const, 'recover' as const, 'make' as const, 'remove' as const),
    which: fc.nat(),
    ago: fc.integer({ min: 1, max: 500 }),
  });
  const reading = fc.record({
    orderBy: fc.constantFrom(...orders),
    size: fc.integer({ min: 60, max: 200 }),
    backwards: fc.boolean(),
    changes: fc.array(fc.array(change, { minLength: 1, maxLength: 12 }), { minLength: 10, maxLength: 40 }),
  });

  test('shows no run twice and loses none', async () => {
    const world = await crowd(crowded);
    const alive = new Set(world.ids);
    let made = world.ids.length;
    const carryOut = ({ what, which, ago }: typeof change extends fc.Arbitrary<infer T> ? T : never) => {
      const id = [...alive][which % alive.size] ?? '';
      if (what === 'fail') world.put(deployment(id, ago));
      else if (what === 'recover') world.put(deployment(id));
      else if (what === 'make') {
        const fresh = `r${made++}`;
        world.put(deployment(fresh), service(fresh));
        alive.add(fresh);
      } else {
        world.remove(deployment(id), service(id));
        alive.delete(id);
      }
    };
    await fc.assert(
      fc.asyncProperty(reading, async ({ orderBy, size, backwards, changes }) => {
        const before = new Set(alive);
        const seen: string[] = [];
        let page: PageArgs = backwards ? { last: size } : { first: size };
        for (let turn = 0; ; turn++) {
          const { edges, pageInfo } = listRuns(world.runs, everything, { orderBy, ...page });
          seen.push(...edges.map(({ node }) => node.runId));
          if (!(backwards ? pageInfo.hasPreviousPage : pageInfo.hasNextPage)) break;
          page = backwards ? { last: size, before: pageInfo.startCursor } : { first: size, after: pageInfo.endCursor };
          for (const one of changes[turn % changes.length] ?? []) carryOut(one);
          world.clock.advance(turn % 3);
          await world.settled();
        }
        expect(seen.length - new Set(seen).size).toBe(0);
        const found = new Set(seen);
        expect([...before].filter((id) => alive.has(id) && !found.has(id))).toEqual([]);
      }),
      { numRuns: 20, endOnFailure: true },
    );
  }, 600_000);
});

describe('orders', () => {
  const care = ['DEGRADED', 'MISSING', 'UNKNOWN', 'PROGRESSING', 'SUSPENDED', 'HEALTHY'];
  const keys: Record<ServiceRunOrder['field'], (run: RunView) => string | number> = {
    CREATED_AT: (run) => run.createdAt,
    NAME: (run) => run.name,
    PROJECT: (run) => run.project ?? '',
    HEALTH: ({ status }) => care.indexOf(status.health),
    LAST_CHANGED_AT: ({ status }) => status.since,
  };

  test.each(orders)('$field $direction', async ({ field, direction }) => {
    const world = await crowd(60);
    for (const [index, id] of world.ids.entries()) if (index % 3 === 0) world.put(deployment(id, 7 * index + 1));
    await world.settled();
    const { edges } = listRuns(world.runs, everything, { first: 60, orderBy: { field, direction } });
    const values = edges.map(({ node }) => keys[field](node));
    const sorted = values.toSorted((a, b) => (a < b ? -1 : Number(a > b)));
    expect(values).toEqual(direction === 'ASC' ? sorted : sorted.toReversed());
    expect(new Set(values).size).toBeGreaterThan(1);
  });

  test('newest first when none is given', async () => {
    const { runs } = await crowd(60);
    const orderBy: ServiceRunOrder = { field: 'CREATED_AT', direction: 'DESC' };
    expect(listRuns(runs, everything, {}).edges).toEqual(listRuns(runs, everything, { orderBy }).edges);
  });
});

describe('cursors', () => {
  test('of one order are not those of another, and of none when the list is empty', async () => {
    const { runs } = await crowd(10);
    const refusal = (args: Parameters<typeof listRuns>[2], scope: Scope = everything) => {
      try {
        listRuns(runs, scope, args);
      } catch (error) {
        const { code, field, reason } = error as { code: string; field: string; reason: string };
        return [code, field, reason];
      }
      return 'accepted';
    };
    const after = listRuns(runs, everything, { first: 2 }).pageInfo.endCursor;
    const nothing: Scope = { key: '', includes: () => false };
    const bad = ['INVALID', 'after', 'BAD_CURSOR'];
    expect(refusal({ after })).toBe('accepted');
    expect(refusal({ after }, nothing)).toBe('accepted');
    expect(refusal({ after, orderBy: { field: 'NAME', direction: 'ASC' } })).toEqual(bad);
    for (const garbage of ['', 'nonsense', 'W10', Buffer.from('["NAME",1,2]').toString('base64url')]) {
      expect(refusal({ after: garbage })).toEqual(bad);
      expect(refusal({ after: garbage }, nothing)).toEqual(bad);
    }
  });

  test('are read by a server that was not there when they were made', async () => {
    const orderBy: ServiceRunOrder = { field: 'HEALTH', direction: 'ASC' };
    const [one, other] = [await crowd(30), await crowd(30)];
    const { pageInfo } = listRuns(one.runs, everything, { first: 10, orderBy });
    const next = { first: 10, after: pageInfo.endCursor, orderBy };
    const names = ({ runs }: typeof one) => listRuns(runs, everything, next).edges.map(({ node }) => node.name);
    expect(names(other)).toEqual(names(one));
  });
});

test('counts and pages hold nothing the caller may not see, and another namespace looks like an empty one', async () => {
  const { runs } = await crowd(100);
  const lab: Scope = { key: 'lab', includes: ({ namespace }) => namespace === 'lab' };
  const page = listRuns(runs, lab, { first: 10 });
  expect([page.totalCount, page.edges.every(({ node }) => node.namespace === 'lab')]).toEqual([50, true]);
  const hidden = listRuns(runs, lab, { filter: { namespace: ['vault'] } });
  expect(hidden).toEqual(listRuns(runs, lab, { filter: { namespace: ['nowhere'] } }));
  expect(hidden).toEqual({
    edges: [],
    totalCount: 0,
    pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
  });
});
