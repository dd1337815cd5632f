import { isDeepStrictEqual } from 'node:util';
import { SlipwayError } from '../../errors.ts';
import { toSlipwayError } from '../../k8s/api-error.ts';
import type { KubeClient } from '../../k8s/cluster.ts';
import { type HTTPRoute, httpRoutes, type Resource, securityPolicies } from '../../k8s/resources.ts';
import type { Context } from '../../module.ts';
import { globalId } from '../../schema/ids.ts';
import { isResultOf, type Repeat, repeatOf } from './idempotency.ts';
import { policyNameOf } from './names.ts';
import type { GatewayNotice } from './notices.ts';
import type { Operations } from './operations.ts';
import { claimOf, type CreateGatewayInput, type Plan, plan, readWish, type Wish } from './plan.ts';
import { closed } from './closed.ts';
import { attachedTo } from './policies.ts';
import { secretLocks } from './protection.ts';
import { allOf } from './refusals.ts';
import type { Written } from './opening.ts';
import type { GatewayView, Policy } from './service.ts';
import { refuseMoved } from './targets.ts';
import {
  checkLeftover,
  checkPace,
  deleteRead,
  getOrNull,
  linkPatch,
  patchRead,
  putPolicy,
  refused,
  subjectOf,
} from './writes.ts';

export interface GatewayResult {
  gateway: GatewayView;
  /** In the order they are written. */
  objects: (HTTPRoute | Policy)[];
  notices: GatewayNotice[];
}

/** A view of what is not there: its id leads nowhere. */
export function asPreview(view: GatewayView): GatewayView {
  const key = `${view.key}?preview`;
  return { ...view, key, id: globalId('Gateway', key) };
}

/** Creates a gateway: policy before route, and nothing is left when it fails. */
export async function createGateway(
  operations: Operations,
  context: Context,
  input: CreateGatewayInput,
): Promise<GatewayResult> {
  const dryRun = input.dryRun ?? false;
  const wish = readWish(operations, input);
  const key = dryRun ? null : (input.idempotencyKey ?? null);
  const repeat = key === null ? null : repeatOf(context.caller.name, 'createGateway', key, wish);
  const keys = [
    `name ${wish.namespace}/${wish.name}`,
    `host ${wish.hostname}`,
    ...(repeat ? [`key ${repeat.key}`] : []),
    ...secretLocks(wish.namespace, wish.auth),
  ];
  return operations.locks.run(keys, async () => {
    const earlier = repeat && (await earlierResult(operations, context, wish, repeat));
    if (earlier) return earlier;
    const planned = await plan(operations, context, wish, repeat);
    await operations.refuseClash(context, claimOf(planned));
    const leftover = await checkNames(operations, context, planned);
    if (dryRun) return preview(operations, context, planned, leftover);
    return write(operations, context, planned, leftover);
  });
}

/** The result of an earlier request with the same key; what a crash kept it from finishing is finished. */
async function earlierResult(
  operations: Operations,
  context: Context,
  wish: Wish,
  repeat: Repeat,
): Promise<GatewayResult | null> {
  const { namespace, name } = wish;
  const now = operations.clock.now();
  const known = [...operations.routesOfKey(repeat.key)].find((route) => isResultOf(route, repeat, now));
  const route = known ?? (await getOrNull(context.kube, httpRoutes, namespace, name));
  if (!route || !isResultOf(route, repeat, now)) return null;
  const resource = operations.store.backendOf(route)?.resource;
  const found =
    wish.auth.kind === 'NONE' || !resource
      ? null
      : await getOrNull(context.kube, resource, namespace, policyNameOf(name));
  const policy = found && resource ? await link(context, resource, { policy: found, route }) : null;
  // What has changed since (a Secret that is gone, say) is no reason to refuse what was done.
  const notices = await plan(operations, context, wish, repeat).then(
    (planned) => planned.notices,
    () => [],
  );
  return result(operations, notices, { route, policy });
}

/** The kind that a policy of this gateway has, or would have. */
const resourceOf = ({ parent }: Plan): Resource<Policy> => parent.policies?.resource ?? securityPolicies;

/** The name must be free; what is left of a create that died is returned, to be taken over. */
async function checkNames(operations: Operations, { kube }: Context, planned: Plan): Promise<Policy | null> {
  const { namespace, name, auth } = planned.wish;
  const [route, policy] = await allOf(
    () => getOrNull(kube, httpRoutes, namespace, name),
    () => getOrNull(kube, resourceOf(planned), namespace, policyNameOf(name)),
  );
  if (route) {
    const message = `There is already a gateway ${name} in the namespace ${namespace}. Choose another name.`;
    throw new SlipwayError('CONFLICT', message, { field: 'name', reason: 'ALREADY_EXISTS' });
  }
  const others = attachedTo(planned.route, operations.lookups.policiesIn(namespace)).filter(
    ({ metadata }) => metadata.name !== policyNameOf(name),
  );
  const [other] = others;
  if (other) {
    const message = `The policy ${other.metadata.name} would govern this gateway. Delete it, or choose another name.`;
    throw new SlipwayError('CONFLICT', message, { field: 'name', reason: 'POLICY_EXISTS' });
  }
  if (policy) {
    const read = planned.parent.policies?.read(policy);
    checkLeftover(policy, isDeepStrictEqual(read, auth), operations.clock.now());
  }
  return policy;
}

