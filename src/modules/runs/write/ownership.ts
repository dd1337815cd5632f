import { SlipwayError } from '../../../errors.ts';
import type { Deployment, ManagedFields } from '../../../k8s/resources.ts';

const ourManager = 'slipway';

/**
 * CONFLICT when somebody else goes on claiming a field: whoever applied it, or a controller such as an autoscaler. What a
 * person set by hand with kubectl, or the program that made the object, is nobody's claim for the future.
 */
export function checkOwner(workload: Deployment, path: readonly string[], field: string): void {
  const claims = (workload.metadata.managedFields ?? []).filter(
    (entry) => owns(entry, path) && entry.manager !== ourManager && !isByHand(entry) && !isMaker(entry),
  );
  if (claims.length === 0) return;
  const managers = [...new Set(claims.map(({ manager }) => manager))].join(', ');
  const { name } = workload.metadata;
  const message = `${path.join('.')} of Deployment ${name} is managed by ${managers}: change it there.`;
  throw new SlipwayError('CONFLICT', message, { field, reason: 'FIELD_MANAGED' });
}

function owns({ fieldsV1 }: ManagedFields, path: readonly string[]): boolean {
  let at: unknown = fieldsV1;
  for (const part of path) {
    if (typeof at !== 'object' || at === null) return false;
    at = (at as Record<string, unknown>)[`f:${part}`];
  }
  return at !== undefined;
}

function isByHand({ manager, operation }: ManagedFields): boolean {
  return operation === 'Update' && /^kubectl($|-(?!client-side-apply))/.test(manager);
}

/** The selector of a Deployment never changes: whoever owns it by a plain write has made the object. */
function isMaker(entry: ManagedFields): boolean {
  return entry.operation === 'Update' && !entry.subresource && owns(entry, ['spec', 'selector']);
}
