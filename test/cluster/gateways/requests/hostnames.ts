import { asks, prefix, rule, type Topic } from './model.ts';

export const hostnames: Topic[] = [
  {
    name: 'hostnames that listener and route have in common',
    routes: [
      {
        name: 'narrow',
        listener: 'exact',
        hostnames: ['non.matching.test', '*.nonmatching.test', '*.specific.test'],
        rules: [rule('one', prefix('/s1'))],
      },
      {
        name: 'wide',
        listener: 'wild',
        hostnames: ['wildcard.test', '*.wildcard.test', 'foo.wildcard.test', 'bar.foo.wildcard.test'],
        rules: [rule('two', prefix('/s2'))],
      },
      { name: 'inheriting', listener: 'exact', hostnames: [], rules: [rule('three', prefix('/s3'))] },
      {
        name: 'apart',
        listener: 'exact',
        hostnames: ['nowhere.test'],
        rules: [rule('three', prefix('/s4'))],
        reason: 'NoMatchingListenerHostname',
      },
    ],
    requests: [
      ...asks('very.specific.test', [
        ['/s1', 'one'],
        ['/s3', 'three'],
        ['/s2', 404],
        ['/s4', 404],
      ]),
      ...asks('very.specific.test:1234', [['/s1', 'one']]),
      ...asks('non.matching.test', [['/s1', 404]]),
      ...asks('foo.nonmatching.test', [['/s1', 404]]),
      ...asks('other.specific.test', [['/s1', 404]]),
      ...asks('foo.wildcard.test', [['/s2', 'two']]),
      ...asks('bar.foo.wildcard.test', [['/s2', 'two']]),
      ...asks('FOO.wildcard.test:80', [['/s2', 'two']]),
      ...asks('wildcard.test', [['/s2', 404]]),
      ...asks('badwildcard.test', [['/s2', 404]]),
      ...asks('nowhere.test', [['/s4', 404]]),
    ],
  },
  {
    name: 'the most specific hostname',
    routes: [
      { name: 'most', hostnames: ['a.most.test'], rules: [rule('one', prefix('/'))] },
      { name: 'less', hostnames: ['*.most.test'], rules: [rule('two', prefix('/'))] },
      { name: 'more', hostnames: ['*.b.most.test'], rules: [rule('three', prefix('/only'))] },
    ],
    requests: [
      ...asks('a.most.test', [['/', 'one']]),
      ...asks('c.most.test', [['/', 'two']]),
      ...asks('x.b.most.test', [
        ['/only', 'three'],
        ['/', 404],
      ]),
      ...asks('most.test', [['/', 404]]),
    ],
  },
];
