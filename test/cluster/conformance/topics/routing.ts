import { expect } from 'vitest';
import { httpRoutes } from '../../../../src/k8s/resources.ts';
import { httpRoute } from '../objects.ts';
import type { Topic, World } from '../suite.ts';
import { accepts, durationPattern, refuses, type Refused, type Spec, unchecked } from './refusing.ts';

const rule = (fields: Spec): Spec => ({ rules: [fields] });
const pathMatch = (type: string, value: string): Spec => rule({ matches: [{ path: { type, value } }] });
const filters = (...list: Spec[]): Spec => rule({ filters: list });
const backend = { name: 'web', port: 80 };
const hostPattern = "'^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'";
const atPath = 'spec.rules[0].matches[0].path';
const plain = "when type one of ['Exact', 'PathPrefix']";
const characters =
  "must only contain valid characters (matching ^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$) for types ['Exact', 'PathPrefix']";

const refusedRoutes: readonly Refused[] = [
  [
    'a host name with capitals',
    { hostnames: ['A.example'] },
    `spec.hostnames[0]: Invalid value: "A.example": spec.hostnames[0] in body should match ${hostPattern}`,
  ],
  [
    'a host name with a port',
    { hostnames: ['a.example:80'] },
    `spec.hostnames[0]: Invalid value: "a.example:80": spec.hostnames[0] in body should match ${hostPattern}`,
  ],
  [
    'too many host names',
    { hostnames: Array.from({ length: 17 }, (_, index) => `h${index}.example`) },
    'spec.hostnames: Too many: 17: must have at most 16 items',
    unchecked,
  ],
  [
    'a path that is not absolute',
    pathMatch('PathPrefix', 'x'),
    `${atPath}: Invalid value: value must be an absolute path and start with '/' ${plain}`,
  ],
  ['a path with two slashes', pathMatch('Exact', '/a//b'), `${atPath}: Invalid value: must not contain '//' ${plain}`],
  [
    'a path with dots to the parent',
    pathMatch('PathPrefix', '/a/../b'),
    `${atPath}: Invalid value: must not contain '/../' ${plain}`,
  ],
  [
    'a path that ends in a dot',
    pathMatch('PathPrefix', '/a/.'),
    `${atPath}: Invalid value: must not end with '/.' ${plain}`,
  ],
  [
    'a path with an escaped slash',
    pathMatch('PathPrefix', '/a%2Fb'),
    `${atPath}: Invalid value: must not contain '%2F' ${plain}`,
  ],
  [
    'a path with a fragment',
    pathMatch('PathPrefix', '/a#b'),
    `${atPath}: Invalid value: must not contain '#' ${plain}`,
    `${atPath}: Invalid value: ${characters}`,
  ],
  ['a path with a space', pathMatch('PathPrefix', '/a b'), `${atPath}: Invalid value: ${characters}`],
  [
    'a path of an unknown type',
    pathMatch('Glob', '/a'),
    `${atPath}.type: Unsupported value: "Glob": supported values: "Exact", "PathPrefix", "RegularExpression"`,
    unchecked,
  ],
  [
    'a path that is too long',
    pathMatch('PathPrefix', `/${'a'.repeat(1024)}`),
    `${atPath}.value: Too long: may not be more than 1024 bytes`,
    unchecked,
  ],
  [
    'a method that is none',
    rule({ matches: [{ method: 'FETCH' }] }),
    'spec.rules[0].matches[0].method: Unsupported value: "FETCH": supported values: "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"',
    unchecked,
  ],
  [
    'a header match without a value',
    rule({ matches: [{ headers: [{ name: 'x' }] }] }),
    'spec.rules[0].matches[0].headers[0].value: Required value',
    unchecked,
  ],
  [
    'two matches on one header',
    rule({
      matches: [
        {
          headers: [
            { name: 'x', value: '1' },
            { name: 'x', value: '2' },
          ],
        },
      ],
    }),
    'spec.rules[0].matches[0].headers[1]: Duplicate value: {"name":"x"}',
  ],
  [
    'a header name that can not be one',
    rule({ matches: [{ headers: [{ name: 'a b', value: '1' }] }] }),
    "spec.rules[0].matches[0].headers[0].name: Invalid value: \"a b\": spec.rules[0].matches[0].headers[0].name in body should match '^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$'",
  ],
  [
    'a backend without a port',
    rule({ backendRefs: [{ name: 'web' }] }),
    'spec.rules[0].backendRefs[0]: Invalid value: Must have port for Service reference',
  ],
  [
    'a backend without a name',
    rule({ backendRefs: [{ port: 80 }] }),
    'spec.rules[0].backendRefs[0].name: Required value',
    unchecked,
  ],
  [
    'a port out of range',
    rule({ backendRefs: [{ name: 'web', port: 70_000 }] }),
    'spec.rules[0].backendRefs[0].port: Invalid value: 70000: spec.rules[0].backendRefs[0].port in body should be less than or equal to 65535',
  ],
  [
    'a weight below zero',
    rule({ backendRefs: [{ ...backend, weight: -1 }] }),
    'spec.rules[0].backendRefs[0].weight: Invalid value: -1: spec.rules[0].backendRefs[0].weight in body should be greater than or equal to 0',
  ],
  [
    'a filter without its settings',
    filters({ type: 'URLRewrite' }),
    'spec.rules[0].filters[0]: Invalid value: filter.urlRewrite must be specified for URLRewrite filter.type',
  ],
  [
    'a filter with the settings of another',
    filters({ type: 'URLRewrite', urlRewrite: {}, requestRedirect: {} }),
    'spec.rules[0].filters[0]: Invalid value: filter.requestRedirect must be nil if the filter.type is not RequestRedirect',
  ],
  [
    'a filter of an unknown type',
    filters({ type: 'Magic' }),
    'spec.rules[0].filters[0].type: Unsupported value: "Magic": supported values: "RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "RequestRedirect", "URLRewrite", "ExtensionRef", "CORS"',
    unchecked,
  ],
  [
    'a filter that is repeated',
    filters(
      { type: 'URLRewrite', urlRewrite: { hostname: 'a.example' } },
      { type: 'URLRewrite', urlRewrite: { hostname: 'b.example' } },
    ),
    'spec.rules[0].filters: Invalid value: URLRewrite filter cannot be repeated',
  ],
  [
    'a redirect and a rewrite',
    filters({ type: 'URLRewrite', urlRewrite: {} }, { type: 'RequestRedirect', requestRedirect: {} }),
    'spec.rules[0].filters: Invalid value: May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both',
  ],
  [
    'a redirect with backends',
    rule({ filters: [{ type: 'RequestRedirect', requestRedirect: {} }], backendRefs: [backend] }),
    'spec.rules[0]: Invalid value: RequestRedirect filter must not be used together with backendRefs',
  ],
  [
    'a redirect with a code that is none',
    filters({ type: 'RequestRedirect', requestRedirect: { statusCode: 200 } }),
    'spec.rules[0].filters[0].requestRedirect.statusCode: Unsupported value: 200: supported values: "301", "302", "303", "307", "308"',
    unchecked,
  ],
  [
    'a prefix rewrite of a full path',
    filters({ type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replaceFullPath: '/x' } } }),
    "spec.rules[0].filters[0].urlRewrite.path: Invalid value: type must be 'ReplaceFullPath' when replaceFullPath is set",
    "spec.rules[0].filters[0].urlRewrite.path: Invalid value: replacePrefixMatch must be specified when type is set to 'ReplacePrefixMatch'",
  ],
  [
    'a prefix rewrite without a prefix match',
    rule({
      filters: [{ type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/x' } } }],
      matches: [{ path: { type: 'Exact', value: '/a' } }],
    }),
    'spec.rules[0]: Invalid value: When using URLRewrite filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified',
  ],
  [
    'a header set twice',
    filters({
      type: 'RequestHeaderModifier',
      requestHeaderModifier: {
        set: [
          { name: 'x', value: '1' },
          { name: 'x', value: '2' },
        ],
      },
    }),
    'spec.rules[0].filters[0].requestHeaderModifier.set[1]: Duplicate value: {"name":"x"}',
  ],
  [
    'a timeout that is no duration',
    rule({ timeouts: { request: '10' } }),
    `spec.rules[0].timeouts.request: Invalid value: "10": spec.rules[0].timeouts.request in body should match ${durationPattern}`,
  ],
  [
    'a backend timeout longer than that of the request',
    rule({ timeouts: { request: '1s', backendRequest: '2s' } }),
    'spec.rules[0].timeouts: Invalid value: backendRequest timeout cannot be longer than request timeout',
  ],
  ['no rules at all', { rules: [] }, 'spec.rules: Invalid value: 0: spec.rules in body should have at least 1 items'],
  [
    'too many matches',
    {
      rules: Array.from({ length: 3 }, () => ({
        matches: Array.from({ length: 64 }, (_, index) => ({ path: { value: `/${index}` } })),
      })),
    },
    'spec.rules: Invalid value: While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a route must be less than 128',
  ],
  [
    'the same parent twice',
    { parentRefs: [{ name: 'front' }, { name: 'front' }] },
    'spec.parentRefs: Invalid value: sectionName must be unique when parentRefs includes 2 or more references to the same parent',
  ],
  [
    'a parent as a whole and one section of it',
    { parentRefs: [{ name: 'front' }, { name: 'front', sectionName: 'a' }] },
    'spec.parentRefs: Invalid value: sectionName must be specified when parentRefs includes 2 or more references to the same parent',
  ],
  ['a parent without a name', { parentRefs: [{}] }, 'spec.parentRefs[0].name: Required value', unchecked],
  [
    'a text in place of a list',
    { hostnames: 'a.example' },
    'spec.hostnames: Invalid value: "string": spec.hostnames in body must be of type array: "string"',
    unchecked,
  ],
  [
    'a text in place of a number',
    rule({ backendRefs: [{ name: 'web', port: '80' }] }),
    'spec.rules[0].backendRefs[0].port: Invalid value: "string": spec.rules[0].backendRefs[0].port in body must be of type integer: "string"',
    unchecked,
  ],
  [
    'a value out of bounds together with a broken rule',
    { hostnames: ['A'], parentRefs: [{ name: 'front' }, { name: 'front' }] },
    `spec.hostnames[0]: Invalid value: "A": spec.hostnames[0] in body should match ${hostPattern}`,
    'spec.parentRefs: Invalid value: sectionName must be unique when parentRefs includes 2 or more references to the same parent',
  ],
];

const acceptedRoutes: readonly (readonly [string, Spec])[] = [
  ['nothing said', {}],
  ['a wildcard host name', { hostnames: ['*.example'] }],
  ['a path of any characters as a regular expression', pathMatch('RegularExpression', 'a b//')],
  [
    'a header in two spellings',
    rule({
      matches: [
        {
          headers: [
            { name: 'x', value: '1' },
            { name: 'X', value: '2' },
          ],
        },
      ],
    }),
  ],
  [
    'two sections of one parent',
    {
      parentRefs: [
        { name: 'front', sectionName: 'a' },
        { name: 'front', sectionName: 'b' },
      ],
    },
  ],
  [
    'another kind of backend without a port',
    rule({ backendRefs: [{ group: 'example.net', kind: 'Bucket', name: 'x' }] }),
  ],
  ['a request without an end', rule({ timeouts: { request: '0s', backendRequest: '2s' } })],
];

export const routing: Topic = {
  name: 'HTTPRoute',
  cases: {
    ...Object.fromEntries(
      refusedRoutes.map(([sentence, spec, ...causes]) => [
        `refused: ${sentence}`,
        (world: World) => refuses(world, httpRoutes, httpRoute('refused', spec), causes),
      ]),
    ),
    ...Object.fromEntries(
      acceptedRoutes.map(([sentence, spec], index) => [
        `accepted: ${sentence}`,
        (world: World) => accepts(world, httpRoutes, httpRoute(`accepted-${index}`, spec)),
      ]),
    ),
    'the message names the object and its group': async ({ api, path }) => {
      (await api.post(path(httpRoutes), httpRoute('nameless', rule({ backendRefs: [{ name: 'web' }] })))).refuses(
        422,
        'Invalid',
        'HTTPRoute.gateway.networking.k8s.io "nameless" is invalid: spec.rules[0].backendRefs[0]: Invalid value: Must have port for Service reference',
        {
          name: 'nameless',
          group: 'gateway.networking.k8s.io',
          kind: 'HTTPRoute',
          causes: [
            {
              reason: 'FieldValueInvalid',
              message: 'Invalid value: Must have port for Service reference',
              field: 'spec.rules[0].backendRefs[0]',
            },
          ],
        },
      );
    },
    'what is left out is filled in': async ({ api, path }) => {
      const spec = {
        parentRefs: [{ name: 'front' }],
        rules: [
          {
            backendRefs: [backend],
            filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'a', value: 'b' }] } }],
          },
          { matches: [{ headers: [{ name: 'x', value: '1' }] }] },
        ],
      };
      const everything = { path: { type: 'PathPrefix', value: '/' } };
      expect((await api.post(path(httpRoutes), httpRoute('defaults', spec))).object.spec).toEqual({
        parentRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'front' }],
        rules: [
          {
            backendRefs: [{ group: '', kind: 'Service', name: 'web', port: 80, weight: 1 }],
            filters: spec.rules[0]?.filters,
            matches: [everything],
          },
          { matches: [{ ...everything, headers: [{ type: 'Exact', name: 'x', value: '1' }] }] },
        ],
      });
    },
    'a route without rules gets one for everything': async ({ api, path }) => {
      expect((await api.post(path(httpRoutes), httpRoute('everything'))).object.spec).toEqual({
        rules: [{ matches: [{ path: { type: 'PathPrefix', value: '/' } }] }],
      });
    },
    'a change is checked as a new route is': async ({ api, path }) => {
      await api.post(path(httpRoutes), httpRoute('changed', { hostnames: ['a.example'] }));
      const { failure } = await api.mergePatch(path(httpRoutes, 'changed'), { spec: { hostnames: ['A'] } });
      expect(failure.message).toContain('spec.hostnames[0]: Invalid value: "A"');
    },
    'an apply is checked too': async ({ api, path }) => {
      const answer = await api.apply(path(httpRoutes, 'applied'), 'one', httpRoute('applied', { hostnames: ['A'] }));
      expect(answer.failure).toMatchObject({ code: 422, reason: 'Invalid' });
    },
    'the spec is required': async ({ api, path }) => {
      const { spec: _, ...bare } = httpRoute('specless');
      expect((await api.post(path(httpRoutes), bare)).failure.message).toContain('spec: Required value');
    },
    'the type must be stated': async ({ api, path }) => {
      const { failure } = await api.post(path(httpRoutes), { metadata: { name: 'untyped' }, spec: {} });
      expect(failure).toMatchObject({
        code: 400,
        message: expect.stringMatching(
          /^the object provided is unrecognized \(must be of type HTTPRoute\): Object 'Kind' is missing/,
        ) as string,
      });
    },
    'another version of the type is refused': async ({ api, path }) => {
      const body = { ...httpRoute('other'), apiVersion: 'gateway.networking.k8s.io/v9' };
      expect((await api.post(path(httpRoutes), body)).failure).toMatchObject({
        code: 400,
        message:
          'the API version in the data (gateway.networking.k8s.io/v9) does not match the expected API version (gateway.networking.k8s.io/v1)',
      });
    },
    'another kind is refused': async ({ api, path }) => {
      const body = { ...httpRoute('other'), kind: 'GRPCRoute' };
      expect((await api.post(path(httpRoutes), body)).failure).toMatchObject({
        code: 422,
        message:
          'GRPCRoute.gateway.networking.k8s.io "other" is invalid: kind: Invalid value: "GRPCRoute": must be HTTPRoute',
      });
    },
  },
};
