import { createHash } from 'node:crypto';
import { invalid, SlipwayError } from '../../errors.ts';
import type { KubeObject } from '../../k8s/resources.ts';
import { idempotencyAnnotation } from './names.ts';

const keptMs = 24 * 60 * 60 * 1000;

/** Hashes that go onto an object: who repeats a request finds it, and the key itself stays out of the cluster. */
export interface Repeat {
  key: string;
  input: string;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 27);

export function keyProblem(key: string | null | undefined): SlipwayError | null {
  if (key === null || key === undefined || /^\P{C}{8,128}$/u.test(key)) return null;
  return invalid('idempotencyKey', 'An idempotency key has 8 to 128 printable characters.', 'KEY_INVALID');
}

/** `input`: what was asked for, free of defaults, so that saying a default is the same as leaving it out. */
export function repeatOf(caller: string, mutation: string, idempotencyKey: string, input: object): Repeat {
  return { key: digest(JSON.stringify([caller, mutation, idempotencyKey])), input: digest(canonical(input)) };
}

/** The same text for the same input, whatever the order of its fields and whether it says null or nothing. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    const entries = Object.entries(part).filter(([, field]) => field !== null && field !== undefined);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

export const repeatText = ({ key, input }: Repeat): string => `${key}.${input}`;

/** The key hash an object remembers, for an index. */
export function rememberedKey(object: KubeObject): string | null {
  return object.metadata.annotations?.[idempotencyAnnotation]?.split('.')[0] ?? null;
}

/** Whether an object is the result of an earlier request with this key; CONFLICT when that one had other input. */
export function isResultOf(object: KubeObject, repeat: Repeat, now: number): boolean {
  const [key, input] = object.metadata.annotations?.[idempotencyAnnotation]?.split('.') ?? [];
  const made = Date.parse(object.metadata.creationTimestamp ?? '');
  if (key !== repeat.key || now - made > keptMs) return false;
  if (input === repeat.input) return true;
  throw new SlipwayError('CONFLICT', 'This idempotency key was used with other input. Take a new key.', {
    field: 'idempotencyKey',
    reason: 'IDEMPOTENCY_KEY_REUSED',
  });
}
