import type { KubeObject } from '../../../k8s/resources.ts';
import type { HealthReason, HealthReasonCode, HealthStatus, Millis, ObjectRef } from '../service.ts';

/** One thing that is to be said about a run, and the health it stands for: HEALTHY when it is for information only. */
export interface Finding {
  reason: HealthReason;
  health: HealthStatus;
  /** When it came to stand for this health, where that is later than its reason began: patience has run out. */
  from?: Millis;
  /** When it may be judged otherwise though nothing changes. */
  changesAt?: Millis;
}

export interface FindingParts {
  health: HealthStatus;
  message: string;
  hint: string;
  object: KubeObject | null;
  rawReason?: string | undefined;
  since?: Millis | null | undefined;
  count?: number;
  from?: Millis | undefined;
  changesAt?: Millis | undefined;
}

export function finding(code: HealthReasonCode, parts: FindingParts): Finding {
  return {
    health: parts.health,
    reason: {
      code,
      rawReason: parts.rawReason || null,
      message: parts.message,
      hint: parts.hint,
      object: parts.object && referTo(parts.object),
      count: parts.count ?? 1,
      since: parts.since ?? null,
    },
    ...(parts.from !== undefined && { from: parts.from }),
    ...(parts.changesAt !== undefined && { changesAt: parts.changesAt }),
  };
}

export function referTo(object: KubeObject): ObjectRef {
  return {
    apiVersion: object.apiVersion ?? null,
    kind: object.kind,
    namespace: object.metadata.namespace ?? null,
    name: object.metadata.name,
  };
}

/** Worst first: the run has the health of its first finding. */
const severity: Record<HealthStatus, number> = {
  SUSPENDED: 0,
  MISSING: 1,
  DEGRADED: 2,
  UNKNOWN: 3,
  PROGRESSING: 4,
  HEALTHY: 5,
};

/** Of equal severity, causes before their consequences. */
const importance: readonly HealthReasonCode[] = [
  'TERMINATING',
  'SCALED_TO_ZERO',
  'WORKLOAD_MISSING',
  'SERVICE_MISSING',
  'QUOTA_EXCEEDED',
  'ADMISSION_DENIED',
  'UNSCHEDULABLE',
  'VOLUME_PENDING',
  'IMAGE_PULL',
  'CONTAINER_CONFIG',
  'OOM_KILLED',
  'CRASH_LOOP',
  'LIVENESS_FAILING',
  'STARTUP_FAILING',
  'READINESS_FAILING',
  'NODE_LOST',
  'EVICTED',
  'SELECTOR_MISMATCH',
  'PORT_MISMATCH',
  'NO_ENDPOINTS',
  'ROLLOUT_STALLED',
  'UNKNOWN',
  'ROLLING_OUT',
  'STARTING',
  'NO_READINESS_PROBE',
  'STALE',
];

/** A run whose rollout is paused goes on serving: what is wrong with it comes first. */
function severityOf({ health, reason }: Finding): number {
  return health === 'SUSPENDED' && reason.code === 'ROLLING_OUT' ? severity.DEGRADED + 0.5 : severity[health];
}

/** Most important first. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return [...findings].sort(
    (a, b) => severityOf(a) - severityOf(b) || importance.indexOf(a.reason.code) - importance.indexOf(b.reason.code),
  );
}

/** Equal findings of several Pods as one, with the number of Pods and the earliest time. */
export function mergeByPod(found: readonly Finding[][], total: number): Finding[] {
  const groups = new Map<string, Finding[]>();
  for (const ofPod of found) {
    // Within one Pod the same code may come from two containers: it still counts once.
    for (const [code, first] of new Map(ofPod.map((item) => [`${item.reason.code} ${item.health}`, item]))) {
      groups.set(code, [...(groups.get(code) ?? []), first]);
    }
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    if (group.length === 1) return [first];
    const since = earliest(group.map((item) => item.reason.since));
    const from = earliest(group.map((item) => item.from));
    const changesAt = earliest(group.map((item) => item.changesAt));
    const message = `${group.length} of ${total} Pods: ${first.reason.message}`;
    const reason = { ...first.reason, message, count: group.length, since };
    return [{ ...first, reason, ...(from !== null && { from }), ...(changesAt !== null && { changesAt }) }];
  });
}

export function earliest(times: readonly (Millis | null | undefined)[]): Millis | null {
  const known = times.filter((time): time is Millis => typeof time === 'number');
  return known.length > 0 ? Math.min(...known) : null;
}

export function latest(times: readonly (Millis | null | undefined)[]): Millis | null {
  const known = times.filter((time): time is Millis => typeof time === 'number');
  return known.length > 0 ? Math.max(...known) : null;
}
