import { SlipwayError } from '../../errors.ts';
import type { JsonPatchOperation } from '../../k8s/cluster.ts';
import type { KubeObject, ManagedFields } from '../../k8s/resources.ts';

/** Ours, and those of the client that DigitalHub's own manager is built on, for updates and for applies. */
const friends = new Set(['slipway', 'fabric8-kubernetes-client', 'fabric8']);

/**
 * Refuses operations on fields that somebody else looks after: their next write would undo ours, and neither would know.
 * What they own beside those fields does not matter.
 */
export function refuseForeignFields(object: KubeObject, operations: readonly JsonPatchOperation[]): void {
  const foreign = (object.metadata.managedFields ?? []).filter(
    ({ manager, subresource }) => !friends.has(manager) && subresource === undefined,
  );
  const taken = new Map<string, Set<string>>();
  for (const { op, path } of operations) {
    if (op === 'test') continue;
    for (const entry of foreign) {
      const field = ownedAt(entry, path);
      if (field !== null) taken.set(field, (taken.get(field) ?? new Set()).add(entry.manager));
    }
  }
  if (taken.size === 0) return;
  const named = [...taken].map(([field, managers]) => `${field} (${[...managers].join(', ')})`).join('; ');
  const message =
    `${object.kind} ${object.metadata.name} has fields that somebody else manages: ${named}. Change them there, ` +
    'or have them given up first.';
  throw new SlipwayError('CONFLICT', message, { reason: 'FIELD_MANAGED' });
}

/** The field by which a manager owns what a JSON pointer leads to, or something in it; null when it owns nothing of it. */
function ownedAt({ fieldsV1 }: ManagedFields, pointer: string): string | null {
  const steps = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  let owned = fieldsV1;
  for (const [i, step] of steps.entries()) {
    const below = owned[`f:${step}`] as Record<string, unknown> | undefined;
    if (below === undefined) return null;
    owned = below;
    // A leaf: the rest of the pointer is inside of a value that is owned as a whole.
    if (Object.keys(owned).length === 0) return steps.slice(0, i + 1).join('.');
  }
  return steps.join('.');
}
