import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HTTPRouteFilter, HTTPRouteRule } from '../../../../src/k8s/resources.ts';
import { answeredBy, createWorld, prefix, type Seen, to, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
  for (const name of ['one', 'two', 'three']) await world.service(name);
});
afterAll(() => world[Symbol.asyncDispose]());

const rewrite = (replacePrefixMatch: string): HTTPRouteFilter => ({
  type: 'URLRewrite',
  urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch } },
});

describe('host names', () => {
  beforeAll(async () => {
    await world.route('exact', ['a.hosts.test'], [{ backendRefs: to('one') }]);
    await world.route('wild', ['*.hosts.test'], [{ backendRefs: to('two') }]);
    await world.route('wilder', ['*.b.hosts.test'], [{ matches: [prefix('/only')], backendRefs: to('three') }]);
  });
  it.each([
    ['a.hosts.test', '/', 'one'],
    ['a.hosts.test:1234', '/', 'one'],
    ['A.Hosts.Test', '/', 'one'],
    ['c.hosts.test', '/', 'two'],
    ['x.y.hosts.test', '/', 'two'],
    ['hosts.test', '/', 404],
    ['badhosts.test', '/', 404],
    ['x.b.hosts.test', '/only', 'three'],
    ['x.b.hosts.test', '/', 404],
    ['elsewhere.test', '/', 404],
    ['a.hosts.test.', '/', 404],
    ['127.0.0.1', '/', 404],
    ['localhost', '/', 404],
  ])('%s%s: %s', async (host, path, expected) => {
    expect(answeredBy(await world.ask(host, path))).toBe(expected);
  });
});

describe('matching over several routes', () => {
  beforeAll(async () => {
    const rule = (match: NonNullable<HTTPRouteRule['matches']>[number], name: string) => ({
      matches: [match],
      backendRefs: to(name),
    });
    await world.route(
      'm1',
      ['m.test'],
      [rule(prefix('/'), 'one'), rule({ headers: [{ name: 'Version', value: 'two' }] }, 'two')],
    );
    await world.route(
      'm2',
      ['m.test'],
      [
        rule(prefix('/v2'), 'two'),
        rule({ path: { type: 'Exact', value: '/v2/exact' } }, 'three'),
        rule({ ...prefix('/v2'), method: 'DELETE' }, 'three'),
        rule({ ...prefix('/q'), queryParams: [{ name: 'animal', value: 'whale' }] }, 'three'),
      ],
    );
  });
  it.each<[string, string, Record<string, string>, string]>([
    ['GET', '/', {}, 'one'],
    ['GET', '/example', {}, 'one'],
    ['GET', '/', { version: 'two' }, 'two'],
    ['GET', '/v2', {}, 'two'],
    ['GET', '/v2/', {}, 'two'],
    ['GET', '/v2/example', {}, 'two'],
    ['GET', '/v2example', {}, 'one'],
    ['GET', '/foo/v2', {}, 'one'],
    ['GET', '/v2/exact', {}, 'three'],
    ['GET', '/v2/exact/', {}, 'two'],
    ['DELETE', '/v2/x', {}, 'three'],
    ['GET', '/q?animal=whale', {}, 'three'],
    ['GET', '/q?animal=dog', {}, 'one'],
    ['GET', '/x/../v2', {}, 'two'],
    ['GET', '//v2', {}, 'two'],
    ['GET', '/%762', {}, 'two'],
  ])('%s %s %j: %s', async (method, path, headers, expected) => {
    expect(answeredBy(await world.ask('m.test', path, { method, headers }))).toBe(expected);
  });

  it('an escaped slash is answered by the plain form', async () => {
    const answer = await world.ask('m.test', '/a%2Fb?c=%2F');
    expect([answer.status, answer.headers.location]).toEqual([307, '/a/b?c=%2F']);
    expect((await world.ask('m.test', '/100%')).status).toBe(400);
  });

  it('of two equal routes the older one answers', async () => {
    await world.route('n1', ['n.test'], [rulesTo('one')]);
    await world.route('n2', ['n.test'], [rulesTo('two')]);
    expect(answeredBy(await world.ask('n.test', '/'))).toBe('one');
  });
});
const rulesTo = (name: string): HTTPRouteRule => ({ matches: [prefix('/')], backendRefs: to(name) });

