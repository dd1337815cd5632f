import type { HeaderModifier, HTTPRouteFilter, HTTPRouteMatch, HTTPRouteRule } from '../../resources.ts';
import { parseDuration } from '../../durations.ts';
import { matchProblem } from './matching.ts';
import { hasPathPrefix, isPlainPath, replaceFullPath, replacePathPrefix, type Target } from './paths.ts';

/** What a rule does to the requests it matches, besides protecting and forwarding them. */
export interface RuleActions {
  rewritePath: ((path: string, match: HTTPRouteMatch) => string) | null;
  rewriteHostname: string | null;
  requestHeaders: HeaderModifier[];
  responseHeaders: HeaderModifier[];
  redirect: Redirect | null;
  /** Milliseconds for the whole exchange; null: no limit. */
  timeoutMs: number | null;
}

interface Redirect {
  scheme?: string;
  hostname?: string;
  port?: number;
  statusCode?: number;
  path?: PathModifier;
}
type PathModifier = NonNullable<NonNullable<HTTPRouteFilter['urlRewrite']>['path']>;

const defaultMatches: HTTPRouteMatch[] = [{ path: { type: 'PathPrefix', value: '/' } }];

export function ruleMatches(rule: HTTPRouteRule): readonly HTTPRouteMatch[] {
  return rule.matches?.length ? rule.matches : defaultMatches;
}

/** Why a rule can't be served here; null when it can. */
export function ruleProblem(rule: HTTPRouteRule): string | null {
  for (const match of ruleMatches(rule)) {
    const problem = matchProblem(match);
    if (problem !== null) return problem;
  }
  for (const filter of rule.filters ?? []) {
    const problem = filterProblem(filter, rule);
    if (problem !== null) return problem;
  }
  if (rule.backendRefs?.some(({ filters }) => filters?.length)) {
    return 'the embedded gateway does not support filters on a backendRef';
  }
  for (const text of [rule.timeouts?.request, rule.timeouts?.backendRequest]) {
    if (text !== undefined && parseDuration(text) === null) return `invalid timeout: ${text}`;
  }
  return null;
}

function filterProblem(filter: HTTPRouteFilter, rule: HTTPRouteRule): string | null {
  switch (filter.type) {
    case 'RequestHeaderModifier':
    case 'ResponseHeaderModifier':
      return null;
    case 'URLRewrite':
      return pathModifierProblem(filter.urlRewrite?.path, rule);
    case 'RequestRedirect':
      return pathModifierProblem((filter.requestRedirect as Redirect | undefined)?.path, rule);
    default:
      return `the embedded gateway does not support filters of type ${filter.type}`;
  }
}

function pathModifierProblem(path: PathModifier | undefined, rule: HTTPRouteRule): string | null {
  if (!path) return null;
  const value = path.type === 'ReplaceFullPath' ? path.replaceFullPath : path.replacePrefixMatch;
  if (value === undefined) return `the path modifier ${path.type} has no value`;
  if (!isPlainPath(value)) return `the replacement path ${JSON.stringify(value)} is not a plain path`;
  const prefixesOnly = ruleMatches(rule).every(({ path: match }) => (match?.type ?? 'PathPrefix') === 'PathPrefix');
  return path.type === 'ReplaceFullPath' || prefixesOnly
    ? null
    : 'ReplacePrefixMatch needs matches of type PathPrefix only';
}

export function ruleActions(rule: HTTPRouteRule): RuleActions {
  const filters = rule.filters ?? [];
  const rewrite = filters.find(({ type }) => type === 'URLRewrite')?.urlRewrite;
  const redirect = filters.find(({ type }) => type === 'RequestRedirect')?.requestRedirect;
  return {
    rewritePath: rewrite?.path ? pathRewriter(rewrite.path) : null,
    rewriteHostname: rewrite?.hostname ?? null,
    requestHeaders: filters.flatMap(({ requestHeaderModifier }) => requestHeaderModifier ?? []),
    responseHeaders: filters.flatMap(({ responseHeaderModifier }) => responseHeaderModifier ?? []),
    redirect: (redirect as Redirect | undefined) ?? null,
    timeoutMs: shortestTimeout(rule),
  };
}

function pathRewriter(modifier: PathModifier): (path: string, match: HTTPRouteMatch) => string {
  if (modifier.type === 'ReplaceFullPath') return () => replaceFullPath(modifier.replaceFullPath ?? '/');
  return (path, match) => {
    const prefix = match.path?.value ?? '/';
    return hasPathPrefix(path, prefix) ? replacePathPrefix(path, prefix, modifier.replacePrefixMatch ?? '/') : path;
  };
}

/** One try per request: the limit of the whole exchange and that of the backend are the same thing here. 0 is off. */
function shortestTimeout({ timeouts }: HTTPRouteRule): number | null {
  const limits = [timeouts?.request, timeouts?.backendRequest]
    .map((text) => (text === undefined ? null : parseDuration(text)))
    .filter((limit) => limit !== null && limit > 0) as number[];
  return limits.length === 0 ? null : Math.min(...limits);
}

/** Where a RequestRedirect sends a client. `authority` is the Host as it came. */
export function redirectLocation(
  redirect: Redirect,
  match: HTTPRouteMatch,
  target: Target,
  authority: string,
): { status: number; location: string } {
  const asked = new URL(`http://${authority}`);
  const scheme = redirect.scheme ?? 'http';
  const hostname = redirect.hostname ?? asked.hostname;
  const port = redirect.port ?? (redirect.scheme === undefined ? Number(asked.port || 80) : wellKnownPort(scheme));
  const shownPort = port === wellKnownPort(scheme) ? '' : `:${port}`;
  const path = redirect.path ? pathRewriter(redirect.path)(target.path, match) : target.path;
  return {
    status: redirect.statusCode ?? 302,
    location: `${scheme}://${hostname}${shownPort}${path}${target.query}`,
  };
}

function wellKnownPort(scheme: string): number {
  return scheme === 'https' ? 443 : 80;
}
