import { createHash } from 'node:crypto';
import type { HTTPRoute } from '../../k8s/resources.ts';
import { globalId } from '../../schema/ids.ts';
import type { Millis, ObjectRef } from '../runs/service.ts';
import { conditionsOf, referenceTo } from './conditions.ts';
import { isClosed, openSpec } from './closed.ts';
import { ownedByPlatform, policyNameOf, projectLabel } from './names.ts';
import { type ParentLookup, takingListeners, urlOf } from './parents.ts';
import { type ParentState, phaseOf } from './phase.ts';
import { askedFor, byAge, extensionsOf, inheritedPolicy, simpleGateway, targetsOf } from './policies.ts';
import { parentsOf, simpleRule } from './route.ts';
import type { GatewayAuth, GatewayAuthView, GatewayView, Policy, PolicyBackend } from './service.ts';

/** What the view of a route rests on besides the route: all from caches, nothing is asked. */
export interface ViewSources {
  parents: ParentLookup;
  /** The policies attached to the route. */
  attached: readonly Policy[];
  /** The policies of a namespace. */
  policiesIn: (namespace: string) => Iterable<Policy>;
  /** False when our identity may not read policies. */
  policiesKnown: boolean;
  /** Reads a policy back; by the implementation of the Gateway where there is one. */
  read: PolicyBackend['read'];
  /** The run behind a Service. */
  runOf: (namespace: string, service: string) => { id: string; project: string | null } | undefined;
  /** A policy was attached to the route before. */
  wasProtected: boolean;
  /** From when on it will be open, if it is closed and that is known. */
  opensAt: Millis | null;
  now: Millis;
}

export function gatewayView(route: HTTPRoute, sources: ViewSources): GatewayView {
  const { name, uid = '', creationTimestamp } = route.metadata;
  const namespace = route.metadata.namespace ?? '';
  const key = `${namespace}/${name}`;
  const attached = [...sources.attached].sort(byAge);
  const shape = simpleRule(route)?.shape ?? null;
  const backend = shape?.backend ?? firstBackend(route);
  const run = backend ? sources.runOf(backend.namespace, backend.service) : undefined;
  const parents = parentStates(route, sources);
  const auth = authOf(attached, parents, sources);
  const { phase, message, changesAt } = phaseOf({
    route,
    parents,
    asked: askedFor(route),
    attached,
    kind: auth.kind,
    wasProtected: sources.wasProtected,
    strayed: attached.length === 0 && has(sources.policiesIn(namespace), policyNameOf(name)),
    closed: isClosed(route) || namesMissing(route, attached),
    opensAt: sources.opensAt,
    unserved: unservedOf(route, parents, sources),
    names: {
      hostname: route.spec.hostnames?.[0] ?? 'any hostname',
      namespace,
      backend: backend ? `${backend.service}${backend.port === null ? '' : `:${backend.port}`}` : 'none',
      policy: policyNameOf(name),
      secret: auth.secretName,
    },
    now: sources.now,
  });
  return {
    key,
    id: globalId('Gateway', key),
    uid,
    name,
    namespace,
    project: run?.project ?? route.metadata.labels?.[projectLabel] ?? null,
    resourceVersion: desiredVersion(route, attached),
    createdAt: creationTimestamp ? Date.parse(creationTimestamp) : null,
    hostnames: route.spec.hostnames ?? [],
    pathPrefix: shape?.pathPrefix ?? null,
    ruleCount: route.spec.rules?.length ?? 0,
    rewritePathPrefix: shape?.rewritePathPrefix ?? null,
    backend,
    serviceRunId: run?.id ?? null,
    auth,
    parents: parentsOf(route),
    url: addressOf(route, parents, shape?.pathPrefix ?? '/', sources.parents),
    status: {
      phase,
      message,
      conditions: conditionsOf(
        route,
        attached,
        parents.map(({ gateway }) => gateway),
      ),
    },
    managed: ownedByPlatform(route) && simpleGateway(route, attached),
    changesAt,
    objects: { route, policies: attached },
  };
}

const has = (policies: Iterable<Policy>, name: string): boolean =>
  [...policies].some(({ metadata }) => metadata.name === name);

/** A filter of the route names its own policy, which is not there. */
function namesMissing(route: HTTPRoute, attached: readonly Policy[]): boolean {
  const own = policyNameOf(route.metadata.name);
  return attached.length === 0 && extensionsOf(route).some(({ name }) => name === own);
}