describe('rewriting', () => {
  beforeAll(async () => {
    const rule = (match: string, filter: HTTPRouteFilter) => ({
      matches: [prefix(match)],
      filters: [filter],
      backendRefs: to('one'),
    });
    await world.route(
      'rewrite',
      ['r.test'],
      [
        rule('/foo', rewrite('/xyz')),
        rule('/strip/', rewrite('/')),
        rule('/a.b+c', rewrite('/x/')),
        rule('/full', {
          type: 'URLRewrite',
          urlRewrite: { path: { type: 'ReplaceFullPath', replaceFullPath: '/whole' } },
        }),
        rule('/host', { type: 'URLRewrite', urlRewrite: { hostname: 'inside.test' } }),
        rule('/', rewrite('/root')),
      ],
    );
  });
  it.each([
    ['/foo/bar?x=%20+&y=//&&', '/xyz/bar?x=%20+&y=//&&'],
    ['/foo', '/xyz'],
    ['/foo/', '/xyz/'],
    ['/food', '/root/food'],
    ['/strip', '/'],
    ['/strip/', '/'],
    ['/strip/b%20c?', '/b%20c?'],
    ['/a.b+c/d', '/x/d'],
    ['/aXb+c/d', '/root/aXb+c/d'],
    ['/full/of/it?q', '/whole?q'],
    ['/host/x', '/host/x'],
    ['/', '/root/'],
  ])('%s goes on as %s', async (path, expected) => {
    const seen = (await world.ask('r.test', path)).json() as unknown as Seen;
    expect(seen.url).toBe(expected);
  });

  it('keeps the Host unless it is rewritten', async () => {
    const kept = (await world.ask('r.test:9999', '/foo')).json() as unknown as Seen;
    expect(kept.headers['host']).toBe('r.test:9999');
    const rewritten = (await world.ask('r.test', '/host')).json() as unknown as Seen;
    expect(rewritten.headers).toMatchObject({ host: 'inside.test', 'x-forwarded-host': 'r.test' });
  });
});

describe('other filters', () => {
  it('change headers on both ways', async () => {
    await world.route(
      'headers',
      ['h.test'],
      [
        {
          filters: [
            {
              type: 'RequestHeaderModifier',
              requestHeaderModifier: { set: [{ name: 'x-a', value: '1' }], remove: ['x-b'] },
            },
            { type: 'ResponseHeaderModifier', responseHeaderModifier: { add: [{ name: 'x-c', value: '3' }] } },
          ],
          backendRefs: to('one'),
        },
      ],
    );
    const answer = await world.ask('h.test', '/', { headers: { 'X-A': '0', 'X-B': '0' } });
    const { headers } = answer.json() as unknown as Seen;
    expect([headers['x-a'], headers['x-b'], answer.headers['x-c']]).toEqual(['1', undefined, '3']);
  });

  it('redirect', async () => {
    const redirect = (requestRedirect: Record<string, unknown>, path: string): HTTPRouteRule => ({
      matches: [prefix(path)],
      filters: [{ type: 'RequestRedirect', requestRedirect }],
    });
    await world.route(
      'redirect',
      ['d.test'],
      [
        redirect({ hostname: 'other.test', statusCode: 301 }, '/a'),
        redirect({ scheme: 'https', path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/c' } }, '/b'),
      ],
    );
    const first = await world.ask('d.test:81', '/a/x?q=1');
    expect([first.status, first.headers.location]).toEqual([301, 'http://other.test:81/a/x?q=1']);
    const second = await world.ask('d.test:81', '/b/x?q=1');
    expect([second.status, second.headers.location]).toEqual([302, 'https://d.test/c/x?q=1']);
  });

  it('share requests by weight', async () => {
    const backendRefs = [
      { name: 'one', port: 80, weight: 1 },
      { name: 'two', port: 80, weight: 0 },
    ];
    await world.route('weights', ['w.test'], [{ backendRefs }]);
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.ask('w.test', '/')));
    expect(new Set(answers.map(answeredBy))).toEqual(new Set(['one']));
  });
});
