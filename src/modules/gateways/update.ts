import { isDeepStrictEqual } from 'node:util';
import { invalid, SlipwayError, throwInvalid } from '../../errors.ts';
import type { JsonPatchOperation } from '../../k8s/cluster.ts';
import { type HTTPRoute, httpRoutes, type SecurityPolicy, securityPolicies } from '../../k8s/resources.ts';
import type { Context } from '../../module.ts';
import { type GatewayAuthInput, readAuth } from './auth-input.ts';
import { allOf, asPreview, type GatewayParentInput, type GatewayResult, parentName } from './create.ts';
import { type Present, readPresent } from './delete.ts';
import { authParts } from './envoy-gateway.ts';
import { hostnameProblem } from './hostname.ts';
import { authAnnotation } from './names.ts';
import { noticesOf } from './notices.ts';
import type { Operations } from './operations.ts';
import { normalPrefixes, type Prefixes } from './paths.ts';
import { askedFor, authWord, simpleGateway } from './policies.ts';
import { checkSecret, policyFor } from './protection.ts';
import { parentsOf, routePatch, type RouteShape, simpleRule } from './route.ts';
import type { GatewayAuth, ParentName } from './service.ts';
import { admitted, type BackendTarget, type ParentTarget, resolveBackend, resolveParent } from './targets.ts';
import { annotate, deleteRead, linkPatch, patchRead, policyError } from './writes.ts';

