import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../clock.ts';
import { SlipwayError } from '../../errors.ts';
import type { JsonPatchOperation } from '../../k8s/cluster.ts';
import { type HTTPRoute, httpRoutes, type Resource, resourceName } from '../../k8s/resources.ts';
import type { Context } from '../../module.ts';
import type { Millis } from '../runs/service.ts';
import { closed, closePatch, isClosed } from './closed.ts';
import type { Present } from './delete.ts';
import { authAnnotation, pendingAnnotation, policyNameOf } from './names.ts';
import { authWord } from './policies.ts';
import { notEnforced, policyFor } from './protection.ts';
import type { RouteProtection } from './route.ts';
import type { GatewayAuth, Policy } from './service.ts';
import type { ParentTarget } from './targets.ts';
import {
  annotate,
  checkPace,
  deleteRead,
  linkPatch,
  ownerFor,
  patchRead,
  policyError,
  refused,
  unannotate,
} from './writes.ts';

/** How the policy gets from what it is to what it should be. */
export type PolicyStep =
  | { do: 'nothing' }
  | { do: 'create'; policy: Policy; resource: Resource<Policy> }
  | { do: 'patch'; policy: Policy; operations: JsonPatchOperation[]; loosens: boolean }
  | { do: 'delete'; policy: Policy };

/** What has to happen to the policy for what is wanted; null: as it is. */
export function policyStep(
  { route, policy, resource }: Present,
  auth: GatewayAuth | null,
  parent: ParentTarget,
): PolicyStep {
  const { namespace = '', name } = route.metadata;
  const { policies } = parent;
  if (policy && (!policies || resourceName(policies.resource) !== resourceName(resource)))
    throw otherKind(parent, auth);
  if (!auth) return { do: 'nothing' };
  const wanted = policyFor({ namespace, name }, auth, parent);
  if (!policy)
    return wanted && policies ? { do: 'create', policy: wanted, resource: policies.resource } : { do: 'nothing' };
  if (!policies || isDeepStrictEqual(policies.read(policy), auth)) return { do: 'nothing' };
  const swap = policies.change(policy, auth);
  if (!swap) return { do: 'delete', policy };
  const operations = [...swap, ...annotate(policy, authAnnotation, authWord(auth.kind))];
  if (!wanted) return { do: 'patch', policy, operations, loosens: true };
  return { do: 'patch', policy, operations: [...operations, ...linkPatch(policy, route)], loosens: false };
}

/** Another parent must be able to enforce what protects the route now, by the same policy. */
function otherKind(parent: ParentTarget, auth: GatewayAuth | null): SlipwayError {
  if (!parent.policies || !auth) return notEnforced(parent);
  const { namespace, name } = parent.ref;
  const message =
    `The Gateway ${namespace}/${name} is protected by another kind of policy than this gateway has now. ` +
    'Make a new gateway there, and delete this one.';
  return new SlipwayError('NOT_SUPPORTED', message, { field: 'parent', reason: 'AUTH_NOT_SUPPORTED' });
}

/** What the route must say, where a filter of it names the policy. */
export function protectionOf(
  route: HTTPRoute,
  auth: GatewayAuth | null,
  { policies }: ParentTarget,
): RouteProtection | undefined {
  if (!auth || !policies?.filter) return undefined;
  return { filter: policies.filter(policyNameOf(route.metadata.name)), wanted: auth.kind !== 'NONE' };
}

/** The policy as it would be. */
export async function previewStep(
  { kube }: Context,
  { policy, resource }: Present,
  step: PolicyStep,
): Promise<Policy | null> {
  if (step.do === 'patch') return patchRead(kube, resource, step.policy, step.operations, { dryRun: true });
  if (step.do === 'delete') return null;
  if (step.do === 'nothing') return policy;
  try {
    return await kube.create(step.resource, step.policy, { dryRun: true });
  } catch (error) {
    throw policyError(error, step.resource, step.policy.metadata.name);
  }
}

/** The kind of the policy that a step is about. */
const kindOf = (step: PolicyStep, { resource }: Present): Resource<Policy> =>
  step.do === 'create' ? step.resource : resource;

/** A change of a gateway. */
export interface Change {
  step: PolicyStep;
  /** What a route needs to be as it shall be. */
  changes: (route: HTTPRoute) => JsonPatchOperation[];
  /** Closed to everybody while its protection changes: it is opened once the new one is in force. */
  closes: boolean;
  /** Refuses what was written, when somebody else was faster. */
  check: (route: HTTPRoute) => Promise<void>;
  clock: Clock;
}

