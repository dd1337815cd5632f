import { asks, exact, prefix, rule, to, type Topic } from './model.ts';

export const paths: Topic[] = [
  {
    name: 'a simple route',
    routes: [{ name: 'simple', hostnames: ['simple.test'], rules: [{ backendRefs: to('one') }] }],
    requests: [
      ...asks('simple.test', [
        ['/', 'one'],
        ['/any/thing?x=1', 'one'],
      ]),
      ...asks('simple.test:8080', [['/', 'one']]),
      ...asks('other.test', [['/', 404]]),
    ],
  },
  {
    name: 'exact paths',
    routes: [
      {
        name: 'exact-paths',
        hostnames: ['exact.test'],
        rules: [rule('one', exact('/one')), rule('two', exact('/two'))],
      },
    ],
    requests: asks('exact.test', [
      ['/one', 'one'],
      ['/two', 'two'],
      ['/one?x=1', 'one'],
      ['/', 404],
      ['/one/', 404],
      ['/one/more', 404],
      ['/One', 404],
    ]),
  },
  {
    name: 'prefixes and their order',
    routes: [
      {
        name: 'prefixes',
        hostnames: ['prefix.test'],
        rules: [
          rule('one', prefix('/match')),
          rule('two', prefix('/match/prefix/one')),
          rule('three', exact('/match/exact')),
          rule('three', prefix('/slash/')),
        ],
      },
    ],
    requests: asks('prefix.test', [
      ['/match', 'one'],
      ['/match/', 'one'],
      ['/match/prefix', 'one'],
      ['/match/prefix/one', 'two'],
      ['/match/prefix/one/any', 'two'],
      ['/match/prefix/oneandmore', 'one'],
      ['/match/exact', 'three'],
      ['/match/exact/', 'one'],
      ['/matchless', 404],
      ['/slash', 'three'],
      ['/slash/', 'three'],
      ['/slash/x', 'three'],
      ['/slashes', 404],
    ]),
  },
];
