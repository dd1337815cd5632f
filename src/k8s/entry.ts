import type { Watch } from './cluster.ts';
import type { KubeObject } from './resources.ts';

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** Makes an object as small as it can be before it is kept. The given one must not be used any more. */
export type Entry = <T extends KubeObject>(object: T) => T;

/** Removes what nobody reads, and keeps each text once however many objects have it. */
export function createEntry(omits: readonly string[], texts: Texts): Entry {
  const omitted = treeOf(omits);
  return <T extends KubeObject>(object: T) => {
    const { managedFields: _, ...metadata } = object.metadata;
    object.metadata = metadata;
    const { annotations } = metadata;
    if (annotations && lastApplied in annotations) {
      const { [lastApplied]: __, ...rest } = annotations;
      if (Object.keys(rest).length > 0) metadata.annotations = rest;
      else delete metadata.annotations;
    }
    return kept(object, omitted, texts);
  };
}

/** What every watcher of a kind omits: what one of them reads is kept for it. */
export function omittedByAll(watches: readonly Watch[]): readonly string[] {
  const [first, ...others] = watches.map((watch) => watch.omits ?? []);
  return (first ?? []).filter((path) => others.every((other) => other.includes(path)));
}

/** Paths by their steps; null where one ends. */
interface Tree {
  [step: string]: Tree | null;
}

function treeOf(paths: readonly string[]): Tree {
  const root: Tree = {};
  for (const path of paths) {
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    let tree = root;
    for (const step of steps) tree = tree[step] ??= {};
    tree[last] = null;
  }
  return root;
}

/**
 * Copies what has members to leave out: V8 keeps an object from which some are deleted as a hash table, three times the
 * size. The rest stays as it was parsed.
 */
function kept<T extends object>(value: T, omitted: Tree | undefined, texts: Texts): T {
  const fields = value as Record<string, unknown>;
  const result: Record<string, unknown> = omitted && !Array.isArray(value) ? {} : fields;
  for (const key in fields) {
    const below = omitted?.[key] === undefined ? omitted?.['*'] : omitted[key];
    if (below === null) continue;
    const field = fields[key];
    if (typeof field === 'string') result[key] = texts(field);
    else if (typeof field === 'object' && field !== null) result[key] = kept(field, below, texts);
    else result[key] = field;
  }
  return result as T;
}

/** Equal texts, one of which is kept. */
export type Texts = (text: string) => string;

/** Longer ones are seldom equal. */
const longest = 200;

/** The objects of a run have the same labels, names and addresses over and over. What was not asked for lately is forgotten. */
export function createTexts(limit = 150_000): Texts {
  let [recent, older] = [new Map<string, string>(), new Map<string, string>()];
  return (text) => {
    if (text.length > longest) return text;
    const known = recent.get(text);
    if (known !== undefined) return known;
    const kept = older.get(text) ?? text;
    if (recent.size >= limit) [recent, older] = [new Map(), recent];
    recent.set(kept, kept);
    return kept;
  };
}