interface CarriedOut {
  route: HTTPRoute;
  policy: Policy | null;
  removed: Policy | null;
}

/** Protection is there before the route counts on it, and goes only after the route no longer does. */
export async function carryOut(context: Context, present: Present, change: Change): Promise<CarriedOut> {
  const { step, changes, closes, check, clock } = change;
  if (step.do === 'delete' || (step.do === 'patch' && step.loosens)) return loosen(context, present, step, change);
  const { kube } = context;
  const began = clock.now();
  let { route, policy } = present;
  if (closes) route = await patchRead(kube, httpRoutes, route, closing(route, began));
  try {
    checkPace(clock.now() - began);
    policy = await protect(context, present, step);
    const complete = closes ? unannotate(route, pendingAnnotation) : [];
    route = await patchRead(kube, httpRoutes, route, [...changes(route), ...complete]);
    await check(route);
    return { route, policy, removed: null };
  } catch (error) {
    // A write without an answer may have been carried out, or will be: the route must find the protection it asks for.
    if (refused(error)) await takeBack(context, present, { route, policy, resource: kindOf(step, present) });
    throw error;
  }
}

/** Closes a route; whoever finds it so after a minute completes the change. */
export const closing = (route: HTTPRoute, now: Millis): JsonPatchOperation[] => [
  ...closePatch(route),
  ...annotate(route, pendingAnnotation, new Date(now).toISOString()),
];

async function loosen(
  context: Context,
  { route, resource }: Present,
  step: Extract<PolicyStep, { do: 'delete' | 'patch' }>,
  { changes, check }: Change,
): Promise<CarriedOut> {
  const { kube } = context;
  const written = await patchRead(kube, httpRoutes, route, changes(route));
  try {
    await check(written);
    if (step.do === 'patch') {
      const loosened = await patchRead(kube, resource, step.policy, step.operations);
      return { route: written, policy: loosened, removed: null };
    }
    await deleteRead(kube, resource, step.policy, { strict: true });
    return { route: written, policy: null, removed: step.policy };
  } catch (error) {
    if (refused(error)) await putBack(context, route, written);
    throw error;
  }
}

/** A route as it was, with this specification. */
async function putBack(
  { kube, log }: Context,
  before: HTTPRoute,
  now: HTTPRoute,
  spec: HTTPRoute['spec'] = before.spec,
): Promise<void> {
  const { annotations } = before.metadata;
  try {
    await patchRead(kube, httpRoutes, now, [
      { op: 'replace', path: '/spec', value: spec },
      annotations
        ? { op: 'add', path: '/metadata/annotations', value: annotations }
        : { op: 'remove', path: '/metadata/annotations' },
    ]);
  } catch (error) {
    log.warn({ err: error, route: now.metadata.name }, 'the route keeps its new shape');
  }
}

/** All as it was. A route that was closed opens at once only if its protection has been in force all the time. */
async function takeBack(
  context: Context,
  { route: before, policy: protection }: Present,
  { route, policy, resource }: { route: HTTPRoute; policy: Policy | null; resource: Resource<Policy> },
): Promise<void> {
  const touched = policy !== protection;
  const closes = isClosed(route);
  if (!closes && route !== before) await putBack(context, before, route);
  if (touched) await restore(context, { before: protection, now: policy, resource });
  if (!closes) return;
  const opens = !touched || protection === null;
  await putBack(context, before, route, opens ? before.spec : closed(before).spec);
}

async function protect(
  { kube }: Context,
  { route, policy, resource }: Present,
  step: PolicyStep,
): Promise<Policy | null> {
  if (step.do === 'patch') return patchRead(kube, resource, step.policy, step.operations);
  if (step.do !== 'create') return policy;
  try {
    const metadata = { ...step.policy.metadata, ownerReferences: [ownerFor(route)] };
    return await kube.create(step.resource, { ...step.policy, metadata });
  } catch (error) {
    throw policyError(error, step.resource, step.policy.metadata.name);
  }
}

/** Puts the protection back as it was when the route could not follow. Never to less than the route has asked for. */
async function restore(
  { kube, log }: Context,
  { before, now, resource }: { before: Policy | null; now: Policy | null; resource: Resource<Policy> },
): Promise<void> {
  if (!now || now === before) return;
  try {
    if (!before) await deleteRead(kube, resource, now, { strict: true });
    else await patchRead(kube, resource, now, [{ op: 'replace', path: '/spec', value: before.spec }]);
  } catch (error) {
    log.warn(
      { err: error, policy: now.metadata.name },
      'the policy keeps its new protection; its route did not change',
    );
  }
}
