import { asks, header, prefix, rule, type Topic } from './model.ts';

export const matching: Topic[] = [
  {
    name: 'matches across routes',
    routes: [
      {
        name: 'across-1',
        hostnames: ['across.test'],
        rules: [rule('one', prefix('/')), rule('two', { headers: [{ name: 'version', value: 'two' }] })],
      },
      { name: 'across-2', hostnames: ['across.test'], rules: [rule('two', prefix('/v2'))] },
    ],
    requests: asks('across.test', [
      ['/', 'one'],
      ['/example', 'one'],
      ['/', 'two', header('version', 'two')],
      ['/v2', 'two'],
      ['/v2/', 'two'],
      ['/v2/example', 'two'],
      ['/v2example', 'one'],
      ['/foo/v2', 'one'],
    ]),
  },
  {
    name: 'headers',
    routes: [
      {
        name: 'headers',
        hostnames: ['headers.test'],
        rules: [
          rule('one', { headers: [{ name: 'version', value: 'one' }] }),
          rule('two', { headers: [{ name: 'version', value: 'two' }] }),
          rule('three', {
            headers: [
              { name: 'version', value: 'two' },
              { name: 'color', value: 'orange' },
            ],
          }),
        ],
      },
    ],
    requests: asks('headers.test', [
      ['/', 'one', header('version', 'one')],
      ['/', 'two', header('Version', 'two')],
      ['/', 'three', { headers: { version: 'two', color: 'orange' } }],
      ['/', 404, header('version', 'Two')],
      ['/', 404, header('color', 'orange')],
      ['/', 404],
    ]),
  },
  {
    name: 'methods',
    routes: [
      {
        name: 'methods',
        hostnames: ['methods.test'],
        rules: [
          rule('one', { method: 'POST' }),
          rule('two', { method: 'GET' }),
          rule('three', { ...prefix('/x'), method: 'GET' }),
        ],
      },
    ],
    requests: asks('methods.test', [
      ['/', 'one', { method: 'POST' }],
      ['/', 'two'],
      ['/x', 'three'],
      ['/x', 'one', { method: 'POST' }],
      ['/', 404, { method: 'DELETE' }],
    ]),
  },
  {
    name: 'query parameters',
    routes: [
      {
        name: 'query',
        hostnames: ['query.test'],
        rules: [
          rule('one', { queryParams: [{ name: 'animal', value: 'whale' }] }),
          rule('two', {
            queryParams: [
              { name: 'animal', value: 'whale' },
              { name: 'color', value: 'blue' },
            ],
          }),
          rule('three', { ...prefix('/x'), queryParams: [{ name: 'animal', value: 'dog' }] }),
        ],
      },
    ],
    requests: asks('query.test', [
      ['/?animal=whale', 'one'],
      ['/?animal=whale&color=blue', 'two'],
      ['/?color=blue&animal=whale', 'two'],
      ['/x?animal=dog', 'three'],
      ['/?animal=dog', 404],
      ['/?animal=Whale', 404],
      ['/?animal', 404],
      ['/', 404],
    ]),
  },
];
