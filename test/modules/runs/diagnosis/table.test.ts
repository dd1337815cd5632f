import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HealthReasonCode } from '../../../../src/modules/runs/service.ts';
import { withStaleness } from '../../../../src/modules/runs/staleness.ts';
import { view } from '../../../../src/modules/runs/view.ts';
import { contractEnum } from '../../../schema/contract-enum.ts';
import * as make from '../objects.ts';
import { rows as containers } from './containers.rows.ts';
import { rows as network } from './network.rows.ts';
import { rows as pods } from './pods.rows.ts';
import { rows as probes } from './probes.rows.ts';
import { look } from './scenes.ts';
import { rows as together } from './together.rows.ts';
import { rows as workload } from './workload.rows.ts';

const rows = [...containers, ...probes, ...pods, ...network, ...workload, ...together];
const { deployment, objects, service } = make;

describe('the most important reason', () => {
  test.each(rows)('%s is %s, %s, %s', (_, code, health, state, scene, words, hint, codes) => {
    const judged = look(objects(scene));
    const [first] = judged.reasons;
    expect({ code: first?.code, health: judged.health, state: judged.state }).toEqual({ code, health, state });
    expect(first?.message).toMatch(words);
    expect(first?.hint).toMatch(hint);
    expect(judged.message).toBe(first?.message);
    const said = judged.reasons.map((reason) => reason.code);
    expect(said).toEqual(codes ?? said);
  });

  test.each(rows)('of %s says what it is about, since when, and how often', (_, __, ___, ____, scene) => {
    for (const { object, hint, since, count } of look(objects(scene)).reasons) {
      expect(object).toMatchObject({ namespace: 'lab', name: expect.stringMatching(/^web/) });
      expect(hint).toMatch(/^\S.*\.$/);
      expect(since).toBeLessThanOrEqual(make.now);
      expect(count).toBeGreaterThanOrEqual(1);
    }
  });
});

test('every reason code of the contract can come about', () => {
  const reached = new Set(rows.flatMap(([, , , , scene]) => look(objects(scene)).reasons.map(({ code }) => code)));
  const identity = { runId: 'r1', project: null, function: null, kind: null, user: null, model: null };
  const well = view(objects(), { ...identity, protocol: 'HTTP', source: 'slipway' }, make.now, {
    ...make.settings,
    addressing: 'dns',
  });
  const stale = withStaleness(well, { state: 'STALE', staleSince: make.now - 6000 });
  for (const { code, object } of stale.status.reasons) {
    expect(object).toMatchObject({ kind: 'Deployment', name: 'web' });
    reached.add(code);
  }
  expect([...reached].sort()).toEqual(contractEnum('HealthReasonCode').sort());
});

describe('time', () => {
  const day = 86_400_000;

  test.each(rows)('of %s: a judgment holds until the moment it names, without an event', (_, __, ___, ____, scene) => {
    const run = objects(scene);
    const steps = [{ from: make.now, judged: look(run) }];
    for (let next = steps[0]?.judged.changesAt ?? null; next !== null; ) {
      expect(next).toBeGreaterThan(steps.at(-1)?.from ?? 0);
      expect(next).toBeLessThan(make.now + day);
      const judged = look(run, next);
      steps.push({ from: next, judged });
      next = judged.changesAt;
    }
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3_600_000 }), (later) => {
        const at = make.now + later;
        expect(look(run, at)).toEqual(steps.findLast(({ from }) => from <= at)?.judged);
      }),
      { numRuns: 40 },
    );
  });

  test('since moves on when health changes with time', () => {
    const moves = rows.flatMap(([title, , , , scene]) => {
      const run = objects(scene);
      const found: [title: string, before: number, after: number][] = [];
      let before = look(run);
      for (let next = before.changesAt; next !== null; next = before.changesAt) {
        const after = look(run, next);
        if (after.health !== before.health) found.push([title, before.since, after.since]);
        before = after;
      }
      return found;
    });
    expect(moves.length).toBeGreaterThan(10);
    expect(moves.filter(([, before, after]) => after <= before)).toEqual([]);
  });
});

describe('what is no fault', () => {
  const codesOf = (scene: Parameters<typeof objects>[0]) => {
    const { health, reasons } = look(objects(scene));
    return [health, ...reasons.map(({ code }): HealthReasonCode => code)];
  };
  const to = (targetPort: number | string) => service({ spec: { ports: [{ port: 80, targetPort }] } });

  test.each([
    ['a port that no container declares, when one of them declares none', [make.container({ ports: [] })], to(9999)],
    ['a port that a probe asks', [make.container({ ports: [{ containerPort: 9090 }] })], to(8080)],
    [
      'a named port of a sidecar',
      [make.container(), make.container({ name: 'proxy', ports: [{ name: 'web', containerPort: 8443 }] })],
      to('web'),
    ],
  ])('%s', (_, containersOfRun, target) => {
    expect(codesOf({ workload: deployment({ containers: containersOfRun }), service: target })).toEqual(['HEALTHY']);
  });

  test('no readiness probe', () => {
    const bare = deployment({ containers: [{ name: 'main', image: 'shop:1' }] });
    expect(codesOf({ workload: bare })).toEqual(['HEALTHY', 'NO_READINESS_PROBE']);
  });

  test('an ExternalName Service, and one whose endpoints are somebody else’s work', () => {
    const external = service({ spec: { type: 'ExternalName', externalName: 'api.example' } });
    expect(codesOf({ service: external, slices: [] })).toEqual(['HEALTHY']);
    const foreign = service({ spec: { selector: {}, ports: [{ port: 80, targetPort: 1 }] } });
    expect(codesOf({ service: foreign })).toEqual(['HEALTHY']);
  });

  test('Events that the server may not read', () => {
    expect(codesOf({ unreadable: ['Event'] })).toEqual(['HEALTHY', 'UNKNOWN']);
  });
});
