import type { Backends } from '../backends.ts';
import { routeNameOf } from '../names.ts';
import { targetsOf } from '../policies.ts';
import type { Policy } from '../service.ts';

/** The gateways whose protection rests on a Secret, those of other tools' policies too. */
export function gatewaysUsing(
  policies: Iterable<Policy>,
  secret: { namespace: string; name: string },
  backends: Pick<Backends, 'reader'>,
): { namespace: string; route: string }[] {
  const users: { namespace: string; route: string }[] = [];
  for (const policy of policies) {
    const { namespace = '', name } = policy.metadata;
    const references = backends.reader(policy)?.secretsOf(policy) ?? [];
    const uses = references.some((ref) => ref.name === secret.name && ref.namespace === secret.namespace);
    if (!uses) continue;
    const targets = targetsOf(policy).map((target) => target.name);
    for (const route of targets.length > 0 ? targets : [routeNameOf(name)]) users.push({ namespace, route });
  }
  return users;
}
