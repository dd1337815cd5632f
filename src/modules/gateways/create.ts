import { isDeepStrictEqual } from 'node:util';
import { invalid, SlipwayError, throwInvalid } from '../../errors.ts';
import { toSlipwayError } from '../../k8s/api-error.ts';
import { type HTTPRoute, httpRoutes, type SecurityPolicy, securityPolicies } from '../../k8s/resources.ts';
import type { Context } from '../../module.ts';
import { globalId } from '../../schema/ids.ts';
import { type GatewayAuthInput, readAuth } from './auth-input.ts';
import type { Claim } from './clashes.ts';
import { hostnameProblem } from './hostname.ts';
import { isResultOf, type Repeat, repeatOf, repeatText } from './idempotency.ts';
import {
  authAnnotation,
  dnsLabel,
  idempotencyAnnotation,
  managedByLabel,
  policyNameOf,
  projectLabel,
} from './names.ts';
import { type GatewayNotice, noticesOf } from './notices.ts';
import type { Operations } from './operations.ts';
import { normalPrefixes, type Prefixes } from './paths.ts';
import { attachedTo, authWord } from './policies.ts';
import { checkSecret, policyFor } from './protection.ts';
import { buildRoute } from './route.ts';
import type { GatewayAuth, GatewayView, ParentName } from './service.ts';
import { admitted, type BackendTarget, type ParentTarget, resolveBackend, resolveParent } from './targets.ts';
import { checkLeftover, deleteRead, getOrNull, linkPatch, patchRead, putPolicy, refused, subjectOf } from './writes.ts';

export interface GatewayParentInput {
  namespace: string;
  name: string;
  sectionName?: string | null | undefined;
}

export interface CreateGatewayInput {
  name: string;
  namespace?: string | null | undefined;
  backend: { service: string; namespace?: string | null | undefined; port?: number | null | undefined };
  hostname?: string | null | undefined;
  pathPrefix?: string | null | undefined;
  rewritePathPrefix?: string | null | undefined;
  auth: GatewayAuthInput;
  parent?: GatewayParentInput | null | undefined;
  dryRun?: boolean | null | undefined;
  idempotencyKey?: string | null | undefined;
}

export interface GatewayResult {
  gateway: GatewayView;
  /** In the order they are written. */
  objects: (HTTPRoute | SecurityPolicy)[];
  notices: GatewayNotice[];
}

interface Wish extends Prefixes {
  name: string;
  namespace: string;
  service: string;
  port: number | null;
  hostname: string;
  auth: GatewayAuth;
  parent: ParentName | null;
}

export const parentName = (input: GatewayParentInput): ParentName => ({
  namespace: input.namespace,
  name: input.name,
  sectionName: input.sectionName ?? null,
});

/** What can be told from the input alone; all faults at once. */
function readWish(operations: Operations, input: CreateGatewayInput): Wish {
  const { config, cluster } = operations;
  const errors: SlipwayError[] = [];
  const { name } = input;
  if (!dnsLabel.test(name)) {
    const message = `"${name}" can't be a name: 1 to 63 letters a to z, digits and hyphens, no hyphen at either end.`;
    errors.push(invalid('name', message, 'NAME_INVALID'));
  }
  const backendNamespace = input.backend.namespace ?? input.namespace ?? cluster.namespace;
  const namespace = input.namespace ?? backendNamespace;
  if (namespace !== backendNamespace) {
    const message = `A gateway lies in the namespace of its service (${backendNamespace}). Leave the namespace out.`;
    errors.push(invalid('namespace', message, 'CROSS_NAMESPACE'));
  }
  if (!dnsLabel.test(namespace)) errors.push(invalid('namespace', `"${namespace}" is no namespace.`, 'NAME_INVALID'));
  const hostname = input.hostname ?? `${name}.${config.domain}`;
  const badHostname = dnsLabel.test(name) || input.hostname ? hostnameProblem(hostname, config) : null;
  if (badHostname) errors.push(badHostname);
  const prefixes = normalPrefixes(
    { pathPrefix: input.pathPrefix ?? '/', rewritePathPrefix: input.rewritePathPrefix ?? null },
    errors,
  );
  const auth = readAuth(input.auth, { embedded: cluster.mode === 'EMBEDDED' }, errors);
  throwInvalid(errors);
  if (!prefixes || !auth) throw new Error('a check refused without an error');
  return {
    ...prefixes,
    name,
    namespace,
    service: input.backend.service,
    port: input.backend.port ?? null,
    hostname,
    auth,
    parent: input.parent ? parentName(input.parent) : null,
  };
}

interface Plan {
  wish: Wish;
  backend: BackendTarget;
  parent: ParentTarget;
  route: HTTPRoute;
  policy: SecurityPolicy | null;
  notices: GatewayNotice[];
}

/** What the cluster has to say to it. */
async function plan(operations: Operations, context: Context, wish: Wish, repeat: Repeat | null): Promise<Plan> {
  const { namespace, name, service, port, hostname, auth } = wish;
  const [backend, parent] = await allOf(
    resolveBackend(operations, context, { namespace, service, port }),
    resolveParent(operations, wish.parent),
  );
  const taking = admitted(parent, { namespace, hostname }, operations.parents);
  const policy = policyFor({ namespace, name }, auth, parent);
  await checkSecret(context, auth, backend, parent);
  const shape = { ...wish, backend: { namespace, service, port: backend.port } };
  const metadata = {
    name,
    namespace,
    labels: { [managedByLabel]: 'slipway', ...(backend.project !== null && { [projectLabel]: backend.project }) },
    annotations: {
      [authAnnotation]: authWord(auth.kind),
      ...(repeat && { [idempotencyAnnotation]: repeatText(repeat) }),
    },
  };
  return {
    wish,
    backend,
    parent,
    route: buildRoute(metadata, shape, parent.ref),
    policy,
    notices: noticesOf({ shape, auth, parent, taking, backend, ...operations.lookups }),
  };
}

