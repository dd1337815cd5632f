import type { Core } from '../core.ts';
import type { Draft } from '../definition.ts';
import { isObject } from '../json.ts';

const sweepEvery = 60_000;

/** Removes objects of kinds that don't last, such as events an hour after they were seen last. */
export function startExpiry(core: Core): () => void {
  const mortal = core.definitions.filter((definition) => definition.ttlMs !== undefined);
  const sweep = () => {
    for (const definition of mortal) {
      const collection = core.collection(definition);
      const oldest = core.clock.now() - (definition.ttlMs ?? 0);
      for (const object of collection.list()) if (lastSeen(object) < oldest) collection.remove(object);
    }
    cancel = core.clock.after(sweepEvery, sweep);
  };
  let cancel = core.clock.after(sweepEvery, sweep);
  return () => cancel();
}

function lastSeen(object: Draft): number {
  const series = isObject(object.series) ? object.series.lastObservedTime : undefined;
  const times = [object.metadata.creationTimestamp, object.lastTimestamp, series];
  return Math.max(...times.map((time) => (typeof time === 'string' ? Date.parse(time) : 0)));
}