/** The route as the cluster would take it. */
async function tryRoute(kube: KubeClient, { route, parent }: Plan): Promise<HTTPRoute> {
  const admitted = await kube.create(httpRoutes, route, { dryRun: true });
  refuseMoved(admitted, [parent.ref]);
  return admitted;
}

async function preview(
  operations: Operations,
  { kube }: Context,
  planned: Plan,
  leftover: Policy | null,
): Promise<GatewayResult> {
  const { route, policy } = planned;
  const objects: GatewayResult['objects'] = [];
  try {
    // What the cluster answers is what it would hold, with its defaults.
    if (policy) {
      const put = { policy, leftover, now: operations.clock.now(), dryRun: true };
      objects.push(await putPolicy(kube, resourceOf(planned), put));
    }
    objects.push(await tryRoute(kube, planned));
  } catch (error) {
    throw toSlipwayError(error, subjectOf(httpRoutes, route.metadata.name));
  }
  const gateway = operations.store.view(route, policy ? [policy] : []);
  return { gateway: asPreview(gateway), objects, notices: planned.notices };
}

async function write(
  operations: Operations,
  context: Context,
  planned: Plan,
  leftover: Policy | null,
): Promise<GatewayResult> {
  const { kube, log } = context;
  const { namespace, name } = planned.wish;
  const resource = resourceOf(planned);
  const began = operations.clock.now();
  let policy: Policy | null = null;
  let route: HTTPRoute | null = null;
  try {
    // What the cluster refuses for certain is refused before anything is there.
    await tryRoute(kube, planned);
    if (planned.policy) policy = await putPolicy(kube, resource, { policy: planned.policy, leftover, now: began });
    else if (leftover) await deleteRead(kube, resource, leftover, { strict: true });
    checkPace(operations.clock.now() - began);
    route = await kube.create(httpRoutes, planned.closes ? closed(planned.route) : planned.route);
    await operations.refuseLostRace(context, claimOf(planned), route);
  } catch (error) {
    await undo(context, resource, { route, policy, cause: error });
    throw toSlipwayError(error, subjectOf(httpRoutes, name));
  }
  const linked = policy && (await link(context, resource, { policy, route }));
  if (policy && !linked) {
    await deleteRead(kube, httpRoutes, route);
    const message = `The policy of the gateway ${name} was deleted while it was created, so the gateway was too. Try again.`;
    throw new SlipwayError('CONFLICT', message, { reason: 'CHANGED' });
  }
  log.info({ gateway: `${namespace}/${name}`, auth: planned.wish.auth.kind }, 'gateway created');
  return result(operations, planned.notices, { route, policy: linked });
}

/** Takes back what a failed create has written. A route that is or may yet be there never loses its policy. */
async function undo(
  { kube, log }: Context,
  resource: Resource<Policy>,
  { route, policy, cause }: { route: HTTPRoute | null; policy: Policy | null; cause: unknown },
): Promise<void> {
  try {
    if (route) await deleteRead(kube, httpRoutes, route);
    const gone =
      route && (await getOrNull(kube, httpRoutes, route.metadata.namespace ?? '', route.metadata.name)) === null;
    if (policy && (gone || (!route && refused(cause)))) await deleteRead(kube, resource, policy, { strict: true });
  } catch (error) {
    log.warn({ err: error }, 'what a failed create left behind stays until its name is used again');
  }
}

/** Null when the policy is gone. Any other failure harms nothing: what is pending is tied later. */
async function link(
  { kube, log }: Context,
  resource: Resource<Policy>,
  { policy, route }: { policy: Policy; route: HTTPRoute },
): Promise<Policy | null> {
  try {
    return await patchRead(kube, resource, policy, linkPatch(policy, route));
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'NOT_FOUND') return null;
    log.warn({ err: error, policy: policy.metadata.name }, 'the policy could not be tied to its route');
    return policy;
  }
}

/** What was written, as it is when the gateway is open, or when that takes longer than somebody waits. */
async function result(operations: Operations, notices: GatewayNotice[], written: Written): Promise<GatewayResult> {
  const { policy } = written;
  const route = await operations.untilOpen(written);
  const objects = policy ? [policy, route] : [route];
  return { gateway: await operations.settledView(route, policy), objects, notices };
}
