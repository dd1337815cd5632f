import { invalid, SlipwayError, throwInvalid } from '../../errors.ts';
import type { JsonPatchOperation } from '../../k8s/cluster.ts';
import { type HTTPRoute, httpRoutes } from '../../k8s/resources.ts';
import type { Context } from '../../module.ts';
import { type GatewayAuthInput, readAuth } from './auth-input.ts';
import type { Claim } from './clashes.ts';
import { isClosed, openPatch } from './closed.ts';
import { asPreview, type GatewayResult } from './create.ts';
import { type Present, readPresent } from './delete.ts';
import { domainsOf, hostnameProblem } from './hostname.ts';
import { authAnnotation, pendingAnnotation, projectLabel } from './names.ts';
import { noticesOf } from './notices.ts';
import type { Operations } from './operations.ts';
import { refuseForeignFields } from './ownership.ts';
import { takingListeners } from './parents.ts';
import { normalPrefixes, type Prefixes } from './paths.ts';
import { type GatewayBackendInput, type GatewayParentInput, parentName } from './plan.ts';
import { askedFor, authWord, simpleGateway } from './policies.ts';
import { carryOut, closing, type PolicyStep, policyStep, previewStep, protectionOf } from './policy-step.ts';
import { checkSecret, secretLock } from './protection.ts';
import { allOf } from './refusals.ts';
import { parentsOf, routePatch, type RouteShape, simpleRule } from './route.ts';
import type { GatewayAuth, GatewayAuthKind, ParentName } from './service.ts';
import { admitted, type ParentTarget, refuseMoved, resolveBackend, resolveParent } from './targets.ts';
import { changesKind, needsClosing } from './takeover.ts';
import { annotate, patchRead, unannotate } from './writes.ts';

export interface UpdateGatewayInput {
  id: string;
  resourceVersion?: string | null | undefined;
  backend?: GatewayBackendInput | null | undefined;
  hostname?: string | null | undefined;
  pathPrefix?: string | null | undefined;
  rewritePathPrefix?: string | null | undefined;
  auth?: GatewayAuthInput | null | undefined;
  parent?: GatewayParentInput | null | undefined;
  dryRun?: boolean | null | undefined;
}

interface Wish {
  shape: RouteShape & { hostname: string };
  /** null: as it is. */
  auth: GatewayAuth | null;
  parent: ParentName | null;
}

/** Changes what is given and nothing else. */
export async function updateGateway(
  operations: Operations,
  context: Context,
  input: UpdateGatewayInput,
): Promise<GatewayResult> {
  const view = await operations.store.visible(input.id, context.access, 'id');
  const { namespace, name } = view;
  const hostname = typeof input.hostname === 'string' ? input.hostname : view.hostnames[0];
  const secret = input.auth?.basic?.secretName ?? input.auth?.apiKey?.secretName;
  const keys = [
    `name ${namespace}/${name}`,
    `host ${hostname}`,
    ...(secret === undefined ? [] : [secretLock(namespace, secret)]),
  ];
  return operations.locks.run(keys, async () => {
    const present = await readPresent(operations, context, input);
    const wish = readWish(operations, input, present);
    return change(operations, context, input, present, wish);
  });
}

function readWish(operations: Operations, input: UpdateGatewayInput, { route, attached }: Present): Wish {
  const { name } = route.metadata;
  const simple = simpleRule(route);
  if (!simple || !simpleGateway(route, attached)) {
    const message =
      `The gateway ${name} says more than one prefix, one Service and one policy, and editing it here would lose ` +
      'that. Change it with kubectl.';
    throw new SlipwayError('NOT_SUPPORTED', message, { field: 'id', reason: 'NOT_SIMPLE' });
  }
  const errors: SlipwayError[] = [];
  for (const field of ['backend', 'auth', 'parent'] as const) {
    if (input[field] === null)
      errors.push(invalid(field, `"${field}" can't be null. Leave it out to keep it.`, 'NULL'));
  }
  const hostname = readHostname(operations, input, simple.shape.hostname, name, errors);
  const prefixes = readPrefixes(input, simple.shape, errors);
  const auth = input.auth ? readAuth(input.auth, { embedded: operations.cluster.mode === 'EMBEDDED' }, errors) : null;
  const { namespace } = simple.shape.backend;
  if (input.backend && (input.backend.namespace ?? namespace) !== route.metadata.namespace) {
    errors.push(invalid('backend.namespace', 'A gateway lies in the namespace of its service.', 'CROSS_NAMESPACE'));
  }
  throwInvalid(errors);
  const backend = input.backend
    ? { namespace, service: input.backend.service, port: input.backend.port ?? null }
    : simple.shape.backend;
  return { shape: { ...prefixes, hostname, backend }, auth, parent: input.parent ? parentName(input.parent) : null };
}

function readHostname(
  { config }: Operations,
  input: UpdateGatewayInput,
  present: string | null,
  name: string,
  errors: SlipwayError[],
): string {
  const wanted = input.hostname === undefined ? present : (input.hostname ?? `${name}.${config.domain}`);
  const hostname = wanted ?? `${name}.${config.domain}`;
  const problem = hostname === present ? null : hostnameProblem(hostname, config);
  if (problem) errors.push(problem);
  return hostname;
}

function readPrefixes(input: UpdateGatewayInput, present: Prefixes, errors: SlipwayError[]): Prefixes {
  const { pathPrefix, rewritePathPrefix } = input;
  if (pathPrefix === undefined && rewritePathPrefix === undefined) return present;
  const wanted = {
    pathPrefix: pathPrefix === undefined ? present.pathPrefix : (pathPrefix ?? '/'),
    rewritePathPrefix: rewritePathPrefix === undefined ? present.rewritePathPrefix : rewritePathPrefix,
  };
  return normalPrefixes(wanted, errors) ?? present;
}

