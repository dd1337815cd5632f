import { assert as holds, asyncProperty, boolean, shuffledSubarray } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { everything } from '../../../src/caller.ts';
import type { KubeObject } from '../../../src/k8s/resources.ts';
import type { RunSource } from '../../../src/modules/runs/service.ts';
import * as make from './objects.ts';
import { createWorld } from './world.ts';

const { deployment, pod, replicaSet, service, slice, unready, warning } = make;

const wellRun = (): KubeObject[] => [deployment(), replicaSet(), pod(), service(), slice()];
const readyPod = pod();
const crashingPod = pod({
  ready: false,
  age: 300,
  container: {
    ready: false,
    restartCount: 3,
    state: { waiting: { reason: 'CrashLoopBackOff' } },
    lastState: { terminated: { exitCode: 1, finishedAt: make.ago(20) } },
  },
});

async function started(...objects: KubeObject[]) {
  const world = createWorld();
  world.put(...objects);
  await world.begin();
  return world;
}

describe('views', () => {
  test('nothing is shown before the first lists are in: what is missing might only not be listed yet', async () => {
    const world = createWorld();
    world.put(deployment());
    await world.settled();
    expect([[...world.runs.all()], world.runs.started]).toEqual([[], false]);
    world.put(replicaSet(), pod(), service(), slice());
    await world.begin();
    expect(world.changes.map(({ after }) => after?.status.health)).toEqual(['HEALTHY']);
  });

  test('a run is found by key, id, primary Service and alias', async () => {
    const alias = service({ metadata: { name: 'web-latest', uid: 'alias' } });
    const { runs } = await started(...wellRun(), alias);
    const run = runs.get('lab/r1');
    expect(run?.status.health).toBe('HEALTHY');
    expect(runs.byId(run?.id ?? '')).toBe(run);
    expect(runs.byService('lab', 'web')).toBe(run);
    expect(runs.byService('lab', 'web-latest')).toBe(run);
    expect([runs.byId('nonsense'), runs.byService('lab', 'other'), runs.get('lab/r2')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('the events of one tick are one change of a run', async () => {
    const world = await started(...wellRun());
    const revision = world.runs.revision;
    world.put(deployment({ status: unready }), pod({ ready: false }), crashingPod, slice([]));
    await world.settled();
    expect(world.changes.slice(1)).toMatchObject([
      { before: { status: { health: 'HEALTHY' } }, after: { status: { health: 'DEGRADED' } }, revision: revision + 1 },
    ]);
  });

  test('what callers do not see is no change', async () => {
    const world = await started(...wellRun());
    const before = world.runs.get('lab/r1');
    world.put(pod());
    await world.settled();
    expect(world.changes).toHaveLength(1);
    expect(world.runs.get('lab/r1')).not.toBe(before);
  });

  test('a warning about one of its Pods reaches the run, of its labels or not', async () => {
    const world = await started(...wellRun());
    const unreadyRun = [deployment({ status: unready }), pod({ ready: false, age: 10 }), slice([])];
    world.put(...unreadyRun, warning('Unhealthy', 'Readiness probe failed: connection refused'));
    await world.settled();
    expect(world.runs.get('lab/r1')?.status.message).toContain('connection refused');
  });

  test('time alone changes a view when it said it would', async () => {
    const slow = [deployment({ status: unready }), replicaSet(), pod({ ready: false, age: 10 }), service(), slice([])];
    const world = await started(...slow);
    expect(world.runs.get('lab/r1')?.status.health).toBe('PROGRESSING');
    world.clock.advance(50_001);
    await world.settled();
    expect(world.changes.at(-1)?.after?.status.health).toBe('DEGRADED');
    world.runs.stop();
    expect(world.clock.waiting).toBe(0);
  });

  test('a rollout whose deadline passes is stalled, without an event', async () => {
    const begun = { status: 'True' as const, lastUpdateTime: make.ago(500), lastTransitionTime: make.ago(500) };
    const conditions = [{ type: 'Progressing', reason: 'ReplicaSetUpdated', ...begun }];
    const world = await started(
      deployment({ replicas: 2, status: { replicas: 3, updatedReplicas: 1, conditions } }),
      replicaSet(),
      pod(),
      pod({ name: 'web-1-b' }),
      service(),
      slice(),
    );
    expect(world.runs.get('lab/r1')?.status.health).toBe('PROGRESSING');
    world.clock.advance(100_001);
    await world.settled();
    expect(world.runs.get('lab/r1')?.status).toMatchObject({
      health: 'DEGRADED',
      since: make.now + 100_000,
      reasons: [{ code: 'ROLLOUT_STALLED' }, { code: 'ROLLING_OUT' }],
    });
  });

  describe('an old Pod that flaps', () => {
    const second = (offset: number) => make.ago(-offset);
    const old = (restarts: number, ended: number, ready: boolean) =>
      pod({
        age: 86_400,
        ready,
        readySince: ready ? -ended - 3 : -ended,
        container: {
          restartCount: restarts,
          state: ready ? { running: { startedAt: second(ended + 1) } } : { waiting: { reason: 'CrashLoopBackOff' } },
          lastState: { terminated: { exitCode: 1, finishedAt: second(ended) } },
        },
      });
    const healths = (world: Awaited<ReturnType<typeof started>>) =>
      world.changes.map(({ after }) => after?.status.health);

    test('is not HEALTHY between two restarts, and is again when the window is over', async () => {
      const world = await started(deployment(), replicaSet(), pod({ age: 86_400 }), service(), slice());
      for (const restart of [1, 2, 3]) {
        const at = restart * 100;
        world.clock.advance(100_000);
        for (const ready of [false, true]) {
          world.put(old(restart + 7, at, ready));
          await world.settled();
        }
      }
      // After the first restart it may be well; after the second it is not, however ready it looks.
      expect(healths(world)).toEqual([
        'HEALTHY',
        'DEGRADED',
        'HEALTHY',
        'DEGRADED',
        'DEGRADED',
        'DEGRADED',
        'DEGRADED',
      ]);
      expect(world.runs.get('lab/r1')?.status).toMatchObject({
        restarts: 3,
        since: make.now + 200_000,
        reasons: [{ code: 'CRASH_LOOP', count: 3 }],
      });
      world.clock.advance(500_001);
      await world.settled();
      expect(world.runs.get('lab/r1')?.status).toMatchObject({
        health: 'HEALTHY',
        restarts: 1,
        since: make.now + 800_001,
      });
      world.clock.advance(100_001);
      await world.settled();
      expect(world.runs.get('lab/r1')?.status).toMatchObject({ restarts: 0, reasons: [], since: make.now + 800_001 });
    });

    test('in readiness alone is not HEALTHY either', async () => {
      const world = await started(deployment(), replicaSet(), pod({ age: 86_400 }), service(), slice());
      for (const loss of [1, 2]) {
        world.clock.advance(60_000);
        for (const ready of [false, true]) {
          world.put(pod({ age: 86_400, ready, readySince: -loss * 60 - (ready ? 5 : 0) }));
          await world.settled();
        }
      }
      expect(healths(world)).toEqual(['HEALTHY', 'DEGRADED', 'HEALTHY', 'DEGRADED', 'DEGRADED']);
      expect(world.runs.get('lab/r1')?.status.message).toMatch(/stopped being ready 2 times in the last 10 minutes/);
      world.clock.advance(540_001);
      await world.settled();
      expect(world.runs.get('lab/r1')?.status).toMatchObject({ health: 'HEALTHY', since: make.now + 660_001 });
    });
  });

  describe('since', () => {
    test('is now where the cluster keeps no time for what happened', async () => {
      const world = await started(...wellRun());
      world.clock.advance(7_250);
      world.remove(service());
      await world.settled();
      expect(world.runs.get('lab/r1')?.status).toMatchObject({ health: 'MISSING', since: make.now + 7_000 });
      world.clock.advance(60_000);
      world.put(pod());
      await world.settled();
      expect(world.runs.get('lab/r1')?.status).toMatchObject({ health: 'MISSING', since: make.now + 7_000 });
    });

    test('stays while one reason takes the place of another', async () => {
      const world = await started(...wellRun());
      world.put(deployment({ status: unready }), pod({ ready: false, readySince: 20 }));
      await world.settled();
      world.put(
        pod({
          ready: false,
          age: 5,
          metadata: { name: 'web-1-b', uid: 'b' },
          container: { ready: false, state: { waiting: { reason: 'ErrImagePull' } } },
        }),
      );
      world.remove(pod());
      await world.settled();
      expect(world.runs.get('lab/r1')?.status).toMatchObject({
        health: 'DEGRADED',
        since: make.now - 20_000,
        reasons: [{ code: 'IMAGE_PULL', since: make.now - 5_000 }],
      });
    });
  });

  test('a run ends with its last object', async () => {
    const world = await started(...wellRun());
    world.remove(deployment());
    await world.settled();
    expect(world.runs.get('lab/r1')?.status.health).toBe('MISSING');
    world.remove(service());
    await world.settled();
    expect([world.runs.get('lab/r1'), world.changes.at(-1)?.after]).toEqual([undefined, undefined]);
  });

  test('a run that was deleted and made again is two runs, never a change of one', async () => {
    const world = await started(...wellRun());
    world.put(deployment({ metadata: { uid: 'another' } }));
    await world.settled();
    const told = world.changes.slice(1).map(({ before, after }) => [before?.uid, after?.uid]);
    expect(told).toEqual([
      ['uid-web', undefined],
      [undefined, 'another'],
    ]);
  });

  test('a label that moves an object to another run changes both', async () => {
    const world = await started(...wellRun());
    const moved = deployment({
      metadata: { labels: { 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': 'r2' } },
    });
    world.put(moved);
    await world.settled();
    expect(world.runs.get('lab/r1')?.status.reasons[0]?.code).toBe('WORKLOAD_MISSING');
    expect(world.runs.get('lab/r2')?.name).toBe('web');
  });

  test('of two Deployments that claim one run the older is it, and the other is named', async () => {
    const copy = deployment({ metadata: { name: 'copy', uid: 'copy', creationTimestamp: make.ago(10) } });
    const { runs } = await started(copy, ...wellRun());
    expect(runs.get('lab/r1')).toMatchObject({
      name: 'web',
      status: { reasons: [{ rawReason: 'DuplicateWorkload' }] },
    });
  });

  test('the revision moves when the cluster turns stale: answers may not be reused', async () => {
    const world = await started(...wellRun());
    const { revision } = world.runs;
    world.stale();
    expect(world.runs.revision).toBe(revision + 1);
  });

  test('a listener that throws harms nobody else', async () => {
    const world = createWorld();
    const heard: string[] = [];
    world.runs.subscribe(() => {
      throw new Error('broken');
    });
    world.runs.subscribe(({ key }) => heard.push(key));
    world.put(...wellRun());
    await world.begin();
    expect(heard).toEqual(['lab/r1']);
  });

  test('a source of another module is asked after the built-in ones', async () => {
    const other: RunSource = {
      name: 'acme',
      identify: (object) =>
        object.metadata.labels?.['acme'] === undefined
          ? null
          : { runId: 'a1', project: null, function: null, kind: null, user: null, protocol: 'HTTP', model: null },
    };
    const world = createWorld([other]);
    world.put(deployment({ metadata: { labels: { acme: 'x' } } }), service());
    await world.begin();
    expect(world.runs.get('lab/a1')).toMatchObject({ source: 'acme', status: { service: null } });
  });
});

test('any order of the same events ends in the same views', async () => {
  const final = [deployment({ status: unready }), replicaSet(), crashingPod, service(), slice([])];
  const noise = [readyPod, service({ spec: { selector: { x: 'y' } } }), deployment({ replicas: 2 }), slice()];
  const seen = async (first: KubeObject[], second: KubeObject[], late: boolean) => {
    const world = createWorld();
    if (!late) await world.begin();
    world.put(...first);
    await world.settled();
    world.put(...second, warning('BackOff', 'Back-off restarting failed container'));
    if (late) await world.begin();
    await world.settled();
    const run = world.runs.get('lab/r1');
    world.runs.stop();
    // Since when is what a server saw: only one that saw another health before knows that this one is newer.
    return run && { ...run, objects: null, status: { ...run.status, since: 0 } };
  };
  const expected = await seen([], final, true);
  expect(expected?.status.reasons[0]?.code).toBe('CRASH_LOOP');
  const shuffled = <T>(items: readonly T[]) => shuffledSubarray([...items], { minLength: items.length });
  await holds(
    asyncProperty(shuffled(noise), shuffled(final), boolean(), async (first, second, late) => {
      expect(await seen(first, second, late)).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});

test('an event costs as much as the runs it touches, however many there are', async () => {
  const world = createWorld();
  const labels = (id: string) => ({ 'app.kubernetes.io/managed-by': 'slipway', 'slipway.dev/run': id });
  for (let index = 0; index < 500; index++) {
    const [id, name] = [`n${index}`, `web-${index}`];
    world.put(
      deployment({ metadata: { name, uid: `d-${id}`, labels: labels(id) } }),
      service({ metadata: { name, uid: `s-${id}`, labels: labels(id) } }),
    );
  }
  await world.begin();
  const before = new Map([...world.runs.all()].map((run) => [run.key, run]));
  world.put(deployment({ metadata: { name: 'web-7', uid: 'd-n7', labels: labels('n7') }, status: unready }));
  await world.settled();
  const recomputed = [...world.runs.all()].filter((run) => before.get(run.key) !== run);
  expect(recomputed.map((run) => run.key)).toEqual(['lab/n7']);
});

describe('filters', () => {
  const found = async (filter: Parameters<Awaited<ReturnType<typeof started>>['runs']['matcher']>[0]) => {
    const second = {
      'app.kubernetes.io/managed-by': 'slipway',
      'slipway.dev/run': 'r2',
      'slipway.dev/project': 'shop',
    };
    const stopped = deployment({
      replicas: 0,
      metadata: { name: 'batch', uid: 'batch', labels: { ...second, tier: 'b' } },
    });
    const { runs } = await started(...wellRun(), stopped);
    const matches = runs.matcher(filter);
    return [...runs.all()].filter((run) => runs.includes(everything, run) && matches(run)).map((run) => run.runId);
  };

  test.each([
    [{}, ['r1', 'r2']],
    [{ project: null, state: null }, ['r1', 'r2']],
    [{ project: [] }, []],
    [{ project: ['shop'] }, ['r2']],
    [{ namespace: ['lab'] }, ['r1', 'r2']],
    [{ namespace: ['other'] }, []],
    [{ source: ['slipway'], kind: ['container+serve'] }, ['r1', 'r2']],
    [{ state: ['STOPPED' as const] }, ['r2']],
    [{ health: ['HEALTHY' as const] }, ['r1']],
    [{ active: true }, ['r1']],
    [{ active: false }, ['r2']],
    [{ search: 'BAT' }, ['r2']],
    [{ search: 'shop batch' }, ['r2']],
    [{ search: 'batch web' }, []],
    [{ labelSelector: 'tier in (b,c)' }, ['r2']],
    [{ labelSelector: '!tier' }, ['r1']],
  ])('%j', async (filter, expected) => {
    expect(await found(filter)).toEqual(expected);
  });

  test('a bad label selector is INVALID on its field', async () => {
    const { runs } = await started();
    expect(() => runs.matcher({ labelSelector: 'a in (' })).toThrow(
      expect.objectContaining({ code: 'INVALID', field: 'filter.labelSelector' }),
    );
  });
});
