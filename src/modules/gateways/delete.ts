import { SlipwayError } from '../../errors.ts';
import { type HTTPRoute, httpRoutes, type Resource, securityPolicies } from '../../k8s/resources.ts';
import type { Context } from '../../module.ts';
import { ownedByPlatform, policyNameOf } from './names.ts';
import type { Operations } from './operations.ts';
import { attachedTo, hasOneTarget } from './policies.ts';
import type { Policy } from './service.ts';
import { desiredVersion } from './view.ts';
import { changed, deleteRead, getOrNull, linkPatch, patchRead } from './writes.ts';

export interface DeleteGatewayInput {
  id: string;
  resourceVersion?: string | null | undefined;
  dryRun?: boolean | null | undefined;
}

/** A gateway as the server has it now, with the caller's rights. */
export interface Present {
  route: HTTPRoute;
  /** The policy that bears the route's name and is attached to it alone. */
  policy: Policy | null;
  /** The kind that it has, or would have. */
  resource: Resource<Policy>;
  attached: Policy[];
}

/** Reads a gateway that the caller may change; a version that is no longer the present one is CONFLICT. */
export async function readPresent(
  operations: Operations,
  context: Context,
  input: { id: string; resourceVersion?: string | null | undefined },
): Promise<Present> {
  const view = await operations.store.visible(input.id, context.access, 'id');
  const { namespace, name } = view;
  if (!(await context.access.allows('expose', view))) {
    throw new SlipwayError('FORBIDDEN', `You may see the gateway ${name}, but not change it.`, { field: 'id' });
  }
  const route = await getOrNull(context.kube, httpRoutes, namespace, name);
  if (!route || route.metadata.deletionTimestamp) {
    throw new SlipwayError('NOT_FOUND', `The gateway ${name} has just been deleted.`, { field: 'id' });
  }
  if (!ownedByPlatform(route)) {
    const message = `The route ${name} was made by another tool. Change it there; Slipway only shows it.`;
    throw new SlipwayError('NOT_SUPPORTED', message, { field: 'id', reason: 'NOT_MANAGED' });
  }
  const backend = operations.store.backendOf(route);
  const resource = backend?.resource ?? securityPolicies;
  const own = await getOrNull(context.kube, resource, namespace, policyNameOf(name));
  const cached = [...operations.lookups.policiesIn(namespace)].filter(
    ({ metadata }) => metadata.name !== policyNameOf(name),
  );
  const attached = attachedTo(route, own ? [own, ...cached] : cached);
  const version = input.resourceVersion ?? null;
  if (version !== null && version !== desiredVersion(route, attached)) {
    const error = changed(httpRoutes, name);
    throw new SlipwayError('CONFLICT', error.message, { field: 'resourceVersion', reason: 'STALE_VERSION' });
  }
  // One that a filter should name is the route's own even where the filter is gone.
  const policy = own && (attached.includes(own) || backend?.filter) && hasOneTarget(own) ? own : null;
  return { route, policy, resource, attached };
}

/** Deletes a gateway: the route first, so that it never answers without its policy. */
export async function deleteGateway(
  operations: Operations,
  context: Context,
  input: DeleteGatewayInput,
): Promise<{ objects: (HTTPRoute | Policy)[] }> {
  const { namespace, name } = await operations.store.visible(input.id, context.access, 'id');
  return operations.locks.run([`name ${namespace}/${name}`], () => remove(operations, context, input));
}

async function remove(
  operations: Operations,
  context: Context,
  input: DeleteGatewayInput,
): Promise<{ objects: (HTTPRoute | Policy)[] }> {
  const { route, policy, resource } = await readPresent(operations, context, input);
  const { kube, log } = context;
  const objects = policy ? [route, policy] : [route];
  if (input.dryRun) {
    await deleteRead(kube, httpRoutes, route, { dryRun: true });
    return { objects };
  }
  // Tied to the route, the policy goes with it even when we can't come back to delete it.
  const tied = policy && (await patchRead(kube, resource, policy, linkPatch(policy, route)));
  await deleteRead(kube, httpRoutes, route);
  const gone = (await getOrNull(kube, httpRoutes, route.metadata.namespace ?? '', route.metadata.name)) === null;
  if (tied && gone) await deleteRead(kube, resource, tied);
  log.info({ gateway: `${route.metadata.namespace}/${route.metadata.name}` }, 'gateway deleted');
  if (gone) await operations.store.settled(tied ? [route, tied] : [route], true);
  return { objects };
}
