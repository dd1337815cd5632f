import type { KubeClient } from '../../k8s/cluster.ts';
import { type KubeEvent, type KubeObject, events } from '../../k8s/resources.ts';
import { eventTime, newerFirst, time } from './diagnosis/situation.ts';
import type { RunView } from './service.ts';

/** Up to this many objects are asked for one by one; more are found in a list of the namespace. */
const fewObjects = 12;
const pageSize = 1000;

/** The events of a run's objects, newest first: warnings from the cache, the others from the cluster as the caller. */
export async function eventsOf(run: RunView, kube: KubeClient, signal: AbortSignal): Promise<KubeEvent[]> {
  const { workload, service, replicaSets = [], pods } = run.objects;
  const objects: KubeObject[] = [workload, service, ...replicaSets, ...pods].filter((object) => object !== null);
  const uids = new Set(objects.flatMap(({ metadata }) => metadata.uid ?? []));
  const listed =
    uids.size <= fewObjects
      ? await ofEach(uids, run.namespace, kube, signal)
      : await ofNamespace(run, uids, kube, signal);
  const byUid = new Map(
    [...run.objects.events, ...listed].map((event) => [event.metadata.uid ?? event.metadata.name, event]),
  );
  return [...byUid.values()].sort((a, b) => (lastSeen(b) ?? 0) - (lastSeen(a) ?? 0) || newerFirst(a, b));
}

async function ofEach(
  uids: ReadonlySet<string>,
  namespace: string,
  kube: KubeClient,
  signal: AbortSignal,
): Promise<KubeEvent[]> {
  const lists = await Promise.all(
    [...uids].map((uid) =>
      kube.list(events, { namespace, fieldSelector: `involvedObject.uid=${uid}`, limit: pageSize, signal }),
    ),
  );
  return lists.flatMap((list) => list.items);
}

async function ofNamespace(
  { namespace }: RunView,
  uids: ReadonlySet<string>,
  kube: KubeClient,
  signal: AbortSignal,
): Promise<KubeEvent[]> {
  const found: KubeEvent[] = [];
  let next: string | undefined;
  do {
    const list = await kube.list(events, { namespace, limit: pageSize, signal, ...(next && { continue: next }) });
    found.push(...list.items.filter((event) => uids.has(event.involvedObject.uid ?? '')));
    next = list.metadata.continue;
  } while (next);
  return found;
}

export function firstSeen(event: KubeEvent): number | null {
  return time(event.firstTimestamp) ?? time(event.eventTime) ?? time(event.metadata.creationTimestamp);
}

export function lastSeen(event: KubeEvent): number | null {
  return eventTime(event) ?? firstSeen(event);
}
