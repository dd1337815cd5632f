import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonPatch } from '../../../src/k8s/embedded/api/patch/json.ts';
import type { HTTPRoute } from '../../../src/k8s/resources.ts';
import { buildRoute, parentsOf, routePatch, type RouteShape, simpleRule } from '../../../src/modules/gateways/route.ts';
import type { ParentName } from '../../../src/modules/gateways/service.ts';

type Shape = RouteShape & { hostname: string };
const shape: fc.Arbitrary<Shape> = fc.record({
  hostname: fc.constantFrom('a.example.org', 'b.example.org'),
  pathPrefix: fc.constantFrom('/', '/v1', '/v2/x'),
  rewritePathPrefix: fc.constantFrom(null, '/', '/x'),
  backend: fc.record({
    namespace: fc.constant('lab'),
    service: fc.constantFrom('shop', 'bank'),
    port: fc.constantFrom(80, 8080),
  }),
});
const parent: fc.Arbitrary<ParentName> = fc.record({
  namespace: fc.constantFrom('lab', 'infra'),
  name: fc.constantFrom('edge', 'inner'),
  sectionName: fc.constantFrom(null, 'https'),
});
const build = (wanted: Shape, ref: ParentName) => buildRoute({ name: 'shop', namespace: 'lab' }, wanted, ref);
const patched = (route: HTTPRoute, wanted: { shape: Shape; parent: ParentName | null }) =>
  jsonPatch(structuredClone(route) as never, routePatch(route, wanted) as never) as never as HTTPRoute;

test('a route says what it was built for', () => {
  fc.assert(
    fc.property(shape, parent, (wanted, ref) => {
      const route = build(wanted, ref);
      expect(simpleRule(route)?.shape).toEqual(wanted);
      expect(parentsOf(route)).toEqual([ref]);
      expect(routePatch(route, { shape: wanted, parent: ref })).toEqual([]);
    }),
  );
});

test('an edit gives the wanted shape, and keeps what another tool has put into the route', () => {
  const header = { type: 'ResponseHeaderModifier', responseHeaderModifier: { remove: ['server'] } };
  fc.assert(
    fc.property(shape, shape, parent, fc.option(parent), (before, after, ref, moved) => {
      const route = build(before, ref);
      const [rule] = route.spec.rules ?? [];
      if (!rule) throw new Error('no rule');
      rule.timeouts = { request: '10s' };
      rule.filters = [header, ...(rule.filters ?? [])];
      rule.backendRefs = rule.backendRefs?.map((one) => ({ ...one, weight: 7 })) ?? [];
      route.spec.hostnames?.push('second.example.org');
      const result = patched(route, { shape: after, parent: moved });
      expect(simpleRule(result)?.shape).toEqual(after);
      expect(parentsOf(result)).toEqual([moved ?? ref]);
      expect(result.spec.hostnames).toEqual([after.hostname, 'second.example.org']);
      const [edited] = result.spec.rules ?? [];
      expect(edited?.timeouts).toEqual({ request: '10s' });
      expect(edited?.filters?.[0]).toEqual(header);
      expect(edited?.backendRefs?.[0]?.weight).toBe(7);
    }),
  );
});

test('a filter that also rewrites the host goes on doing that', () => {
  const route = build(
    {
      hostname: 'a.example.org',
      pathPrefix: '/v1',
      rewritePathPrefix: '/',
      backend: { namespace: 'lab', service: 'shop', port: 80 },
    },
    { namespace: 'infra', name: 'edge', sectionName: null },
  );
  const filter = route.spec.rules?.[0]?.filters?.[0];
  if (!filter?.urlRewrite) throw new Error('no filter');
  filter.urlRewrite.hostname = 'inner.example.org';
  const simple = simpleRule(route)?.shape;
  if (!simple) throw new Error('not simple');
  const result = patched(route, {
    shape: { ...simple, hostname: 'a.example.org', rewritePathPrefix: null },
    parent: null,
  });
  expect(result.spec.rules?.[0]?.filters).toEqual([
    { type: 'URLRewrite', urlRewrite: { hostname: 'inner.example.org' } },
  ]);
});

test.each<[string, (route: HTTPRoute) => void]>([
  ['two rules', (route) => route.spec.rules?.push({})],
  ['two matches', (route) => route.spec.rules?.[0]?.matches?.push({})],
  ['an exact path', (route) => route.spec.rules?.[0]?.matches?.splice(0, 1, { path: { type: 'Exact', value: '/a' } })],
  ['a method', (route) => route.spec.rules?.[0]?.matches?.splice(0, 1, { method: 'GET' })],
  ['two backends', (route) => route.spec.rules?.[0]?.backendRefs?.push({ name: 'other', port: 80 })],
  [
    'a backend of another kind',
    (route) => route.spec.rules?.[0]?.backendRefs?.splice(0, 1, { kind: 'Bucket', name: 'x' }),
  ],
  [
    'a redirect',
    (route) => void Object.assign(route.spec.rules?.[0] ?? {}, { filters: [{ type: 'RequestRedirect' }] }),
  ],
  ['no rule', (route) => void (route.spec.rules = [])],
])('a route with %s is more than one prefix, and never edited', (_, change) => {
  const route = build(
    {
      hostname: 'a.example.org',
      pathPrefix: '/v1',
      rewritePathPrefix: null,
      backend: { namespace: 'lab', service: 'shop', port: 80 },
    },
    { namespace: 'infra', name: 'edge', sectionName: null },
  );
  change(route);
  expect(simpleRule(route)).toBeNull();
  const wanted = {
    hostname: 'b.example.org',
    pathPrefix: '/',
    rewritePathPrefix: null,
    backend: { namespace: 'lab', service: 'x', port: 1 },
  };
  expect(routePatch(route, { shape: wanted, parent: null })).toEqual([]);
});
