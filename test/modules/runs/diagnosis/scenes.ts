import { situationOf } from '../../../../src/modules/runs/diagnosis/situation.ts';
import { judge } from '../../../../src/modules/runs/health.ts';
import type { HealthReasonCode, HealthStatus, RunObjects, RunState } from '../../../../src/modules/runs/service.ts';
import * as make from '../objects.ts';

const { ago, deployment, pod, slice, unready } = make;

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

/** What was seen of the Pod: seconds since its container ended, and since it stopped being ready. */
export function seen({ ends = [], losses = [] }: { ends?: number[]; losses?: number[] }) {
  const times = (seconds: number[]) => seconds.map((second) => Date.parse(ago(second)));
  return new Map([['uid-web-1-a', { ends: new Map([['main', times(ends)]]), losses: times(losses) }]]);
}

/** code, health, state, scene, words the message and the hint must have; all codes in order where more than one matters. */
export type Row = [
  title: string,
  code: HealthReasonCode,
  health: HealthStatus,
  state: RunState,
  scene: Partial<RunObjects>,
  words: RegExp,
  hint: RegExp,
  codes?: HealthReasonCode[],
];
