import type { Access } from '../../caller.ts';
import { invalid, SlipwayError } from '../../errors.ts';
import { ApiError, toSlipwayError } from '../../k8s/api-error.ts';
import type { KubeClient } from '../../k8s/cluster.ts';
import { type Secret, secrets } from '../../k8s/resources.ts';
import { authAnnotation, managedByLabel, policyNameOf } from './names.ts';
import { authWord } from './policies.ts';
import type { GatewayAuth, Policy } from './service.ts';
import type { BackendTarget, ParentTarget } from './targets.ts';

/** The policy object for a route; null for none. What the Gateway can't enforce is refused, never left out. */
export function policyFor(
  route: { name: string; namespace: string },
  auth: GatewayAuth,
  parent: ParentTarget,
): Policy | null {
  const { policies } = parent;
  if (auth.kind === 'NONE') return null;
  if (!policies?.kinds.includes(auth.kind)) throw notEnforced(parent);
  const policy = policies.policy(route, auth);
  // A back end that makes nothing of a protection would leave the route open.
  if (!policy) throw new Error(`The policy back end ${policies.name} made no policy for ${auth.kind}.`);
  const { metadata } = policy;
  return {
    ...policy,
    metadata: {
      ...metadata,
      name: policyNameOf(route.name),
      labels: { ...metadata.labels, [managedByLabel]: 'slipway' },
      annotations: { ...metadata.annotations, [authAnnotation]: authWord(auth.kind) },
    },
  };
}

/** The Gateway's controller is one that Slipway has no back end for, or one that can't do this kind. */
export function notEnforced({ ref, controller }: ParentTarget): SlipwayError {
  const who = controller ?? 'its GatewayClass, which has no controller';
  const message =
    `Slipway can't have the Gateway ${ref.namespace}/${ref.name} enforce this protection (${who}). ` +
    'Choose another Gateway; nothing was opened.';
  return new SlipwayError('NOT_SUPPORTED', message, { field: 'auth', reason: 'AUTH_NOT_SUPPORTED' });
}

/** What a mutation locks so that the Secret it counts on is not deleted meanwhile. */
export const secretLocks = (namespace: string, auth: GatewayAuth | null): string[] =>
  auth?.kind === 'BASIC' || auth?.kind === 'API_KEY' ? [secretLock(namespace, auth.secretName)] : [];

export const secretLock = (namespace: string, name: string): string => `secret ${namespace}/${name}`;

/** Refuses a Secret that is missing or would not work; false when the caller may not read it, so that is not known. */
export async function checkSecret(
  { access, kube }: { access: Access; kube: KubeClient },
  auth: GatewayAuth,
  { namespace, project }: Pick<BackendTarget, 'namespace' | 'project'>,
  { policies }: ParentTarget,
): Promise<boolean> {
  if (auth.kind !== 'BASIC' && auth.kind !== 'API_KEY') return true;
  const field = auth.kind === 'BASIC' ? 'auth.basic.secretName' : 'auth.apiKey.secretName';
  const { secretName } = auth;
  if (!(await access.allows('secrets', { namespace, project }))) return false;
  const secret = await readSecret(kube, namespace, secretName, field);
  if (!secret) return false;
  const fault = policies?.secretProblem(secret, auth.kind);
  if (fault) throw invalid(field, `The Secret ${secretName} can't serve. ${fault.message}`, fault.reason);
  return true;
}

/** null when that is not allowed. */
async function readSecret(kube: KubeClient, namespace: string, name: string, field: string): Promise<Secret | null> {
  try {
    return await kube.get(secrets, name, namespace);
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return null;
    if (error instanceof ApiError && error.status === 404) {
      const message = `There is no Secret ${name} in the namespace ${namespace}. Create it first (createGatewaySecret).`;
      throw invalid(field, message, 'SECRET_NOT_FOUND');
    }
    throw toSlipwayError(error, { name: `secret "${name}"`, field });
  }
}
