import type { Watch } from './cluster.ts';
import { type Omitted, createCut } from './json-cut.ts';
import { afterBlanks } from './json-text.ts';
import type { ReadItem } from './list-stream.ts';
import { type KubeObject, type Resource, apiVersionOf } from './resources.ts';
import type { Sharing } from './sharing.ts';

/** How objects of one kind come in, as small as they can be. */
export interface Entry<T extends KubeObject> {
  /** Reads the object that begins at `start` of a list's JSON; null when it does not end there. */
  read: ReadItem<T>;
  /** The JSON of a watch event. */
  readEvent(json: Buffer): unknown;
  /** Shares what the object has in common with others, above all with the one it replaces. */
  keep(object: T, previous: T | undefined): T;
}

const omittedOfAll = ['metadata.managedFields'];
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** Without what nobody reads, with each part once however many objects have it. */
export function createEntry<T extends KubeObject>(
  resource: Resource<T>,
  omits: readonly string[],
  sharing: Sharing,
): Entry<T> {
  const omitted = treeOf([...omittedOfAll, ...omits]);
  const metadata = (omitted.metadata ??= {});
  metadata.annotations = { ...metadata.annotations, [lastApplied]: null };
  // Items of built-in kinds come without them. Of two members with one name the last counts.
  const cut = createCut(omitted, { apiVersion: apiVersionOf(resource), kind: resource.kind });
  const cutEvent = createCut({ object: omitted });
  return {
    read(json, start) {
      const left = cut(json, start);
      return left && { item: JSON.parse(left.text) as T, end: left.end };
    },
    readEvent(line) {
      const left = cutEvent(line, afterBlanks(line, 0));
      // What is after the event belongs to no JSON.
      return JSON.parse(left ? left.text + line.toString('utf8', left.end) : line.toString());
    },
    keep(object, previous) {
      if (previous) sharing.share(previous);
      return sharing.share(object);
    },
  };
}

/** What every watcher of a kind omits: what one of them reads is kept for it. */
export function omittedByAll(watches: readonly Watch[]): readonly string[] {
  const [first, ...others] = watches.map((watch) => watch.omits ?? []);
  return (first ?? []).filter((path) => others.every((other) => other.includes(path)));
}

function treeOf(paths: readonly string[]): Omitted {
  const root: Omitted = {};
  for (const path of paths) {
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    let tree = root;
    for (const step of steps) tree = tree[step] ??= {};
    tree[last] = null;
  }
  return root;
}
