import type { Pod } from '../../k8s/resources.ts';
import { isReady, readyChangedAt, startedAt, time } from './diagnosis/situation.ts';
import type { Millis, PodSightings } from './service.ts';

/** More of one container say no more. */
const mostTimes = 50;

/**
 * What Kubernetes does not keep: of a container's restarts it knows the number and the last, of readiness the present
 * value. Each is noted down as it passes, in Kubernetes' own times, so that servers that saw the same agree.
 */
export interface Sightings {
  observe(previous: Pod | undefined, pod: Pod): void;
  forget(pod: Pod): void;
  of(pods: readonly Pod[]): ReadonlyMap<string, PodSightings>;
}

const nothing: PodSightings = { ends: new Map(), losses: [] };
/** Of most runs nothing was ever seen. */
const none: ReadonlyMap<string, PodSightings> = new Map();

export function createSightings(windowMs: number, now: () => Millis): Sightings {
  const seen = new Map<string, PodSightings>();
  const noted = (times: readonly Millis[], at: Millis): readonly Millis[] =>
    times.includes(at) ? times : [...times.filter((one) => one > now() - 2 * windowMs), at].slice(-mostTimes);

  return {
    observe(previous, pod) {
      const uid = pod.metadata.uid ?? '';
      const before = seen.get(uid) ?? nothing;
      const ends = new Map(before.ends);
      for (const { name, lastState } of statusesOf(pod)) {
        const at = time(lastState?.terminated?.finishedAt);
        if (at !== null) ends.set(name, noted(ends.get(name) ?? [], at));
      }
      const lost = lossOf(previous, pod);
      const losses = lost === null ? before.losses : noted(before.losses, lost);
      if (ends.size > 0 || losses.length > 0) seen.set(uid, { ends, losses });
    },
    forget: (pod) => void seen.delete(pod.metadata.uid ?? ''),
    of(pods) {
      const found = pods.flatMap(({ metadata: { uid = '' } }) => {
        const sightings = seen.get(uid);
        return sightings ? [[uid, sightings] as const] : [];
      });
      return found.length > 0 ? new Map(found) : none;
    },
  };
}

const statusesOf = ({ status }: Pod) => [
  ...(status?.initContainerStatuses ?? []),
  ...(status?.containerStatuses ?? []),
];

/** When the Pod stopped being ready, if it was ready before and is not on its way out. */
function lossOf(previous: Pod | undefined, pod: Pod): Millis | null {
  if (isReady(pod) || pod.metadata.deletionTimestamp !== undefined) return null;
  const at = readyChangedAt(pod);
  const wasReady = previous ? isReady(previous) : at !== null && at > startedAt(pod) + 1000;
  return wasReady ? at : null;
}
