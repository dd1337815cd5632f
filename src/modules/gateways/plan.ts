import { invalid, type SlipwayError, throwInvalid } from '../../errors.ts';
import type { HTTPRoute } from '../../k8s/resources.ts';
import type { Context } from '../../module.ts';
import { type GatewayAuthInput, readAuth } from './auth-input.ts';
import type { Claim } from './clashes.ts';
import { domainsOf, hostnameProblem } from './hostname.ts';
import { keyProblem, type Repeat, repeatText } from './idempotency.ts';
import { authAnnotation, dnsLabel, idempotencyAnnotation, managedByLabel, projectLabel } from './names.ts';
import { type GatewayNotice, noticesOf } from './notices.ts';
import type { Operations } from './operations.ts';
import { normalPrefixes, type Prefixes } from './paths.ts';
import { authWord } from './policies.ts';
import { checkSecret, policyFor } from './protection.ts';
import { allOf } from './refusals.ts';
import { buildRoute } from './route.ts';
import type { GatewayAuth, ParentName, Policy } from './service.ts';
import { needsClosing } from './takeover.ts';
import { admitted, type BackendTarget, type ParentTarget, resolveBackend, resolveParent } from './targets.ts';

export interface GatewayParentInput {
  namespace: string;
  name: string;
  sectionName?: string | null | undefined;
}

export interface GatewayBackendInput {
  service: string;
  namespace?: string | null | undefined;
  port?: number | null | undefined;
}

export interface CreateGatewayInput {
  name: string;
  namespace?: string | null | undefined;
  backend: GatewayBackendInput;
  hostname?: string | null | undefined;
  pathPrefix?: string | null | undefined;
  rewritePathPrefix?: string | null | undefined;
  auth: GatewayAuthInput;
  parent?: GatewayParentInput | null | undefined;
  dryRun?: boolean | null | undefined;
  idempotencyKey?: string | null | undefined;
}

export const parentName = (input: GatewayParentInput): ParentName => ({
  namespace: input.namespace,
  name: input.name,
  sectionName: input.sectionName ?? null,
});

/** What is wanted, as far as the input alone says it. */
export interface Wish extends Prefixes {
  name: string;
  namespace: string;
  service: string;
  port: number | null;
  hostname: string;
  auth: GatewayAuth;
  parent: ParentName | null;
}

/** What can be told from the input alone; all faults at once. */
export function readWish({ config, cluster }: Operations, input: CreateGatewayInput): Wish {
  const errors: SlipwayError[] = [];
  const { name } = input;
  const named = dnsLabel.test(name);
  if (!named) {
    const message = `"${name}" can't be a name: 1 to 63 letters a to z, digits and hyphens, no hyphen at either end.`;
    errors.push(invalid('name', message, 'NAME_INVALID'));
  }
  const namespace = readNamespace(cluster, input, errors);
  const hostname = input.hostname ?? `${name}.${config.domain}`;
  // A name that is refused says nothing about the hostname made of it.
  const badHostname = named || typeof input.hostname === 'string' ? hostnameProblem(hostname, config) : null;
  if (badHostname) errors.push(badHostname);
  const prefixes = normalPrefixes(
    { pathPrefix: input.pathPrefix ?? '/', rewritePathPrefix: input.rewritePathPrefix ?? null },
    errors,
  );
  const auth = readAuth(input.auth, { embedded: cluster.mode === 'EMBEDDED' }, errors);
  const badKey = keyProblem(input.idempotencyKey);
  if (badKey) errors.push(badKey);
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

function readNamespace(cluster: Operations['cluster'], input: CreateGatewayInput, errors: SlipwayError[]): string {
  const backendNamespace = input.backend.namespace ?? input.namespace ?? cluster.namespace;
  const namespace = input.namespace ?? backendNamespace;
  if (namespace !== backendNamespace) {
    const message = `A gateway lies in the namespace of its service (${backendNamespace}). Leave the namespace out.`;
    errors.push(invalid('namespace', message, 'CROSS_NAMESPACE'));
  }
  const field = input.namespace ? 'namespace' : 'backend.namespace';
  if (!dnsLabel.test(namespace)) errors.push(invalid(field, `"${namespace}" is no namespace.`, 'NAME_INVALID'));
  else if (cluster.watchedNamespaces?.includes(namespace) === false) {
    const message = `This server only looks after ${cluster.watchedNamespaces.join(', ')}, not ${namespace}.`;
    errors.push(invalid(field, message, 'NAMESPACE_NOT_WATCHED'));
  }
  return namespace;
}

/** All that will be written, checked. */
export interface Plan {
  wish: Wish;
  backend: BackendTarget;
  parent: ParentTarget;
  route: HTTPRoute;
  policy: Policy | null;
  /** The route begins closed. */
  closes: boolean;
  notices: GatewayNotice[];
}

/** What the cluster has to say to it. */
export async function plan(operations: Operations, context: Context, wish: Wish, repeat: Repeat | null): Promise<Plan> {
  const { namespace, name, service, port, hostname, auth } = wish;
  const [backend, parent] = await allOf(
    () => resolveBackend(operations, context, { namespace, service, port }),
    () => resolveParent(operations, wish.parent),
  );
  const [taking, { policy, secretKnown }] = await allOf(
    () => admitted(parent, { namespace, hostname }, operations.parents),
    () => protectionFor(operations, context, wish, { backend, parent }),
  );
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
  const route = buildRoute(metadata, shape, parent.ref, policy && parent.policies?.filter?.(policy.metadata.name));
  const closes = policy !== null && needsClosing(parent);
  const closedMs = closes ? await operations.closedMs(route, auth.kind) : null;
  const domains = domainsOf(operations.config);
  const target = { parent, taking, backend };
  const notices = noticesOf({ shape, auth, secretKnown, ...target, closedMs, domains, ...operations.lookups });
  return { wish, backend, parent, route, policy, closes, notices };
}

async function protectionFor(
  { store }: Operations,
  context: Context,
  { namespace, name, auth }: Wish,
  { backend, parent }: { backend: BackendTarget; parent: ParentTarget },
): Promise<{ policy: Policy | null; secretKnown: boolean }> {
  const policy = policyFor({ namespace, name }, auth, parent);
  if (policy && parent.policies) store.policies.readable(parent.policies);
  return { policy, secretKnown: await checkSecret(context, auth, backend, parent) };
}

export const claimOf = ({ wish, backend, parent }: Plan): Claim => ({
  ...wish,
  project: backend.project,
  parent: parent.ref,
});
