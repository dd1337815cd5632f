import { type Json, type JsonObject, stableKey } from '../json.ts';
import { memberOf, type Schema } from '../schema.ts';

/**
 * One step of a path as FieldsV1 spells it: `f:name` a member, `k:{"name":"x"}` a list item by its keys, `v:"x"` an
 * item of a set.
 */
export type Step = string;
export type Path = readonly Step[];

/** A set of field paths (structured-merge-diff's `fieldpath.Set`). Values of it are never changed once shared. */
export class FieldSet {
  readonly members = new Set<Step>();
  readonly children = new Map<Step, FieldSet>();

  static from(paths: Iterable<Path>): FieldSet {
    const set = new FieldSet();
    for (const path of paths) set.insert(path);
    return set;
  }

  insert(path: Path): void {
    const [step, ...rest] = path;
    if (step === undefined) return;
    if (rest.length === 0) this.members.add(step);
    else this.descend(step).insert(rest);
  }

  /** The set below a step, made when it is not there. */
  descend(step: Step): FieldSet {
    const present = this.children.get(step);
    if (present) return present;
    const child = new FieldSet();
    this.children.set(step, child);
    return child;
  }

  get empty(): boolean {
    return this.members.size === 0 && [...this.children.values()].every((child) => child.empty);
  }

  has(path: Path): boolean {
    const [step, ...rest] = path;
    if (step === undefined) return false;
    return rest.length === 0 ? this.members.has(step) : (this.children.get(step)?.has(rest) ?? false);
  }

  union(other: FieldSet): FieldSet {
    const result = new FieldSet();
    for (const set of [this, other]) for (const member of set.members) result.members.add(member);
    for (const step of new Set([...this.children.keys(), ...other.children.keys()])) {
      const mine = this.children.get(step);
      const theirs = other.children.get(step);
      result.keep(step, mine && theirs ? mine.union(theirs) : (mine ?? theirs));
    }
    return result;
  }

  intersection(other: FieldSet): FieldSet {
    const result = new FieldSet();
    for (const member of this.members) if (other.members.has(member)) result.members.add(member);
    for (const [step, child] of this.children) {
      const theirs = other.children.get(step);
      if (theirs) result.keep(step, child.intersection(theirs));
    }
    return result;
  }

  difference(other: FieldSet): FieldSet {
    const result = new FieldSet();
    for (const member of this.members) if (!other.members.has(member)) result.members.add(member);
    for (const [step, child] of this.children) {
      const theirs = other.children.get(step);
      result.keep(step, theirs ? child.difference(theirs) : child);
    }
    return result;
  }

  /** As `difference`, and a member of `other` takes everything below it along. */
  recursiveDifference(other: FieldSet): FieldSet {
    const result = new FieldSet();
    for (const member of this.members) if (!other.members.has(member)) result.members.add(member);
    for (const [step, child] of this.children) {
      if (other.members.has(step)) continue;
      const theirs = other.children.get(step);
      result.keep(step, theirs ? child.recursiveDifference(theirs) : child);
    }
    return result;
  }

  /** With the named fields on the way to each path, which a set leaves out: `a.b.c` also holds `a` when that is a struct's field. */
  withNamedFields(schema: Schema | undefined): FieldSet {
    const result = new FieldSet();
    for (const member of this.members) result.members.add(member);
    for (const [step, child] of this.children) {
      if (step.startsWith('f:') && schema?.type === 'struct' && memberOf(schema, step.slice(2)))
        result.members.add(step);
      result.children.set(step, child.withNamedFields(schema && below(schema, step)));
    }
    return result;
  }

  *paths(prefix: Path = []): Iterable<Path> {
    for (const member of [...this.members].sort()) yield [...prefix, member];
    for (const [step, child] of [...this.children].sort(([a], [b]) => (a < b ? -1 : 1))) {
      yield* child.paths([...prefix, step]);
    }
  }

  equals(other: FieldSet): boolean {
    return stableKey(this.toFields()) === stableKey(other.toFields());
  }

  /** FieldsV1. */
  toFields(): JsonObject {
    const fields: JsonObject = {};
    for (const step of [...new Set([...this.members, ...this.children.keys()])].sort()) {
      const child = this.children.get(step);
      const deeper = child && !child.empty ? child.toFields() : {};
      fields[step] = this.members.has(step) && child && !child.empty ? { '.': {}, ...deeper } : deeper;
    }
    return fields;
  }

  static fromFields(fields: unknown): FieldSet {
    const set = new FieldSet();
    if (typeof fields !== 'object' || fields === null) return set;
    for (const [step, value] of Object.entries(fields)) {
      if (step === '.') continue;
      const canonical = canonicalStep(step);
      const child = FieldSet.fromFields(value);
      const own = typeof value === 'object' && value !== null && Object.hasOwn(value, '.');
      if (own || child.empty) set.members.add(canonical);
      set.keep(canonical, child);
    }
    return set;
  }

  private keep(step: Step, child: FieldSet | undefined): void {
    if (child && !child.empty) this.children.set(step, child);
  }
}

function below(schema: Schema, step: Step): Schema | undefined {
  if (step.startsWith('f:')) return memberOf(schema, step.slice(2));
  return schema.type === 'list' ? schema.items : undefined;
}

/** Keys inside a step are sorted, whoever wrote it. */
function canonicalStep(step: string): Step {
  if (!step.startsWith('k:') && !step.startsWith('v:')) return step;
  try {
    return step.slice(0, 2) + stableKey(JSON.parse(step.slice(2)));
  } catch {
    // Not ours to repair: it matches nothing and goes with its manager's next write.
    return step;
  }
}

/** A list item's step: by its keys, or by its value in a set. Throws with the reason when it has none. */
export function itemStep(item: Json | undefined, schema: Schema): Step {
  if (schema.listType !== 'map') {
    if (typeof item === 'object') throw new TypeError('an item of a set must be a plain value');
    return `v:${JSON.stringify(item)}`;
  }
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw new TypeError('associative list with keys may not have non-map elements');
  }
  const key: JsonObject = {};
  for (const name of schema.keys ?? []) {
    const value = item[name] ?? (schema.items && (memberOf(schema.items, name)?.default as Json | undefined));
    if (value !== undefined) key[name] = value;
  }
  if (Object.keys(key).length === 0) {
    const names = (schema.keys ?? []).map((name) => JSON.stringify(name)).join(' ');
    throw new TypeError(
      `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
    );
  }
  return `k:${stableKey(key)}`;
}

/** `.spec.containers[name="web"].image`, as conflicts name a field. */
export function pathText(path: Path): string {
  return path
    .map((step) => {
      const rest = step.slice(2);
      if (step.startsWith('f:')) return `.${rest}`;
      if (step.startsWith('v:')) return `[=${rest}]`;
      const key = JSON.parse(rest) as JsonObject;
      return `[${Object.entries(key)
        .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
        .join(',')}]`;
    })
    .join('');
}
