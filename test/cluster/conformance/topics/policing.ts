import { expect } from 'vitest';
import { securityPolicies } from '../../../../src/k8s/resources.ts';
import { securityPolicy } from '../objects.ts';
import type { Topic, World } from '../suite.ts';
import { accepts, durationPattern, refuses, type Refused, type Spec, unchecked } from './refusing.ts';

const target = { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: 'web' };
const remote = { remoteJWKS: { uri: 'https://a.example/jwks' } };
const provider = (fields: Spec): Spec => ({ jwt: { providers: [{ name: 'a', ...fields }] } });
const keys = (...extractFrom: Spec[]): Spec => ({ apiKeyAuth: { credentialRefs: [{ name: 'a' }], extractFrom } });

const refusedPolicies: readonly Refused[] = [
  ['no target', { targetRefs: undefined }, 'spec: Invalid value: either targetRef or targetRefs must be used'],
  ['both forms of a target', { targetRef: target }, 'spec: Invalid value: either targetRef or targetRefs must be used'],
  [
    'a target of another group',
    { targetRefs: [{ ...target, group: '' }] },
    'spec: Invalid value: this policy can only have a targetRefs[*].group of gateway.networking.k8s.io',
  ],
  [
    'a target of another kind',
    { targetRefs: [{ ...target, kind: 'Service' }] },
    'spec: Invalid value: this policy can only have a targetRefs[*].kind of Gateway/ListenerSet/HTTPRoute/GRPCRoute/TCPRoute',
  ],
  [
    'one target of another kind',
    { targetRefs: undefined, targetRef: { ...target, kind: 'Service' } },
    'spec: Invalid value: this policy can only have a targetRef.kind of Gateway/ListenerSet/HTTPRoute/GRPCRoute/TCPRoute',
  ],
  [
    'a target without a name',
    { targetRefs: [{ group: target.group, kind: target.kind }] },
    'spec.targetRefs[0].name: Required value',
    unchecked,
  ],
  [
    'a selector of another group',
    { targetRefs: undefined, targetSelectors: [{ group: 'apps', kind: 'Deployment' }] },
    'spec.targetSelectors[0]: Invalid value: group must be gateway.networking.k8s.io',
  ],
  [
    'a merge that is not for policies of routes',
    { targetRefs: [{ ...target, kind: 'Gateway' }], mergeType: 'StrategicMerge' },
    'spec: Invalid value: mergeType can only be used with xRoute targets',
  ],
  [
    'a merge that replaces',
    { mergeType: 'Replace' },
    'spec.mergeType: Invalid value: "Replace": Replace is not a valid MergeType for SecurityPolicy',
  ],
  ['basic authentication without users', { basicAuth: {} }, 'spec.basicAuth.users: Required value', unchecked],
  [
    'basic authentication with a nameless Secret',
    { basicAuth: { users: { name: '' } } },
    'spec.basicAuth.users.name: Invalid value: "": spec.basicAuth.users.name in body should be at least 1 chars long',
  ],
  [
    'API keys without credentials',
    { apiKeyAuth: { extractFrom: [{ headers: ['x-key'] }] } },
    'spec.apiKeyAuth.credentialRefs: Required value',
    unchecked,
  ],
  [
    'API keys from nowhere',
    keys(),
    'spec.apiKeyAuth.extractFrom: Invalid value: 0: spec.apiKeyAuth.extractFrom in body should have at least 1 items',
  ],
  [
    'API keys from two places at once',
    keys({ headers: ['a'], params: ['b'] }),
    'spec.apiKeyAuth.extractFrom[0]: Invalid value: exactly one of headers, params, or cookies must be specified',
  ],
  [
    'API keys from no header',
    keys({ headers: [] }),
    'spec.apiKeyAuth.extractFrom[0].headers: Invalid value: 0: spec.apiKeyAuth.extractFrom[0].headers in body should have at least 1 items',
  ],
  [
    'JWT without providers',
    { jwt: { providers: [] } },
    'spec.jwt.providers: Invalid value: 0: spec.jwt.providers in body should have at least 1 items',
  ],
  [
    'JWT without keys',
    provider({}),
    'spec.jwt.providers[0]: Invalid value: either remoteJWKS or localJWKS must be specified.',
  ],
  [
    'JWT with two sources of keys',
    provider({ ...remote, localJWKS: { inline: '{}' } }),
    'spec.jwt.providers[0]: Invalid value: remoteJWKS and localJWKS cannot both be specified.',
  ],
  [
    'JWT keys that are not inline',
    provider({ localJWKS: { type: 'Inline' } }),
    'spec.jwt.providers[0].localJWKS: Invalid value: Exactly one of inline or valueRef must be set with correct type.',
  ],
  [
    'JWT keys without an address',
    provider({ remoteJWKS: {} }),
    'spec.jwt.providers[0].remoteJWKS.uri: Required value',
    unchecked,
  ],
  [
    'JWT that is optional and open',
    { jwt: { optional: true, failOpen: true, providers: [{ name: 'a', ...remote }] } },
    'spec.jwt: Invalid value: optional and failOpen cannot both be set; failOpen already tolerates a missing JWT',
  ],
  [
    'JWT that routes again without claims',
    provider({ ...remote, recomputeRoute: true }),
    'spec.jwt.providers[0]: Invalid value: "object": no such key: claimToHeaders evaluating rule: claimToHeaders must be specified if recomputeRoute is enabled.',
  ],
  [
    'JWT with too many audiences',
    provider({ ...remote, audiences: Array.from({ length: 9 }, (_, index) => `a${index}`) }),
    'spec.jwt.providers[0].audiences: Too many: 9: must have at most 8 items',
    unchecked,
  ],
  [
    'JWT keys that are kept for no duration',
    provider({ remoteJWKS: { uri: 'https://a.example', cacheDuration: '5 minutes' } }),
    `spec.jwt.providers[0].remoteJWKS.cacheDuration: Invalid value: "5 minutes": spec.jwt.providers[0].remoteJWKS.cacheDuration in body should match ${durationPattern}`,
  ],
];

const acceptedPolicies: readonly (readonly [string, Spec])[] = [
  [
    'selected targets',
    { targetRefs: undefined, targetSelectors: [{ kind: 'HTTPRoute', matchLabels: { app: 'web' } }] },
  ],
  ['basic authentication', { basicAuth: { users: { name: 'users' } } }],
  ['API keys', keys({ headers: ['x-key'] })],
  ['JWT', provider({ ...remote, issuer: 'https://a.example', audiences: ['a'] })],
];

export const policing: Topic = {
  name: 'SecurityPolicy',
  cases: {
    ...Object.fromEntries(
      refusedPolicies.map(([sentence, spec, ...causes]) => [
        `refused: ${sentence}`,
        (world: World) => refuses(world, securityPolicies, securityPolicy('refused', spec), causes),
      ]),
    ),
    ...Object.fromEntries(
      acceptedPolicies.map(([sentence, spec], index) => [
        `accepted: ${sentence}`,
        (world: World) => accepts(world, securityPolicies, securityPolicy(`accepted-${index}`, spec)),
      ]),
    ),
    'what is left out is filled in': async ({ api, path }) => {
      const spec = { ...provider(remote), basicAuth: { users: { name: 'users' } } };
      expect((await api.post(path(securityPolicies), securityPolicy('defaults', spec))).object.spec).toEqual({
        targetRefs: [target],
        jwt: { providers: [{ name: 'a', remoteJWKS: { uri: 'https://a.example/jwks', cacheDuration: '300s' } }] },
        basicAuth: { users: { group: '', kind: 'Secret', name: 'users' } },
      });
    },
  },
};