const claimOf = ({ wish, backend, parent }: Plan): Claim => ({ ...wish, project: backend.project, parent: parent.ref });

/** A view of what is not there: its id leads nowhere. */
export function asPreview(view: GatewayView): GatewayView {
  const key = `${view.key}?preview`;
  return { ...view, key, id: globalId('Gateway', key) };
}

/** Both, or every refusal at once. */
export async function allOf<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  const [x, y] = await Promise.allSettled([a, b]);
  if (x.status === 'fulfilled' && y.status === 'fulfilled') return [x.value, y.value];
  const reasons: unknown[] = [x, y].flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  throwInvalid(reasons.filter((reason) => reason instanceof SlipwayError));
  throw reasons[0];
}

/** Creates a gateway: policy before route, and nothing is left when it fails. */
export async function createGateway(
  operations: Operations,
  context: Context,
  input: CreateGatewayInput,
): Promise<GatewayResult> {
  const dryRun = input.dryRun ?? false;
  const repeat = dryRun ? null : repeatOf(context.caller.name, 'createGateway', input);
  const wish = readWish(operations, input);
  const keys = [
    `name ${wish.namespace}/${wish.name}`,
    `host ${wish.hostname}`,
    ...(repeat ? [`key ${repeat.key}`] : []),
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
  const found =
    wish.auth.kind === 'NONE' ? null : await getOrNull(context.kube, securityPolicies, namespace, policyNameOf(name));
  const policy = found && (await link(context, found, route));
  // What has changed since (a Secret that is gone, say) is no reason to refuse what was done.
  const notices = await plan(operations, context, wish, repeat).then(
    (planned) => planned.notices,
    () => [],
  );
  return result(operations, notices, route, policy);
}

/** The name must be free; what is left of a create that died is returned, to be taken over. */
async function checkNames(operations: Operations, { kube }: Context, planned: Plan): Promise<SecurityPolicy | null> {
  const { namespace, name, auth } = planned.wish;
  const [route, policy] = await allOf(
    getOrNull(kube, httpRoutes, namespace, name),
    getOrNull(kube, securityPolicies, namespace, policyNameOf(name)),
  );
  if (route) {
    const message = `There is already a gateway ${name} in the namespace ${namespace}. Choose another name.`;
    throw new SlipwayError('CONFLICT', message, { field: 'name', reason: 'ALREADY_EXISTS' });
  }
  const others = attachedTo({ namespace, name }, operations.lookups.policiesIn(namespace)).filter(
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

async function preview(
  operations: Operations,
  { kube }: Context,
  planned: Plan,
  leftover: SecurityPolicy | null,
): Promise<GatewayResult> {
  const { route, policy } = planned;
  try {
    if (policy && !leftover) await kube.create(securityPolicies, policy, { dryRun: true });
    await kube.create(httpRoutes, route, { dryRun: true });
  } catch (error) {
    throw toSlipwayError(error, subjectOf(httpRoutes, route.metadata.name));
  }
  const gateway = operations.store.view(route, policy ? [policy] : []);
  return { gateway: asPreview(gateway), objects: [...(policy ? [policy] : []), route], notices: planned.notices };
}

async function write(
  operations: Operations,
  context: Context,
  planned: Plan,
  leftover: SecurityPolicy | null,
): Promise<GatewayResult> {
  const { kube, log } = context;
  const { name } = planned.route.metadata;
  let policy: SecurityPolicy | null = null;
  let route: HTTPRoute | null = null;
  try {
    // What the cluster refuses for certain is refused before anything is there.
    await kube.create(httpRoutes, planned.route, { dryRun: true });
    if (planned.policy) policy = await putPolicy(kube, planned.policy, leftover, operations.clock.now());
    else if (leftover) await deleteRead(kube, securityPolicies, leftover, { strict: true });
    route = await kube.create(httpRoutes, planned.route);
    await operations.refuseLostRace(context, claimOf(planned), route);
  } catch (error) {
    await undo(context, { route, policy }, error);
    throw toSlipwayError(error, subjectOf(httpRoutes, name));
  }
  if (policy) policy = await link(context, policy, route);
  log.info({ gateway: `${planned.wish.namespace}/${name}`, auth: planned.wish.auth.kind }, 'gateway created');
  return result(operations, planned.notices, route, policy);
}

/** Takes back what a failed create has written. A route that is or may yet be there never loses its policy. */
async function undo(
  { kube, log }: Context,
  { route, policy }: { route: HTTPRoute | null; policy: SecurityPolicy | null },
  cause: unknown,
): Promise<void> {
  try {
    if (route) await deleteRead(kube, httpRoutes, route);
    if (policy && (route || refused(cause))) await deleteRead(kube, securityPolicies, policy, { strict: true });
  } catch (error) {
    log.warn({ err: error }, 'what a failed create left behind stays until its name is used again');
  }
}

/** The label of the policy finds it too, so a failure here harms nothing. */
async function link({ kube, log }: Context, policy: SecurityPolicy, route: HTTPRoute): Promise<SecurityPolicy> {
  try {
    return await patchRead(kube, securityPolicies, policy, linkPatch(policy, route));
  } catch (error) {
    log.warn({ err: error, policy: policy.metadata.name }, 'the policy could not be tied to its route');
    return policy;
  }
}

async function result(
  operations: Operations,
  notices: GatewayNotice[],
  route: HTTPRoute,
  policy: SecurityPolicy | null,
): Promise<GatewayResult> {
  const objects = policy ? [policy, route] : [route];
  return { gateway: await operations.settledView(route, policy), objects, notices };
}
