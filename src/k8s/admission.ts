import type { Watch } from './cluster.ts';
import { type KubeEvent, type KubeObject, type Resource, events } from './resources.ts';

/** True for what any of the watches wants; of Events only warnings. */
export function wantedBy<T extends KubeObject>(watches: readonly Watch<T>[]): (object: T) => boolean {
  const filters = watches.map((watch) => watch.wants);
  const any = filters.some((wants) => wants === undefined);
  return (object) =>
    (!isEvent(object) || object.type === 'Warning') && (any || filters.some((wants) => wants?.(object)));
}

/** Objects of which only the newest of each group are kept. */
export interface Crowd<T> {
  readonly limit: number;
  key(object: T): string;
  time(object: T): number;
}

/** Events are kept by the object they are about; all other kinds whole. */
export function crowdOf<T extends KubeObject>(resource: Resource<T>): Crowd<T> | null {
  return resource.plural === events.plural && resource.group === events.group
    ? { limit: 20, key: subjectOf, time: eventTime }
    : null;
}

function isEvent(object: KubeObject): object is KubeEvent {
  return object.kind === 'Event' && 'involvedObject' in object;
}

function subjectOf(object: KubeObject): string {
  if (!isEvent(object)) return '';
  const { uid, kind, namespace, name } = object.involvedObject;
  return uid ?? `${kind}/${namespace}/${name}`;
}

/** When an Event last happened, in ms since the epoch. */
export function eventTime(object: KubeObject): number {
  if (!isEvent(object)) return 0;
  const time =
    object.series?.lastObservedTime ?? object.lastTimestamp ?? object.eventTime ?? object.metadata.creationTimestamp;
  return time ? Date.parse(time) : 0;
}
