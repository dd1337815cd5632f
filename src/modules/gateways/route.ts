import { isDeepStrictEqual } from 'node:util';
import type { JsonPatchOperation } from '../../k8s/cluster.ts';
import {
  apiVersionOf,
  gateways,
  type HTTPRoute,
  type HTTPRouteFilter,
  type HTTPRouteRule,
  httpRoutes,
  type ParentReference,
  services,
} from '../../k8s/resources.ts';
import { isClosing } from './closed.ts';
import { trimSlash } from './paths.ts';
import type { BackendName, ParentName } from './service.ts';

/** What a route of one simple rule says. */
export interface RouteShape {
  /** The first hostname; null: those of the listeners. */
  hostname: string | null;
  pathPrefix: string;
  rewritePathPrefix: string | null;
  backend: BackendName;
}

const rewriteType = 'URLRewrite';

/** The one rule of a route that is one path prefix to one Service; null for anything that says more. */
export function simpleRule(route: HTTPRoute): { rule: HTTPRouteRule; shape: RouteShape } | null {
  const [rule, ...otherRules] = route.spec.rules ?? [];
  if (!rule || otherRules.length > 0) return null;
  const [ref, ...otherRefs] = rule.backendRefs ?? [];
  const pathPrefix = prefixOf(rule);
  const rewrite = rewriteOf(rule.filters ?? []);
  if (!ref || otherRefs.length > 0 || pathPrefix === null || rewrite === undefined) return null;
  if ((ref.kind ?? services.kind) !== services.kind || (ref.group ?? '') !== '' || ref.filters?.length) return null;
  const backend = {
    namespace: ref.namespace ?? route.metadata.namespace ?? '',
    service: ref.name,
    port: ref.port ?? null,
  };
  const hostname = route.spec.hostnames?.[0] ?? null;
  return { rule, shape: { hostname, pathPrefix, rewritePathPrefix: rewrite, backend } };
}

function prefixOf(rule: HTTPRouteRule): string | null {
  const [match, ...others] = rule.matches ?? [];
  if (others.length > 0) return null;
  if (!match) return '/';
  if ((match.headers?.length && !isClosing(match)) || match.queryParams?.length || match.method) return null;
  if (match.path?.type !== undefined && match.path.type !== 'PathPrefix') return null;
  return trimSlash(match.path?.value ?? '/');
}

/** The replacement of the prefix, null for none, undefined when the filters say more than a prefix can. */
function rewriteOf(filters: readonly HTTPRouteFilter[]): string | null | undefined {
  if (filters.some((filter) => filter.type === 'RequestRedirect')) return undefined;
  const [filter, ...others] = filters.filter(({ type }) => type === rewriteType);
  if (others.length > 0) return undefined;
  const path = filter?.urlRewrite?.path;
  if (!path) return null;
  return path.type === 'ReplacePrefixMatch' ? trimSlash(path.replacePrefixMatch || '/') : undefined;
}

export function parentRefOf(parent: ParentName, routeNamespace: string): ParentReference {
  return {
    group: gateways.group,
    kind: gateways.kind,
    ...(parent.namespace !== routeNamespace && { namespace: parent.namespace }),
    name: parent.name,
    ...(parent.sectionName !== null && { sectionName: parent.sectionName }),
  };
}

/** The Gateways a route names; other kinds of parents are not ours to show. */
export function parentsOf(route: HTTPRoute): ParentName[] {
  return (route.spec.parentRefs ?? [])
    .filter((ref) => (ref.kind ?? gateways.kind) === gateways.kind && (ref.group ?? gateways.group) === gateways.group)
    .map((ref) => ({
      namespace: ref.namespace ?? route.metadata.namespace ?? '',
      name: ref.name,
      sectionName: ref.sectionName ?? null,
    }));
}

const rewriteFilter = (replacement: string): HTTPRouteFilter => ({
  type: rewriteType,
  urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: replacement } },
});

export function buildRoute(
  metadata: HTTPRoute['metadata'] & { namespace: string },
  shape: RouteShape & { hostname: string },
  parent: ParentName,
  /** First of all: who asks for credentials sees the request as it came. */
  protection?: HTTPRouteFilter | null,
): HTTPRoute {
  const filters = [
    ...(protection ? [protection] : []),
    ...(shape.rewritePathPrefix === null ? [] : [rewriteFilter(shape.rewritePathPrefix)]),
  ];
  return {
    apiVersion: apiVersionOf(httpRoutes),
    kind: httpRoutes.kind,
    metadata,
    spec: {
      parentRefs: [parentRefOf(parent, metadata.namespace)],
      hostnames: [shape.hostname],
      rules: [
        {
          matches: [{ path: { type: 'PathPrefix', value: shape.pathPrefix } }],
          ...(filters.length > 0 && { filters }),
          backendRefs: [
            { name: shape.backend.service, ...(shape.backend.port !== null && { port: shape.backend.port }) },
          ],
        },
      ],
    },
  };
}

