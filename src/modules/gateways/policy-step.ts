import { isDeepStrictEqual } from 'node:util';
import type { JsonPatchOperation } from '../../k8s/cluster.ts';
import { type HTTPRoute, httpRoutes, type SecurityPolicy, securityPolicies } from '../../k8s/resources.ts';
import type { Context } from '../../module.ts';
import type { Present } from './delete.ts';
import { authParts } from './envoy-gateway.ts';
import { authAnnotation } from './names.ts';
import { checkSecret, notEnforced, policyFor } from './protection.ts';
import type { GatewayAuth } from './service.ts';
import type { KnownBackend, ParentTarget } from './targets.ts';
import { annotate, deleteRead, linkPatch, ownerFor, patchRead, policyError, refused } from './writes.ts';

/** How the policy gets from what it is to what it should be. */
export type PolicyStep =
  | { do: 'nothing' }
  | { do: 'create'; policy: SecurityPolicy }
  | { do: 'patch'; policy: SecurityPolicy; operations: JsonPatchOperation[]; loosens: boolean }
  | { do: 'delete'; policy: SecurityPolicy };

/** What has to happen to the policy for what is wanted; null: as it is. */
export async function policyStep(
  context: Context,
  { route, policy }: Present,
  auth: GatewayAuth | null,
  backend: KnownBackend,
  parent: ParentTarget,
): Promise<PolicyStep> {
  const { namespace = '', name } = route.metadata;
  if (!auth) {
    // Another parent must be able to enforce what protects the route now.
    if (policy && !parent.policies) throw notEnforced(parent);
    return { do: 'nothing' };
  }
  const wanted = policyFor({ namespace, name }, auth, parent);
  await checkSecret(context, auth, backend, parent);
  if (!policy) return wanted ? { do: 'create', policy: wanted } : { do: 'nothing' };
  if (isDeepStrictEqual(parent.policies?.read(policy), auth)) return { do: 'nothing' };
  if (wanted)
    return {
      do: 'patch',
      policy,
      operations: [...swapPatch(policy, wanted), ...linkPatch(policy, route)],
      loosens: false,
    };
  const rest = Object.keys(policy.spec).filter(
    (part) => !(authParts as readonly string[]).includes(part) && !['targetRef', 'targetRefs'].includes(part),
  );
  // A policy that does more than ask for credentials goes on doing that.
  if (rest.length === 0) return { do: 'delete', policy };
  return { do: 'patch', policy, operations: swapPatch(policy, null), loosens: true };
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

/** The policy as it would be. */
export async function previewStep(
  { kube }: Context,
  { policy }: Present,
  step: PolicyStep,
): Promise<SecurityPolicy | null> {
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

interface CarriedOut {
  route: HTTPRoute;
  policy: SecurityPolicy | null;
  removed: SecurityPolicy | null;
}

/** Protection is there before the route counts on it, and goes only after the route no longer does. */
export async function carryOut(
  context: Context,
  { route, policy }: Present,
  step: PolicyStep,
  changes: readonly JsonPatchOperation[],
): Promise<CarriedOut> {
  if (step.do === 'delete' || (step.do === 'patch' && step.loosens)) return loosen(context, route, step, changes);
  const protectedBy = await protect(context, route, policy, step);
  try {
    return { route: await patchRead(context.kube, httpRoutes, route, changes), policy: protectedBy, removed: null };
  } catch (error) {
    // A write without an answer may have been carried out, or will be: the route must find the protection it asks for.
    if (refused(error)) await restore(context, { before: policy, now: protectedBy });
    throw error;
  }
}

async function loosen(
  context: Context,
  route: HTTPRoute,
  step: Extract<PolicyStep, { do: 'delete' | 'patch' }>,
  changes: readonly JsonPatchOperation[],
): Promise<CarriedOut> {
  const { kube } = context;
  const written = await patchRead(kube, httpRoutes, route, changes);
  try {
    if (step.do === 'patch') {
      const loosened = await patchRead(kube, securityPolicies, step.policy, step.operations);
      return { route: written, policy: loosened, removed: null };
    }
    await deleteRead(kube, securityPolicies, step.policy, { strict: true });
    return { route: written, policy: null, removed: step.policy };
  } catch (error) {
    if (refused(error)) await putBack(context, route, written);
    throw error;
  }
}

/** The route as it was, when its protection could not go. It was in force all the time. */
async function putBack({ kube, log }: Context, before: HTTPRoute, now: HTTPRoute): Promise<void> {
  const { annotations } = before.metadata;
  try {
    await patchRead(kube, httpRoutes, now, [
      { op: 'replace', path: '/spec', value: before.spec },
      annotations
        ? { op: 'add', path: '/metadata/annotations', value: annotations }
        : { op: 'remove', path: '/metadata/annotations' },
    ]);
  } catch (error) {
    log.warn({ err: error, route: now.metadata.name }, 'the route keeps its new shape, and its old protection');
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
    const metadata = { ...step.policy.metadata, ownerReferences: [ownerFor(route)] };
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
