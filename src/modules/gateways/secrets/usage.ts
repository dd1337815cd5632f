import type { SecurityPolicy } from '../../../k8s/resources.ts';
import { routeNameOf } from '../names.ts';
import { targetsOf } from '../policies.ts';

/** The gateways whose protection rests on a Secret, those of other tools' policies too. */
export function gatewaysUsing(
  policies: Iterable<SecurityPolicy>,
  secret: { namespace: string; name: string },
): { namespace: string; route: string }[] {
  const users: { namespace: string; route: string }[] = [];
  for (const policy of policies) {
    const { namespace = '', name } = policy.metadata;
    const { basicAuth, apiKeyAuth } = policy.spec;
    const references = [...(basicAuth ? [basicAuth.users] : []), ...(apiKeyAuth?.credentialRefs ?? [])];
    const uses = references.some(
      (ref) => ref.name === secret.name && (ref.namespace ?? namespace) === secret.namespace,
    );
    if (!uses) continue;
    const targets = targetsOf(policy).map((target) => target.name);
    for (const route of targets.length > 0 ? targets : [routeNameOf(name)]) users.push({ namespace, route });
  }
  return users;
}
