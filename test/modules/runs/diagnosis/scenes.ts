import { describe, expect, test } from 'vitest';
import { situationOf } from '../../../../src/modules/runs/diagnosis/situation.ts';
import { judge } from '../../../../src/modules/runs/health.ts';
import type { HealthReasonCode, HealthStatus, RunObjects, RunState } from '../../../../src/modules/runs/service.ts';
import * as make from '../objects.ts';

const { ago, deployment, objects, pod, slice, unready } = make;

export const look = (scene: RunObjects, at = make.now) => judge(situationOf(scene, make.settings, at));
export const waiting = (reason: string, message?: string) => ({
  ready: false,
  state: { waiting: { reason, ...(message && { message }) } },
});
export const ended = (exitCode: number, parts: { reason?: string; message?: string; at?: number } = {}) => ({
  terminated: {
    exitCode,
    reason: parts.reason ?? 'Error',
    message: parts.message ?? '',
    finishedAt: ago(parts.at ?? 20),
  },
});
export const oneUnready = (parts: make.PodParts): Partial<RunObjects> => ({
  workload: deployment({ status: unready }),
  pods: [pod({ ready: false, ...parts })],
  slices: [slice([])],
});

/** code, health, state, scene, words the message and the hint must have. */
export type Row = [
  title: string,
  code: HealthReasonCode,
  health: HealthStatus,
  state: RunState,
  scene: Partial<RunObjects>,
  words: RegExp,
  hint: RegExp,
];

/** Each scene has this as its most important reason, and says so in words. */
export function expectRows(what: string, rows: readonly Row[]): void {
  describe(`reasons of ${what}`, () => {
    test.each(rows)('%s is %s, %s, %s', (_, code, health, state, scene, words, hint) => {
      const judged = look(objects(scene));
      const [first] = judged.reasons;
      expect({ code: first?.code, health: judged.health, state: judged.state }).toEqual({ code, health, state });
      expect(first?.message).toMatch(words);
      expect(first?.hint).toMatch(hint);
      expect(judged.message).toBe(first?.message);
    });
  });
}
