import type { HTTPRoute, HTTPRouteMatch } from '../../resources.ts';
import { type HeaderLines, headerValues } from './headers.ts';
import { hasPathPrefix, type Target } from './paths.ts';
import { queryValues } from './query.ts';

/** What routes are matched on. */
export interface RoutedRequest {
  method: string;
  target: Target;
  headers: HeaderLines;
}

/** Why a match can't be served here; null when it can. */
export function matchProblem(match: HTTPRouteMatch): string | null {
  const types = [
    match.path?.type,
    ...(match.headers ?? []).map((header) => header.type),
    ...(match.queryParams ?? []).map((param) => param.type),
  ];
  // A hostile pattern would stop the event loop for everybody, and a JavaScript expression is not an RE2 one.
  return types.includes('RegularExpression')
    ? 'the embedded gateway does not support matches of type RegularExpression'
    : null;
}

export function matchesRequest(match: HTTPRouteMatch, request: RoutedRequest): boolean {
  const { type = 'PathPrefix', value = '/' } = match.path ?? {};
  const { path, query } = request.target;
  if (type === 'Exact' ? path !== value : !hasPathPrefix(path, value)) return false;
  if (match.method !== undefined && match.method !== request.method) return false;
  return (
    (match.headers ?? []).every(({ name, value }) => headerValues(request.headers, name).join(',') === value) &&
    (match.queryParams ?? []).every(({ name, value }) => queryValues(query, name)[0] === value)
  );
}

/** One match of one rule of one route, as it stands in the table. */
export interface RankedMatch {
  match: HTTPRouteMatch;
  route: HTTPRoute;
  /** Position in the route: rule, then match. */
  position: readonly [rule: number, match: number];
}

/** Sorts what is tried first to the front: the precedence of the Gateway API within one host name. */
export function compareMatches(a: RankedMatch, b: RankedMatch): number {
  return (
    Number(b.match.path?.type === 'Exact') - Number(a.match.path?.type === 'Exact') ||
    pathLength(b.match) - pathLength(a.match) ||
    Number(b.match.method !== undefined) - Number(a.match.method !== undefined) ||
    (b.match.headers?.length ?? 0) - (a.match.headers?.length ?? 0) ||
    (b.match.queryParams?.length ?? 0) - (a.match.queryParams?.length ?? 0) ||
    compareAge(a.route, b.route) ||
    a.position[0] - b.position[0] ||
    a.position[1] - b.position[1]
  );
}

function pathLength(match: HTTPRouteMatch): number {
  const value = match.path?.value ?? '/';
  return match.path?.type === 'Exact' ? value.length : value.replace(/\/+$/, '').length;
}

/** Oldest first, then by `namespace/name`: who wins where two objects claim the same. */
export function compareAge(a: HTTPRoute | Dated, b: HTTPRoute | Dated): number {
  const age = (object: Dated) => object.metadata.creationTimestamp ?? '9999';
  const key = (object: Dated) => `${object.metadata.namespace}/${object.metadata.name}`;
  if (age(a) !== age(b)) return age(a) < age(b) ? -1 : 1;
  if (key(a) === key(b)) return 0;
  return key(a) < key(b) ? -1 : 1;
}

interface Dated {
  metadata: { name: string; namespace?: string; creationTimestamp?: string };
}