/** Stands for what is wanted of route and policies. Neither status writes nor the opening of a closed route move it. */
export function desiredVersion(route: HTTPRoute, attached: readonly Policy[]): string | null {
  if (!route.metadata.uid) return null;
  const parts = [{ ...route, spec: openSpec(route) }, ...attached.toSorted(byAge)];
  const wanted = parts.map(({ metadata, spec }) => [metadata.uid, spec]);
  const text = JSON.stringify([wanted, askedFor(route)]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

function firstBackend(route: HTTPRoute): GatewayView['backend'] {
  for (const rule of route.spec.rules ?? []) {
    for (const ref of rule.backendRefs ?? []) {
      if ((ref.kind ?? 'Service') !== 'Service') continue;
      return { namespace: ref.namespace ?? route.metadata.namespace ?? '', service: ref.name, port: ref.port ?? null };
    }
  }
  return null;
}

function parentStates(route: HTTPRoute, { parents: lookup }: ViewSources): ParentState[] {
  const namespace = route.metadata.namespace ?? '';
  return parentsOf(route).map((ref) => {
    const gateway = lookup.gateway(ref.namespace, ref.name);
    const hostnames = route.spec.hostnames ?? [];
    const taking = gateway
      ? (hostnames.length > 0 ? hostnames : [null]).flatMap((hostname) =>
          takingListeners(gateway, ref.sectionName, { namespace, hostname }, lookup),
        )
      : [];
    return { ref, gateway, hidden: !gateway && !lookup.watches(ref.namespace), taking: [...new Set(taking)] };
  });
}

/** Hostnames that no listener takes, beside others that one does: gateways pass over them without a word. */
function unservedOf(route: HTTPRoute, parents: readonly ParentState[], { parents: lookup }: ViewSources): string[] {
  const { hostnames = [] } = route.spec;
  if (hostnames.length < 2 || parents.some(({ gateway }) => !gateway)) return [];
  const namespace = route.metadata.namespace ?? '';
  const served = (hostname: string) =>
    parents.some(
      ({ ref, gateway }) =>
        gateway && takingListeners(gateway, ref.sectionName, { namespace, hostname }, lookup).length > 0,
    );
  return parents.length === 0 ? [] : hostnames.filter((hostname) => !served(hostname));
}

const blank: Omit<GatewayAuthView, 'kind' | 'policy' | 'inherited'> = {
  secretName: null,
  headerName: null,
  jwksUri: null,
  issuer: null,
  audiences: [],
  claimToHeaders: [],
};

/** How an auth shows: every field of every kind, null where it has none. */
export function authView(
  auth: GatewayAuth | { kind: 'OTHER' | 'UNKNOWN' },
  policy: ObjectRef | null,
  inherited = false,
): GatewayAuthView {
  if (auth.kind === 'JWT') return { ...blank, ...auth, issuer: auth.issuer || null, policy, inherited };
  return { ...blank, ...auth, policy, inherited };
}

function authOf(attached: readonly Policy[], parents: readonly ParentState[], sources: ViewSources) {
  if (!sources.policiesKnown) return authView({ kind: 'UNKNOWN' }, null);
  const [policy, ...others] = attached;
  if (policy) {
    const forOneRule = [policy, ...others].some((one) => targetsOf(one).some(({ sectionName }) => sectionName));
    return authView(forOneRule ? { kind: 'OTHER' } : sources.read(policy), referenceTo(policy));
  }
  for (const { ref, gateway, taking } of parents) {
    const names = taking.map((listener) => listener.name);
    const inherited = gateway && inheritedPolicy(gateway, names, sources.policiesIn(ref.namespace));
    if (inherited) return authView(sources.read(inherited), referenceTo(inherited), true);
  }
  return authView({ kind: 'NONE' }, null);
}

function addressOf(
  route: HTTPRoute,
  parents: readonly ParentState[],
  pathPrefix: string,
  lookup: ParentLookup,
): string | null {
  for (const { gateway, taking } of parents) {
    const [listener] = taking;
    const hostname = route.spec.hostnames?.[0] ?? listener?.hostname;
    if (gateway && listener && hostname) return urlOf(gateway, listener, { hostname, pathPrefix }, lookup);
  }
  return null;
}