/** The filter that names a policy, and whether it shall be there. */
export interface RouteProtection {
  filter: HTTPRouteFilter;
  wanted: boolean;
}

export interface WantedRoute {
  shape: RouteShape;
  /** null: as it is. */
  parent: ParentName | null;
  /** Absent: as it is. */
  protection?: RouteProtection | undefined;
}

/** The operations that turn a simple route into the wanted shape and leave everything else in it alone. */
export function routePatch(route: HTTPRoute, wanted: WantedRoute): JsonPatchOperation[] {
  const simple = simpleRule(route);
  if (!simple) return [];
  const { rule, shape } = simple;
  const operations: JsonPatchOperation[] = [];
  if (wanted.shape.hostname !== shape.hostname && wanted.shape.hostname !== null) {
    operations.push(
      route.spec.hostnames?.length
        ? { op: 'replace', path: '/spec/hostnames/0', value: wanted.shape.hostname }
        : { op: 'add', path: '/spec/hostnames', value: [wanted.shape.hostname] },
    );
  }
  if (wanted.shape.pathPrefix !== shape.pathPrefix) operations.push(...matchPatch(rule, wanted.shape.pathPrefix));
  operations.push(...filtersPatch(rule, shape, wanted));
  operations.push(...backendPatch(shape.backend, wanted.shape.backend));
  if (wanted.parent) operations.push(...parentPatch(route, wanted.parent));
  return operations;
}

function matchPatch(rule: HTTPRouteRule, pathPrefix: string): JsonPatchOperation[] {
  const path = { type: 'PathPrefix', value: pathPrefix };
  return rule.matches?.length
    ? [{ op: 'add', path: '/spec/rules/0/matches/0/path', value: path }]
    : [{ op: 'add', path: '/spec/rules/0/matches', value: [{ path }] }];
}

/** The filters with another replacement of the prefix, and with or without the one that names a policy. */
function filtersPatch(
  rule: HTTPRouteRule,
  present: RouteShape,
  { shape, protection }: WantedRoute,
): JsonPatchOperation[] {
  const filters = rule.filters ?? [];
  const same = shape.rewritePathPrefix === present.rewritePathPrefix;
  const rewritten = same ? filters : withRewrite(filters, shape.rewritePathPrefix);
  const wanted = protection ? withProtection(rewritten, protection) : rewritten;
  if (isDeepStrictEqual(wanted, filters)) return [];
  const path = '/spec/rules/0/filters';
  return [wanted.length === 0 ? { op: 'remove', path } : { op: 'add', path, value: wanted }];
}

function withRewrite(filters: readonly HTTPRouteFilter[], replacement: string | null): HTTPRouteFilter[] {
  const present = filters.find(({ type }) => type === rewriteType);
  const others = (filter: HTTPRouteFilter) => filter !== present;
  if (replacement === null) {
    const { path: _, ...rest } = present?.urlRewrite ?? {};
    // A filter that also rewrites the host keeps doing that.
    if (Object.keys(rest).length === 0) return filters.filter(others);
    return filters.map((filter) => (others(filter) ? filter : { ...filter, urlRewrite: rest }));
  }
  const { urlRewrite } = rewriteFilter(replacement);
  if (!present) return [...filters, rewriteFilter(replacement)];
  return filters.map((filter) =>
    others(filter) ? filter : { ...filter, urlRewrite: { ...filter.urlRewrite, ...urlRewrite } },
  );
}

function withProtection(filters: readonly HTTPRouteFilter[], { filter, wanted }: RouteProtection): HTTPRouteFilter[] {
  const others = filters.filter(({ extensionRef }) => !isDeepStrictEqual(extensionRef, filter.extensionRef));
  if (!wanted) return others;
  return others.length < filters.length ? [...filters] : [filter, ...filters];
}

function backendPatch(present: BackendName, wanted: BackendName): JsonPatchOperation[] {
  const at = '/spec/rules/0/backendRefs/0';
  const operations: JsonPatchOperation[] = [];
  if (present.service !== wanted.service) operations.push({ op: 'replace', path: `${at}/name`, value: wanted.service });
  if (present.port !== wanted.port) operations.push({ op: 'add', path: `${at}/port`, value: wanted.port });
  return operations;
}

function parentPatch(route: HTTPRoute, parent: ParentName): JsonPatchOperation[] {
  const [present, ...others] = parentsOf(route);
  const same =
    others.length === 0 &&
    route.spec.parentRefs?.length === 1 &&
    present?.namespace === parent.namespace &&
    present.name === parent.name &&
    present.sectionName === parent.sectionName;
  const value = [parentRefOf(parent, route.metadata.namespace ?? '')];
  return same ? [] : [{ op: 'add', path: '/spec/parentRefs', value }];
}
