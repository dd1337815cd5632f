import { asks, prefix, replacing, rewrites, rewriting, rule, type Topic } from './model.ts';

export const rewritten: Topic[] = [
  {
    name: 'rewriting of prefixes',
    routes: [
      {
        name: 'rewrite',
        hostnames: ['rewrite.test'],
        rules: [
          rewriting('/foo', replacing('/xyz')),
          rewriting('/slash/', replacing('/xyz')),
          rewriting('/both/', replacing('/xyz/')),
          rewriting('/end', replacing('/xyz/')),
          rewriting('/empty', replacing('')),
          rewriting('/strip', replacing('/')),
          rewriting('/apart/', replacing('/')),
          rewriting('/a.b+c', replacing('/x')),
        ],
      },
      { name: 'rewrite-root', hostnames: ['root.test'], rules: [rewriting('/', replacing('/xyz'))] },
    ],
    requests: [
      ...rewrites('rewrite.test', [
        ['/foo', '/xyz'],
        ['/foo/', '/xyz/'],
        ['/foo/bar', '/xyz/bar'],
        ['/foo/bar?x=%20+&y=//&&', '/xyz/bar?x=%20+&y=//&&'],
        ['/foo/b%20c', '/xyz/b%20c'],
        ['/slash/bar', '/xyz/bar'],
        ['/both/bar', '/xyz/bar'],
        ['/end/bar', '/xyz/bar'],
        ['/empty/bar', '/bar'],
        ['/empty', '/'],
        ['/strip', '/'],
        ['/strip/', '/'],
        ['/strip/bar', '/bar'],
        ['/strip/bar?q', '/bar?q'],
        ['/apart/bar', '/bar'],
        [
          '/apart',
          '/',
          { by: 'one', url: '/apart', because: 'the slash of the match is part of its regular expression' },
        ],
        ['/a.b+c/d', '/x/d'],
      ]),
      ...asks('rewrite.test', [
        ['/food', 404],
        ['/aXb+c/d', 404],
      ]),
      ...rewrites('root.test', [
        ['/test', '/xyz/test', { by: 'one', url: '/xyztest', because: 'the root is replaced as text' }],
        ['/', '/xyz/', { by: 'one', url: '/xyz', because: 'the root is replaced as text' }],
      ]),
    ],
  },
  {
    name: 'rewriting of hosts and whole paths',
    routes: [
      {
        name: 'rewrite-host',
        hostnames: ['host.test'],
        rules: [
          rewriting('/host', { type: 'URLRewrite', urlRewrite: { hostname: 'inside.test' } }),
          rewriting('/full', {
            type: 'URLRewrite',
            urlRewrite: { path: { type: 'ReplaceFullPath', replaceFullPath: '/whole' } },
          }),
          rule('one', prefix('/')),
        ],
      },
    ],
    requests: [
      {
        method: 'GET',
        host: 'host.test',
        path: '/host/x',
        expected: { by: 'one', url: '/host/x', host: 'inside.test' },
      },
      { method: 'GET', host: 'host.test', path: '/x', expected: { by: 'one', url: '/x', host: 'host.test' } },
      ...rewrites('host.test', [
        ['/full/of/it?q', '/whole?q'],
        ['/full', '/whole'],
      ]),
    ],
  },
];
