import { isDeepStrictEqual } from 'node:util';
import type { PodTemplate } from '../../resources.ts';

export const templateHashLabel = 'pod-template-hash';

/** JSON with sorted keys: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

// Kubernetes' alphabet for generated names: no vowels, so no words.
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** A name suffix that depends on the text only. */
export function hashSuffix(text: string): string {
  return String(fnv1a(text)).replace(/\d/g, (digit) => alphabet[Number(digit)] ?? '');
}

/** Value of the pod-template-hash label; `collisions` gives another one when a name was taken. */
export function templateHash(template: PodTemplate, collisions = 0): string {
  return hashSuffix(canonicalJson(template) + (collisions > 0 ? `#${collisions}` : ''));
}

/** Five characters as in Pod names. */
export function randomSuffix(random: () => number = Math.random): string {
  return Array.from({ length: 5 }, () => alphabet[Math.floor(random() * alphabet.length)]).join('');
}

function withoutHash(template: PodTemplate | undefined): unknown {
  const copy = structuredClone(template ?? { spec: { containers: [] } });
  const metadata: PodTemplate['metadata'] = copy.metadata ?? {};
  const { [templateHashLabel]: _, ...labels } = metadata.labels ?? {};
  return JSON.parse(canonicalJson({ ...copy, metadata: { ...metadata, labels } }));
}

/** True if the templates make equal Pods: the hash label aside. */
export function sameTemplate(a: PodTemplate | undefined, b: PodTemplate | undefined): boolean {
  return isDeepStrictEqual(withoutHash(a), withoutHash(b));
}
