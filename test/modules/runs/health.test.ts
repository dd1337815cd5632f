import { describe, expect, test } from 'vitest';
import * as make from './objects.ts';
import { ended, look, oneUnready, waiting } from './diagnosis/scenes.ts';

const { ago, deployment, objects, pod, replicaSet, unready } = make;

describe('a run that is well', () => {
  test('is HEALTHY without a message or reasons, since its last Pod got ready', () => {
    expect(look(objects({ pods: [pod({ readySince: 1700 })] }))).toEqual({
      state: 'RUNNING',
      health: 'HEALTHY',
      message: null,
      reasons: [],
      restarts: 0,
      since: make.now - 1_700_000,
      changesAt: null,
    });
  });

  test('says when it has no readiness probe, and stays HEALTHY', () => {
    const containers = [{ name: 'main', image: 'shop:1' }];
    const judged = look(objects({ workload: deployment({ containers }) }));
    expect([judged.health, judged.message, judged.reasons.map(({ code }) => code)]).toEqual([
      'HEALTHY',
      null,
      ['NO_READINESS_PROBE'],
    ]);
  });

  test('mentions a single restart, and forgets it when the window is over', () => {
    const scene = objects({ pods: [pod({ container: { restartCount: 1, lastState: ended(1, { at: 60 }) } })] });
    const judged = look(scene);
    expect([judged.health, judged.restarts, judged.reasons[0]?.code]).toEqual(['HEALTHY', 1, 'CRASH_LOOP']);
    const { changesAt } = judged;
    expect(changesAt).toBe(make.now + 540_001);
    expect(look(scene, changesAt ?? 0)).toMatchObject({ restarts: 0, reasons: [], changesAt: null });
  });

  test('is DEGRADED while it is ready but keeps restarting', () => {
    const flapping = pod({ age: 300, container: { restartCount: 4, lastState: ended(1, { at: 60 }) } });
    expect(look(objects({ pods: [flapping] }))).toMatchObject({ health: 'DEGRADED', state: 'RUNNING', restarts: 4 });
  });

  test('mentions an eviction whose Pod was replaced', () => {
    const evicted = pod({
      name: 'web-1-old',
      ready: false,
      status: { phase: 'Failed', reason: 'Evicted', startTime: ago(100) },
      readySince: 50,
    });
    const judged = look(objects({ pods: [evicted, pod()] }));
    expect([judged.health, judged.reasons[0]?.code]).toEqual(['HEALTHY', 'EVICTED']);
  });

  test('names further Deployments that claim the same run', () => {
    const duplicates = [deployment({ metadata: { name: 'copy' } })];
    const judged = look(objects({ duplicates }));
    expect(judged.health).toBe('HEALTHY');
    expect(judged.reasons[0]).toMatchObject({
      rawReason: 'DuplicateWorkload',
      message: expect.stringContaining('copy'),
    });
  });
});

describe('several Pods', () => {
  const crashing = (name: string) =>
    pod({
      name,
      ready: false,
      age: 300,
      container: { ...waiting('CrashLoopBackOff'), restartCount: 3, lastState: ended(1) },
    });

  test('equal reasons are one, with the number of Pods', () => {
    const workload = deployment({ replicas: 3, status: { readyReplicas: 1, availableReplicas: 1 } });
    const judged = look(objects({ workload, pods: [pod(), crashing('web-1-b'), crashing('web-1-c')] }));
    expect([judged.health, judged.state, judged.restarts]).toEqual(['DEGRADED', 'RUNNING', 6]);
    expect(judged.reasons[0]).toMatchObject({ code: 'CRASH_LOOP', count: 2 });
    expect(judged.message).toMatch(/^2 of 3 Pods: Container main of Pod web-1-b/);
  });

  test('causes come before consequences', () => {
    const stalled = [{ type: 'Progressing', status: 'False' as const, reason: 'ProgressDeadlineExceeded' }];
    const workload = deployment({ status: { ...unready, conditions: stalled } });
    const judged = look(objects({ workload, pods: [crashing('web-1-b')], service: null }));
    expect(judged.reasons.map(({ code }) => code)).toEqual(['SERVICE_MISSING', 'CRASH_LOOP', 'ROLLOUT_STALLED']);
  });

  test('Pods on their way out are not judged', () => {
    const leaving = pod({ name: 'web-1-old', ready: false, metadata: { deletionTimestamp: ago(5) } });
    expect(look(objects({ pods: [leaving, pod()] }))).toMatchObject({ health: 'HEALTHY', reasons: [] });
  });
});

describe('time', () => {
  test('a slow start turns DEGRADED at the moment the view announced', () => {
    const scene = objects({
      workload: deployment({ status: unready }),
      pods: [pod({ ready: false, age: 10 })],
      slices: [],
    });
    const before = look(scene);
    expect([before.health, before.changesAt]).toEqual(['PROGRESSING', make.now + 50_001]);
    const after = look(scene, before.changesAt ?? 0);
    expect([after.health, after.reasons[0]?.code, after.changesAt]).toEqual(['DEGRADED', 'READINESS_FAILING', null]);
  });

  test('since is the time of the reason, never that of looking', () => {
    const scene = objects({ ...oneUnready({ age: 1800, readySince: 12 }) });
    expect(look(scene).since).toBe(make.now - 12_000);
    expect(look(scene, make.now + 5000).since).toBe(make.now - 12_000);
  });

  test('a stopped run has been so since it was stopped', () => {
    const metadata = { annotations: { 'slipway.dev/stopped-at': ago(40) } };
    const scene = objects({ workload: deployment({ replicas: 0, metadata }), pods: [], slices: [] });
    expect(look(scene).since).toBe(make.now - 40_000);
  });
});

test('a failure of an old ReplicaSet is not one of the run', () => {
  const failed = replicaSet('web-0', {
    status: { conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota: team' }] },
  });
  expect(look(objects({ replicaSets: [replicaSet(), failed] })).health).toBe('HEALTHY');
});
