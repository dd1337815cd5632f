import type { HTTPRouteFilter, HTTPRouteMatch, HTTPRouteRule } from '../../../../src/k8s/resources.ts';

/** What came back: a backend's name or a status, and what the backend saw. */
export interface Expected {
  by: string | number;
  /** The request target as the backend got it. */
  url?: string;
  /** The Host that it got. */
  host?: string;
}

export interface Request {
  method: string;
  host: string;
  path: string;
  headers?: Record<string, string>;
  expected: Expected;
  /** What Envoy does where it is known to do otherwise, and why. */
  envoy?: Expected & { because: string };
}

export interface RouteSpec {
  name: string;
  hostnames: string[];
  rules: HTTPRouteRule[];
  /** The listener it is bound to. @default http */
  listener?: string;
  /** The reason that one of its conditions gives; absent: it is accepted. */
  reason?: string;
}

export interface Topic {
  name: string;
  routes: RouteSpec[];
  requests: Request[];
}

/** Listeners of one port, besides `http` for all hostnames. */
export const listeners = [
  { name: 'exact', hostname: 'very.specific.test' },
  { name: 'wild', hostname: '*.wildcard.test' },
] as const;

export const prefix = (value: string): HTTPRouteMatch => ({ path: { type: 'PathPrefix', value } });
export const exact = (value: string): HTTPRouteMatch => ({ path: { type: 'Exact', value } });
export const to = (...names: string[]) => names.map((name) => ({ name, port: 80 }));
export const rule = (name: string, ...matches: HTTPRouteMatch[]): HTTPRouteRule => ({ matches, backendRefs: to(name) });
export const replacing = (replacePrefixMatch: string): HTTPRouteFilter => ({
  type: 'URLRewrite',
  urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch } },
});
export const rewriting = (match: string, filter: HTTPRouteFilter): HTTPRouteRule => ({
  ...rule('one', prefix(match)),
  filters: [filter],
});

/** Requests of one host, as `GET /path: backend` each. */
export function asks(
  host: string,
  rows: readonly (readonly [path: string, by: string | number, more?: Partial<Request>])[],
) {
  return rows.map(([path, by, more]): Request => ({ method: 'GET', host, path, expected: { by }, ...more }));
}

/** Requests that are rewritten on their way. */
export function rewrites(
  host: string,
  rows: readonly (readonly [path: string, url: string, envoy?: Request['envoy']])[],
) {
  return rows.map(
    ([path, url, envoy]): Request => ({
      ...{ method: 'GET', host, path, expected: { by: 'one', url } },
      ...(envoy && { envoy }),
    }),
  );
}

export const header = (name: string, value: string): Partial<Request> => ({ headers: { [name]: value } });
