import { createHash } from 'node:crypto';
import type { Clock } from '../../../clock.ts';
import { SlipwayError } from '../../../errors.ts';
import type { Cluster } from '../../../k8s/cluster.ts';
import { type Deployment, type KubeObject, deployments } from '../../../k8s/resources.ts';
import type { Context } from '../../../module.ts';
import { idempotencyAnnotation } from '../labels.ts';

const keptMs = 24 * 60 * 60 * 1000;
/** Entries on one object. */
const perObject = 200;
/** Results this process keeps; what fell out is still on the objects. */
const inMemory = 1000;

/** Hashes that stand for a caller's key in one mutation, and for its input. */
export interface Fingerprint {
  key: string;
  input: string;
}

/** Remembers idempotency keys: on the objects, so that every replica knows them, and the results in this process. */
export interface Idempotency {
  /**
   * The first result of this key if there is one, else that of `perform`, which gets the fingerprint to write on its
   * objects and the object that an earlier call, perhaps on another replica, left it on.
   */
  once<T>(
    context: Context,
    mutation: string,
    key: string,
    input: unknown,
    perform: (print: Fingerprint, earlier: Deployment | undefined) => Promise<T>,
  ): Promise<T>;
  /** The annotations that remember a fingerprint besides those already there. */
  annotate(object: KubeObject | null, print: Fingerprint | null): Record<string, string>;
  /** Whether an object carries the fingerprint; CONFLICT when it has the key with other input. */
  carries(object: KubeObject, print: Fingerprint): boolean;
  /** Whether an object carries nothing but what is too old. */
  expired(object: KubeObject): boolean;
}

export function createIdempotency(cluster: Cluster, clock: Clock): Idempotency {
  const find = cluster
    .cache(deployments)
    .index('runs:idempotency', (object) => entriesOf(object).map(({ key }) => key));
  const results = new Map<string, { input: string; at: number; result: Promise<unknown> }>();

  const fresh = (at: number): boolean => at > clock.now() - keptMs;
  const carries: Idempotency['carries'] = (object, print) => {
    const entry = entriesOf(object).find(({ key, at }) => key === print.key && fresh(at));
    if (!entry) return false;
    if (entry.input !== print.input) throw reused();
    return true;
  };
  const trim = (): void => {
    for (const [key, { at }] of results) if (!fresh(at) || results.size > inMemory) results.delete(key);
  };

  return {
    carries,
    expired: (object) => !entriesOf(object).some(({ at }) => fresh(at)),
    async once<T>(
      context: Context,
      mutation: string,
      key: string,
      input: unknown,
      perform: (print: Fingerprint, earlier: Deployment | undefined) => Promise<T>,
    ): Promise<T> {
      const print = { key: hash(JSON.stringify([context.caller.name, mutation, key])), input: hash(canonical(input)) };
      trim();
      const present = results.get(print.key);
      if (present) {
        if (present.input !== print.input) throw reused();
        return present.result as Promise<T>;
      }
      const earlier = [...find(print.key)].find((object) => carries(object, print));
      const result = perform(print, earlier);
      results.set(print.key, { input: print.input, at: clock.now(), result });
      // What failed may be tried again with the same key.
      result.catch(() => results.delete(print.key));
      return result;
    },
    annotate(object, print) {
      if (!print) return {};
      const kept = object ? entriesOf(object).filter(({ key, at }) => key !== print.key && fresh(at)) : [];
      const entries = [...kept.slice(1 - perObject), { ...print, at: clock.now() }];
      return { [idempotencyAnnotation]: entries.map(({ key, input, at }) => `${key}:${input}:${at}`).join(' ') };
    },
  };
}

function reused(): SlipwayError {
  return new SlipwayError('CONFLICT', 'This idempotency key was used with other input: use a new one.', {
    field: 'idempotencyKey',
    reason: 'IDEMPOTENCY_KEY_REUSED',
  });
}

/** What is remembered on an object. */
export function entriesOf(object: KubeObject): (Fingerprint & { at: number })[] {
  return (object.metadata.annotations?.[idempotencyAnnotation] ?? '').split(' ').flatMap((entry) => {
    const [key, input, at] = entry.split(':');
    return key && input && at ? [{ key, input, at: Number(at) }] : [];
  });
}

/** 132 bits: short enough for an annotation, long enough never to meet another by chance. */
function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

/** Equal inputs give equal text: keys sorted, nulls and absent fields alike. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(
          Object.entries(part)
            .filter(([, item]) => item !== null && item !== undefined)
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        )
      : part,
  );
}
