import type { HTTPRoute, HTTPRouteFilter, HTTPRouteMatch, ParentReference } from '../../../resources.ts';
import { defaulted, int32, limited, list, listMap, required, type Rule, ruled, string, struct } from '../schema.ts';
import { backendReferenceFields, filters, headerName, method, servicePortRule } from './http-route-filters.ts';
import { objectMeta } from './meta.ts';
import { atLeast, atMost, duration, hostname, oneOf, parentReference, routeStatus, sectionName } from './references.ts';

type RouteRule = NonNullable<HTTPRoute['spec']['rules']>[number];

const plainPath = (self: NonNullable<HTTPRouteMatch['path']>) => self.type === 'Exact' || self.type === 'PathPrefix';

function pathRule(message: string, fits: (value: string) => boolean): Rule {
  return {
    message,
    holds: (self: NonNullable<HTTPRouteMatch['path']>) => !plainPath(self) || fits(self.value ?? ''),
  };
}

const anyOf = "when type one of ['Exact', 'PathPrefix']";
const pathCharacters = "^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$";

const pathMatch = ruled(
  struct('gateway.v1.HTTPPathMatch', {
    type: defaulted(oneOf('Exact', 'PathPrefix', 'RegularExpression'), 'PathPrefix'),
    value: defaulted(limited(string, { maxLength: 1024 }), '/'),
  }),
  pathRule(`value must be an absolute path and start with '/' ${anyOf}`, (value) => value.startsWith('/')),
  ...['//', '/./', '/../', '%2f', '%2F', '#'].map((part) =>
    pathRule(`must not contain '${part}' ${anyOf}`, (value) => !value.includes(part)),
  ),
  ...['/..', '/.'].map((part) => pathRule(`must not end with '${part}' ${anyOf}`, (value) => !value.endsWith(part))),
  pathRule(
    `must only contain valid characters (matching ${pathCharacters}) for types ['Exact', 'PathPrefix']`,
    (value) => new RegExp(pathCharacters, 'u').test(value),
  ),
);

function valueMatch(name: string, maxLength: number) {
  return struct(name, {
    type: defaulted(oneOf('Exact', 'RegularExpression'), 'Exact'),
    name: required(headerName),
    value: required(limited(string, { minLength: 1, maxLength })),
  });
}

const everything = { type: 'PathPrefix', value: '/' };

const match = struct('gateway.v1.HTTPRouteMatch', {
  path: defaulted(pathMatch, everything),
  headers: atMost(16, listMap(valueMatch('gateway.v1.HTTPHeaderMatch', 4096), ['name'])),
  queryParams: atMost(16, listMap(valueMatch('gateway.v1.HTTPQueryParamMatch', 1024), ['name'])),
  method,
});

const backendRef = ruled(
  struct('gateway.v1.HTTPBackendRef', {
    ...backendReferenceFields,
    weight: defaulted(limited(int32, { minimum: 0, maximum: 1_000_000 }), 1),
    filters,
  }),
  servicePortRule,
);

/** Exactly one filter of the list replaces the matched prefix. */
function replacesPrefix(
  list: readonly HTTPRouteFilter[] | undefined,
  field: 'requestRedirect' | 'urlRewrite',
): boolean {
  const replacing = (list ?? []).filter((filter) => {
    const path = filter[field]?.path as { type?: string; replacePrefixMatch?: string } | undefined;
    return path?.type === 'ReplacePrefixMatch' && path.replacePrefixMatch !== undefined;
  });
  return replacing.length === 1;
}

function hasOnePrefix(self: RouteRule): boolean {
  return self.matches?.length === 1 && self.matches[0]?.path?.type === 'PathPrefix';
}

const prefixRules = (['requestRedirect', 'urlRewrite'] as const).flatMap((field): Rule[] => {
  const filter = field === 'urlRewrite' ? 'URLRewrite' : 'RequestRedirect';
  const text = `using ${filter} filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified`;
  return [
    { message: `When ${text}`, holds: (self: RouteRule) => !replacesPrefix(self.filters, field) || hasOnePrefix(self) },
    {
      message: `Within backendRefs, ${field === 'urlRewrite' ? 'When' : 'when'} ${text}`,
      holds: (self: RouteRule) => {
        const replacing = (self.backendRefs ?? []).filter((backend) => replacesPrefix(backend.filters, field));
        return replacing.length !== 1 || hasOnePrefix(self);
      },
    },
  ];
});

const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

function milliseconds(text: string): number {
  return [...text.matchAll(/(\d+)(ms|h|m|s)/g)].reduce(
    (sum, [, amount, unit = '']) => sum + Number(amount) * (units[unit] ?? 0),
    0,
  );
}

const timeouts = ruled(struct('gateway.v1.HTTPRouteTimeouts', { request: duration, backendRequest: duration }), {
  message: 'backendRequest timeout cannot be longer than request timeout',
  holds: ({ request, backendRequest }: { request?: string; backendRequest?: string }) =>
    !request || !backendRequest || milliseconds(request) === 0 || milliseconds(backendRequest) <= milliseconds(request),
});

const rule = ruled(
  struct('gateway.v1.HTTPRouteRule', {
    name: sectionName,
    matches: defaulted(atMost(64, list(match)), [{ path: everything }]),
    filters,
    backendRefs: atMost(16, list(backendRef)),
    timeouts,
  }),
  {
    message: 'RequestRedirect filter must not be used together with backendRefs',
    holds: (self: RouteRule) =>
      (self.backendRefs ?? []).length === 0 || !(self.filters ?? []).some((each) => each.requestRedirect !== undefined),
  },
  ...prefixRules,
);

const rules = ruled(atLeast(1, atMost(16, list(rule))), {
  message:
    'While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a route must be less than 128',
  holds: (self: readonly RouteRule[]) => self.reduce((sum, each) => sum + (each.matches?.length ?? 0), 0) <= 128,
});

function sameParent(a: ParentReference, b: ParentReference): boolean {
  return a.group === b.group && a.kind === b.kind && a.name === b.name && (a.namespace ?? '') === (b.namespace ?? '');
}

const parentRefs = ruled(
  atMost(32, list(parentReference)),
  {
    message: 'sectionName must be specified when parentRefs includes 2 or more references to the same parent',
    holds: (self: readonly ParentReference[]) =>
      self.every((a) => self.every((b) => !sameParent(a, b) || !a.sectionName === !b.sectionName)),
  },
  {
    message: 'sectionName must be unique when parentRefs includes 2 or more references to the same parent',
    holds: (self: readonly ParentReference[]) =>
      self.every(
        (a) => self.filter((b) => sameParent(a, b) && (a.sectionName ?? '') === (b.sectionName ?? '')).length === 1,
      ),
  },
);

export const httpRoute = struct('gateway.v1.HTTPRoute', {
  metadata: objectMeta,
  spec: required(
    struct('gateway.v1.HTTPRouteSpec', {
      parentRefs,
      hostnames: atMost(16, list(hostname)),
      rules: defaulted(rules, [{ matches: [{ path: everything }] }]),
    }),
  ),
  status: routeStatus,
});