export interface UpdateGatewayInput {
  id: string;
  resourceVersion?: string | null | undefined;
  backend?:
    | { service: string; namespace?: string | null | undefined; port?: number | null | undefined }
    | null
    | undefined;
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

/** How the policy gets from what it is to what it should be. */
type PolicyStep =
  | { do: 'nothing' }
  | { do: 'create'; policy: SecurityPolicy }
  | { do: 'patch'; policy: SecurityPolicy; operations: JsonPatchOperation[] }
  | { do: 'delete'; policy: SecurityPolicy };

/** Changes what is given and nothing else. */
export async function updateGateway(
  operations: Operations,
  context: Context,
  input: UpdateGatewayInput,
): Promise<GatewayResult> {
  const view = await operations.store.visible(input.id, context.access, 'id');
  const { namespace, name } = view;
  const hostname = typeof input.hostname === 'string' ? input.hostname : view.hostnames[0];
  return operations.locks.run([`name ${namespace}/${name}`, `host ${hostname}`], async () => {
    const present = await readPresent(operations, context, input);
    const wish = readWish(operations, input, present);
    return carryOut(operations, context, input, present, wish);
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

async function carryOut(
  operations: Operations,
  context: Context,
  input: UpdateGatewayInput,
  present: Present,
  wish: Wish,
): Promise<GatewayResult> {
  const { route } = present;
  const { namespace = '', name } = route.metadata;
  const { shape } = wish;
  const [backend, parent] = await allOf(
    resolveBackend(operations, context, { ...shape.backend, namespace: shape.backend.namespace }),
    resolveParent(operations, wish.parent ?? parentsOf(route)[0] ?? null),
  );
  const taking = admitted(parent, { namespace, hostname: shape.hostname }, operations.parents);
  const step = await policyStep(context, present, wish, backend, parent);
  const project = backend.project;
  const wanted = { ...shape, backend: { ...shape.backend, port: backend.port } };
  await operations.refuseClash(context, { namespace, name, project, parent: parent.ref, ...wanted });
  const auth = wish.auth ?? presentAuth(present, parent);
  const changes = [
    ...routePatch(route, { shape: wanted, parent: wish.parent }),
    ...(wish.auth ? annotate(route, authAnnotation, authWord(wish.auth.kind)) : []),
  ];
  const notices = noticesOf({ shape: wanted, auth, parent, taking, backend, ...operations.lookups });
  // What the cluster refuses for certain is refused before anything has changed.
  const preview = await patchRead(context.kube, httpRoutes, route, changes, { dryRun: true });
  if (input.dryRun) {
    const policy = await previewStep(context, present, step);
    const gateway = asPreview(operations.store.view(preview, policy ? [policy] : []));
    return { gateway, objects: [...(policy ? [policy] : []), preview], notices };
  }
  const written = await write(context, present, step, changes);
  context.log.info({ gateway: `${namespace}/${name}`, auth: auth.kind }, 'gateway changed');
  const gateway = await operations.settledView(written.route, written.policy);
  return { gateway, objects: [...(written.policy ? [written.policy] : []), written.route], notices };
}

function presentAuth({ policy, route }: Present, { policies }: ParentTarget): GatewayAuth {
  const read = policy && policies?.read(policy);
  if (read && read.kind !== 'OTHER') return read;
  if (policy || (askedFor(route) ?? 'NONE') !== 'NONE') return { kind: 'BASIC', secretName: '' };
  return { kind: 'NONE' };
}

async function policyStep(
  context: Context,
  { route, policy }: Present,
  { auth }: Wish,
  backend: BackendTarget,
  parent: ParentTarget,
): Promise<PolicyStep> {
  const { namespace = '', name } = route.metadata;
  if (!auth) {
    // Another parent must be able to enforce what protects the route now.
    if (policy && !parent.policies) policyFor({ namespace, name }, { kind: 'BASIC', secretName: '' }, parent);
    return { do: 'nothing' };
  }
  const wanted = policyFor({ namespace, name }, auth, parent);
  await checkSecret(context, auth, backend, parent);
  if (!policy) return wanted ? { do: 'create', policy: wanted } : { do: 'nothing' };
  if (isDeepStrictEqual(parent.policies?.read(policy), auth)) return { do: 'nothing' };
  if (wanted) return { do: 'patch', policy, operations: swapPatch(policy, wanted) };
  const rest = Object.keys(policy.spec).filter(
    (part) => !(authParts as readonly string[]).includes(part) && !['targetRef', 'targetRefs'].includes(part),
  );
  // A policy that does more than ask for credentials goes on doing that.
  return rest.length > 0 ? { do: 'patch', policy, operations: swapPatch(policy, null) } : { do: 'delete', policy };
}

/** One write from one protection to another: there is no moment between them. */
function swapPatch(policy: SecurityPolicy, wanted: SecurityPolicy | null): JsonPatchOperation[] {
  const operations: JsonPatchOperation[] = [];
  for (const part of authParts) {
    const value = (wanted?.spec as Record<string, unknown> | undefined)?.[part];
    if (value !== undefined) operations.push({ op: 'add', path: `/spec/${part}`, value });
    else if (part in policy.spec) operations.push({ op: 'remove', path: `/spec/${part}` });
  }
  const word = wanted?.metadata.annotations?.[authAnnotation] ?? 'none';
  return [...operations, ...annotate(policy, authAnnotation, word)];
}

async function previewStep({ kube }: Context, { policy }: Present, step: PolicyStep): Promise<SecurityPolicy | null> {
  if (step.do === 'patch') return patchRead(kube, securityPolicies, step.policy, step.operations, { dryRun: true });
  if (step.do === 'delete') return null;
  if (step.do === 'nothing') return policy;
  try {
    await kube.create(securityPolicies, step.policy, { dryRun: true });
  } catch (error) {
    throw policyError(error, step.policy.metadata.name);
  }
  return step.policy;
}

/** Protection is there before the route counts on it, and goes only after the route no longer does. */
async function write(
  context: Context,
  { route, policy }: Present,
  step: PolicyStep,
  changes: readonly JsonPatchOperation[],
): Promise<{ route: HTTPRoute; policy: SecurityPolicy | null }> {
  const { kube } = context;
  const loosens = step.do === 'delete' || (step.do === 'patch' && step.operations.every(({ op }) => op === 'remove'));
  if (loosens) {
    const written = await patchRead(kube, httpRoutes, route, changes);
    if (step.do === 'patch') {
      return { route: written, policy: await patchRead(kube, securityPolicies, step.policy, step.operations) };
    }
    await deleteRead(kube, securityPolicies, step.policy, { strict: true });
    return { route: written, policy: null };
  }
  const protectedBy = await protect(context, route, policy, step);
  try {
    return { route: await patchRead(kube, httpRoutes, route, changes), policy: protectedBy };
  } catch (error) {
    await restore(context, { before: policy, now: protectedBy });
    throw error;
  }
}

async function protect(
  { kube }: Context,
  route: HTTPRoute,
  present: SecurityPolicy | null,
  step: PolicyStep,
): Promise<SecurityPolicy | null> {
  if (step.do === 'patch') return patchRead(kube, securityPolicies, step.policy, step.operations);
  if (step.do !== 'create') return present;
  try {
    const { ownerReferences } = Object.fromEntries(
      linkPatch(step.policy, route).map(({ value }) => ['ownerReferences', value]),
    ) as Pick<SecurityPolicy['metadata'], 'ownerReferences'>;
    const metadata = { ...step.policy.metadata, ...(ownerReferences && { ownerReferences }) };
    return await kube.create(securityPolicies, { ...step.policy, metadata });
  } catch (error) {
    throw policyError(error, step.policy.metadata.name);
  }
}

/** Puts the protection back as it was when the route could not follow. Never to less than the route has asked for. */
async function restore(
  { kube, log }: Context,
  { before, now }: { before: SecurityPolicy | null; now: SecurityPolicy | null },
): Promise<void> {
  if (!now || now === before) return;
  try {
    if (!before) await deleteRead(kube, securityPolicies, now, { strict: true });
    else await patchRead(kube, securityPolicies, now, [{ op: 'replace', path: '/spec', value: before.spec }]);
  } catch (error) {
    log.warn(
      { err: error, policy: now.metadata.name },
      'the policy keeps its new protection; its route did not change',
    );
  }
}
