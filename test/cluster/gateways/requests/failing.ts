import { asks, prefix, rule, type Topic } from './model.ts';

export const failing: Topic[] = [
  {
    name: 'backends that are not there',
    routes: [
      { name: 'gone', hostnames: ['gone.test'], rules: [rule('nobody', prefix('/'))], reason: 'BackendNotFound' },
      {
        name: 'kind',
        hostnames: ['kind.test'],
        rules: [{ matches: [prefix('/')], backendRefs: [{ group: 'x.test', kind: 'Something', name: 'x', port: 80 }] }],
        reason: 'InvalidKind',
      },
      {
        name: 'foreign',
        hostnames: ['foreign.test'],
        rules: [{ matches: [prefix('/')], backendRefs: [{ name: 'far', namespace: 'far', port: 80 }] }],
        reason: 'RefNotPermitted',
      },
      {
        name: 'granted',
        hostnames: ['granted.test'],
        rules: [{ matches: [prefix('/')], backendRefs: [{ name: 'near', namespace: 'far', port: 80 }] }],
      },
      {
        name: 'partly',
        hostnames: ['partly.test'],
        rules: [rule('one', prefix('/good')), rule('nobody', prefix('/bad'))],
        reason: 'BackendNotFound',
      },
      { name: 'idle', hostnames: ['idle.test'], rules: [rule('idle', prefix('/'))] },
    ],
    requests: [
      ...asks('gone.test', [['/', 500]]),
      ...asks('kind.test', [['/', 500]]),
      ...asks('foreign.test', [['/', 500]]),
      ...asks('granted.test', [['/', 'near']]),
      ...asks('partly.test', [
        ['/good', 'one'],
        ['/bad', 500],
      ]),
      ...asks('idle.test', [['/', 503]]),
    ],
  },
  {
    name: 'timeouts and weights',
    routes: [
      {
        name: 'timeouts',
        hostnames: ['timeouts.test'],
        rules: [
          { ...rule('one', prefix('/request')), timeouts: { request: '1s' } },
          { ...rule('one', prefix('/backend')), timeouts: { backendRequest: '1s' } },
          { ...rule('one', prefix('/off')), timeouts: { request: '0s' } },
        ],
      },
      {
        name: 'weights',
        hostnames: ['weights.test'],
        rules: [
          {
            backendRefs: [
              { name: 'one', port: 80, weight: 1 },
              { name: 'two', port: 80, weight: 0 },
            ],
          },
        ],
      },
    ],
    requests: [
      ...asks('timeouts.test', [
        ['/request', 'one'],
        ['/request?delay=4000', 504],
        ['/backend?delay=4000', 504],
        ['/off?delay=1500', 'one'],
      ]),
      ...asks('weights.test', [
        ['/', 'one'],
        ['/1', 'one'],
        ['/2', 'one'],
      ]),
    ],
  },
];
