import type { HTTPRouteFilter } from '../../../resources.ts';
import {
  boolean,
  defaulted,
  int32,
  limited,
  list,
  listMap,
  required,
  type Rule,
  ruled,
  type Schema,
  set,
  string,
  struct,
} from '../schema.ts';
import { atMost, group, kind, namespaceName, objectName, oneOf, portNumber, preciseHostname } from './references.ts';

export const headerName = limited(string, {
  minLength: 1,
  maxLength: 256,
  pattern: "^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$",
});

const header = struct('gateway.v1.HTTPHeader', {
  name: required(headerName),
  value: required(limited(string, { minLength: 1, maxLength: 4096 })),
});
const headerModifier = struct('gateway.v1.HTTPHeaderFilter', {
  set: atMost(16, listMap(header, ['name'])),
  add: atMost(16, listMap(header, ['name'])),
  remove: atMost(16, set(string)),
});

interface PathModifier {
  type: string;
  replaceFullPath?: string;
  replacePrefixMatch?: string;
}

const pathModifier = ruled(
  struct('gateway.v1.HTTPPathModifier', {
    type: required(oneOf('ReplaceFullPath', 'ReplacePrefixMatch')),
    replaceFullPath: limited(string, { maxLength: 1024 }),
    replacePrefixMatch: limited(string, { maxLength: 1024 }),
  }),
  ...(['replaceFullPath', 'replacePrefixMatch'] as const).flatMap((field): Rule[] => {
    const type = field === 'replaceFullPath' ? 'ReplaceFullPath' : 'ReplacePrefixMatch';
    return [
      {
        message: `${field} must be specified when type is set to '${type}'`,
        holds: (self: PathModifier) => self.type !== type || self[field] !== undefined,
      },
      {
        message: `type must be '${type}' when ${field} is set`,
        holds: (self: PathModifier) => self[field] === undefined || self.type === type,
      },
    ];
  }),
);

export const servicePortRule: Rule = {
  message: 'Must have port for Service reference',
  holds: (self: { group?: string; kind?: string; port?: number }) =>
    self.group !== '' || self.kind !== 'Service' || self.port !== undefined,
};

export const backendReferenceFields = {
  group: defaulted(group, ''),
  kind: defaulted(kind, 'Service'),
  name: required(objectName),
  namespace: namespaceName,
  port: portNumber,
};

const requestMirror = ruled(
  struct('gateway.v1.HTTPRequestMirrorFilter', {
    backendRef: required(ruled(struct('gateway.v1.BackendObjectReference', backendReferenceFields), servicePortRule)),
    percent: limited(int32, { minimum: 0, maximum: 100 }),
    fraction: ruled(
      struct('gateway.v1.Fraction', {
        numerator: required(limited(int32, { minimum: 0 })),
        denominator: defaulted(limited(int32, { minimum: 1 }), 100),
      }),
      {
        message: 'numerator must be less than or equal to denominator',
        holds: (self: { numerator: number; denominator: number }) => self.numerator <= self.denominator,
      },
    ),
  }),
  {
    message: 'Only one of percent or fraction may be specified in HTTPRequestMirrorFilter',
    holds: (self: { percent?: number; fraction?: unknown }) =>
      self.percent === undefined || self.fraction === undefined,
  },
);

const redirect = struct('gateway.v1.HTTPRequestRedirectFilter', {
  scheme: oneOf('http', 'https'),
  hostname: preciseHostname,
  path: pathModifier,
  port: portNumber,
  statusCode: defaulted(limited(int32, { values: [301, 302, 303, 307, 308] }), 302),
});

/** A set that takes `*` only by itself. */
function wildcardSet(items: Schema, maxItems: number, name: string, others: string): Schema {
  return ruled(atMost(maxItems, set(items)), {
    message: `${name} cannot contain '*' alongside other ${others}`,
    holds: (self: readonly string[]) => self.length <= 1 || !self.includes('*'),
  });
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];
export const method = oneOf(...methods);
const origin = limited(string, {
  minLength: 1,
  maxLength: 253,
  pattern: '(^\\*$)|(^(http(s)?):\\/\\/(((\\*\\.)?([a-zA-Z0-9\\-]+\\.)*[a-zA-Z0-9-]+|\\*)(:([0-9]{1,5}))?)$)',
});

const cors = struct('gateway.v1.HTTPCORSFilter', {
  allowOrigins: wildcardSet(origin, 64, 'AllowOrigins', 'origins'),
  allowCredentials: boolean,
  allowMethods: wildcardSet(oneOf(...methods, '*'), 9, 'AllowMethods', 'methods'),
  allowHeaders: wildcardSet(headerName, 64, 'AllowHeaders', 'methods'),
  exposeHeaders: atMost(64, set(headerName)),
  maxAge: defaulted(limited(int32, { minimum: 1 }), 5),
});

/** Each filter's settings are under a name of their own, and there if and only if the type says so. */
const settings: Record<string, [field: keyof HTTPRouteFilter | 'cors', schema: Schema]> = {
  CORS: ['cors', cors],
  RequestHeaderModifier: ['requestHeaderModifier', headerModifier],
  ResponseHeaderModifier: ['responseHeaderModifier', headerModifier],
  RequestMirror: ['requestMirror', requestMirror],
  RequestRedirect: ['requestRedirect', redirect],
  URLRewrite: [
    'urlRewrite',
    struct('gateway.v1.HTTPURLRewriteFilter', { hostname: preciseHostname, path: pathModifier }),
  ],
  ExtensionRef: [
    'extensionRef',
    struct('gateway.v1.LocalObjectReference', {
      group: required(group),
      kind: required(kind),
      name: required(objectName),
    }),
  ],
};

const filter = ruled(
  struct('gateway.v1.HTTPRouteFilter', {
    type: required(
      oneOf(
        'RequestHeaderModifier',
        'ResponseHeaderModifier',
        'RequestMirror',
        'RequestRedirect',
        'URLRewrite',
        'ExtensionRef',
        'CORS',
      ),
    ),
    ...Object.fromEntries(Object.values(settings)),
  }),
  ...Object.entries(settings).flatMap(([type, [field]]): Rule[] => [
    {
      message: `filter.${field} must be nil if the filter.type is not ${type}`,
      holds: (self: Record<string, unknown>) => self[field] === undefined || self.type === type,
    },
    {
      message: `filter.${field} must be specified for ${type} filter.type`,
      holds: (self: Record<string, unknown>) => self[field] !== undefined || self.type !== type,
    },
  ]),
);

const once = ['CORS', 'RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestRedirect', 'URLRewrite'];

export const filters = ruled(
  atMost(16, list(filter)),
  {
    message: 'May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both',
    holds: (self: readonly HTTPRouteFilter[]) =>
      !(self.some(({ type }) => type === 'RequestRedirect') && self.some(({ type }) => type === 'URLRewrite')),
  },
  ...once.map(
    (type): Rule => ({
      message: `${type} filter cannot be repeated`,
      holds: (self: readonly HTTPRouteFilter[]) => self.filter((each) => each.type === type).length <= 1,
    }),
  ),
);