/** What the cluster has to say; only what changes is judged anew, so that a route in trouble can still be mended. */
async function targets(
  operations: Operations,
  context: Context,
  input: UpdateGatewayInput,
  present: Present,
  wish: Wish,
) {
  const { route } = present;
  const { namespace = '' } = route.metadata;
  const { hostname, backend: wanted } = wish.shape;
  const run = operations.runs.byService(wanted.namespace, wanted.service);
  const asItIs = { ...wanted, run, project: run?.project ?? route.metadata.labels?.[projectLabel] ?? null };
  const [backend, parent] = await allOf(
    () => (input.backend ? resolveBackend(operations, context, wanted) : asItIs),
    () => resolveParent(operations, wish.parent ?? parentsOf(route)[0] ?? null),
  );
  const moves = wish.parent !== null || hostname !== route.spec.hostnames?.[0];
  const lookup = operations.parents;
  const taking = () =>
    moves
      ? admitted(parent, { namespace, hostname }, lookup)
      : takingListeners(parent.gateway, parent.ref.sectionName, { namespace, hostname }, lookup);
  const [listeners, { step, secretKnown }] = await allOf(taking, async () => {
    const step = policyStep(present, wish.auth, parent);
    return { step, secretKnown: !wish.auth || (await checkSecret(context, wish.auth, backend, parent)) };
  });
  const shape = { ...wish.shape, backend: { ...wanted, port: backend.port } };
  let claim: Claim | null = null;
  if (moves || input.backend || shape.pathPrefix !== simpleRule(route)?.shape.pathPrefix) {
    const { name } = route.metadata;
    claim = { namespace, name, project: backend.project, parent: parent.ref, ...shape };
    await operations.refuseClash(context, claim, true);
  }
  return { shape, claim, backend, parent, taking: listeners, step, secretKnown };
}

async function change(
  operations: Operations,
  context: Context,
  input: UpdateGatewayInput,
  present: Present,
  wish: Wish,
): Promise<GatewayResult> {
  const { route } = present;
  const { namespace = '', name } = route.metadata;
  const { shape, step, claim, ...target } = await targets(operations, context, input, present, wish);
  const auth = wish.auth ?? presentAuth(present, target.parent);
  if (wish.auth && target.parent.policies) operations.store.policies.readable(target.parent.policies);
  const changes = (now: HTTPRoute): JsonPatchOperation[] => [
    ...routePatch(now, { shape, parent: wish.parent, protection: protectionOf(now, wish.auth, target.parent) }),
    ...(wish.auth ? annotate(now, authAnnotation, authWord(wish.auth.kind)) : []),
    ...(auth.kind === 'NONE' ? [...openPatch(now), ...unannotate(now, pendingAnnotation)] : []),
  ];
  refuseForeignFields(route, changes(route));
  if (step.do === 'patch') refuseForeignFields(step.policy, step.operations);
  // What the cluster refuses for certain is refused before anything has changed.
  const preview = await patchRead(context.kube, httpRoutes, route, changes(route), { dryRun: true });
  refuseMoved(preview, wish.parent ? [wish.parent] : parentsOf(route));
  const closes = closesFor(operations, present, { auth, step, parent: target.parent, after: preview });
  const began = operations.clock.now();
  if (closes) refuseForeignFields(route, closing(route, began));
  const closedMs = closes ? await operations.closedMs(preview, auth.kind) : null;
  const domains = domainsOf(operations.config);
  const notices = noticesOf({ shape, auth, ...target, closedMs, domains, ...operations.lookups });
  if (input.dryRun) {
    const policy = await previewStep(context, present, step);
    const gateway = asPreview(operations.store.view(preview, policy ? [policy] : []));
    return { gateway, objects: [...(policy ? [policy] : []), preview], notices };
  }
  const check = async (now: HTTPRoute) => void (claim && (await operations.refuseLostRace(context, claim, now)));
  const written = await carryOut(context, present, { step, changes, closes, check, clock: operations.clock });
  context.log.info({ gateway: `${namespace}/${name}`, auth: auth.kind }, 'gateway changed');
  if (written.removed) await operations.store.settled([written.removed], true);
  const last = await operations.untilOpen(written);
  const gateway = await operations.settledView(last, written.policy);
  return { gateway, objects: [...(written.policy ? [written.policy] : []), last], notices };
}

/** Whether at some moment the route could be served with less protection than it has now and shall have. */
function closesFor(
  operations: Operations,
  { route }: Present,
  to: { auth: { kind: GatewayAuthKind }; step: PolicyStep; parent: ParentTarget; after: HTTPRoute },
): boolean {
  const { auth, step, parent, after } = to;
  if (auth.kind === 'NONE' || !needsClosing(parent)) return false;
  if (step.do === 'create') return true;
  if (step.do === 'patch' && changesKind(parent.policies?.read(step.policy).kind ?? 'OTHER', auth.kind)) return true;
  // A change that died before is begun anew.
  if (isClosed(route) && route.metadata.annotations?.[pendingAnnotation] !== undefined) return true;
  const present = operations.listenersOf(route);
  return [...operations.listenersOf(after)].some((listener) => !present.has(listener));
}

function presentAuth({ policy, route }: Present, { policies }: ParentTarget): GatewayAuth | { kind: 'OTHER' } {
  const unprotected = !policy && (askedFor(route) ?? 'NONE') === 'NONE';
  return (policy && policies?.read(policy)) ?? { kind: unprotected ? 'NONE' : 'OTHER' };
}
