import type { JwtProvider, PolicyTargetRef, SecurityPolicy } from '../../../resources.ts';
import {
  anything,
  boolean,
  defaulted,
  limited,
  list,
  map,
  required,
  type Rule,
  ruled,
  string,
  struct,
} from '../schema.ts';
import { objectMeta } from './meta.ts';
import {
  atLeast,
  atMost,
  duration,
  group,
  kind,
  objectName,
  oneOf,
  policyStatus,
  secretReference,
  sectionName,
} from './references.ts';

const gatewayGroup = 'gateway.networking.k8s.io';
const routeKinds = ['HTTPRoute', 'GRPCRoute', 'TCPRoute'];
const targetKinds = ['Gateway', 'ListenerSet', ...routeKinds];

const targetRef = struct('envoy.v1alpha1.LocalPolicyTargetReferenceWithSectionName', {
  group: required(group),
  kind: required(kind),
  name: required(objectName),
  sectionName,
});

const targetSelector = ruled(
  struct('envoy.v1alpha1.TargetSelector', {
    group: defaulted(group, gatewayGroup),
    kind: required(kind),
    matchLabels: map(string),
    matchExpressions: list(anything),
    namespaces: anything,
  }),
  {
    message: 'group must be gateway.networking.k8s.io',
    holds: (self: { group?: string }) => self.group === undefined || self.group === gatewayGroup,
  },
);

const basicAuth = struct('envoy.v1alpha1.BasicAuth', {
  users: required(secretReference),
  forwardUsernameHeader: string,
});

const someNames = atLeast(1, list(limited(string, { minLength: 1 })));

const apiKeyAuth = struct('envoy.v1alpha1.APIKeyAuth', {
  credentialRefs: required(list(secretReference)),
  extractFrom: required(
    atLeast(
      1,
      list(
        ruled(struct('envoy.v1alpha1.ExtractFrom', { headers: someNames, params: someNames, cookies: someNames }), {
          message: 'exactly one of headers, params, or cookies must be specified',
          holds: (self: Record<string, unknown>) =>
            ['headers', 'params', 'cookies'].filter((source) => self[source] !== undefined).length === 1,
        }),
      ),
    ),
  ),
  forwardClientIDHeader: string,
  sanitize: boolean,
});

const localJwks = ruled(
  struct('envoy.v1alpha1.LocalJWKS', {
    type: defaulted(oneOf('Inline', 'ValueRef'), 'Inline'),
    inline: string,
    valueRef: struct('gateway.v1.LocalObjectReference', {
      group: required(group),
      kind: required(kind),
      name: required(objectName),
    }),
  }),
  {
    message: 'Exactly one of inline or valueRef must be set with correct type.',
    holds: (self: NonNullable<JwtProvider['localJWKS']>) =>
      self.type === 'Inline'
        ? self.inline !== undefined && self.valueRef === undefined
        : self.inline === undefined && self.valueRef !== undefined,
  },
);

const remoteJwks = ruled(
  struct('envoy.v1alpha1.RemoteJWKS', {
    uri: required(limited(string, { minLength: 1, maxLength: 253 })),
    cacheDuration: defaulted(duration, '300s'),
    failedRefetchDuration: duration,
    backendRef: anything,
    backendRefs: list(anything),
    backendSettings: anything,
  }),
  {
    message: 'BackendRefs must be used, backendRef is not supported.',
    holds: (self: { backendRef?: unknown }) => self.backendRef === undefined,
  },
);

const jwtProvider = ruled(
  struct('envoy.v1alpha1.JWTProvider', {
    name: required(limited(string, { minLength: 1, maxLength: 253 })),
    issuer: limited(string, { maxLength: 253 }),
    audiences: atMost(8, list(string)),
    remoteJWKS: remoteJwks,
    localJWKS: localJwks,
    claimToHeaders: list(struct('envoy.v1alpha1.ClaimToHeader', { header: required(string), claim: required(string) })),
    recomputeRoute: boolean,
    extractFrom: struct('envoy.v1alpha1.JWTExtractor', {
      headers: list(struct('envoy.v1alpha1.JWTHeaderExtractor', { name: required(string), valuePrefix: string })),
      cookies: list(string),
      params: list(string),
    }),
  }),
  {
    message: 'claimToHeaders must be specified if recomputeRoute is enabled.',
    holds: (self: JwtProvider) => {
      if (!self.recomputeRoute) return true;
      return self.claimToHeaders ? self.claimToHeaders.length > 0 : 'no such key: claimToHeaders';
    },
  },
  {
    message: 'either remoteJWKS or localJWKS must be specified.',
    holds: (self: JwtProvider) => self.remoteJWKS !== undefined || self.localJWKS !== undefined,
  },
  {
    message: 'remoteJWKS and localJWKS cannot both be specified.',
    holds: (self: JwtProvider) => self.remoteJWKS === undefined || self.localJWKS === undefined,
  },
);

const jwt = ruled(
  struct('envoy.v1alpha1.JWT', {
    optional: boolean,
    failOpen: boolean,
    providers: required(atLeast(1, atMost(16, list(jwtProvider)))),
  }),
  {
    message: 'optional and failOpen cannot both be set; failOpen already tolerates a missing JWT',
    holds: (self: { optional?: boolean; failOpen?: boolean }) =>
      self.optional === undefined || self.failOpen === undefined,
  },
);

type Spec = SecurityPolicy['spec'] & { targetSelectors?: { kind: string }[]; mergeType?: string };

function eachTarget(self: Spec, holds: (target: PolicyTargetRef) => boolean): boolean {
  return (self.targetRefs ?? []).every(holds);
}

const kindList = targetKinds.join('/');
const targetRules: Rule[] = [
  {
    message: 'either targetRef or targetRefs must be used',
    holds: (self: Spec) =>
      (self.targetRef === undefined) !== (self.targetRefs === undefined) || (self.targetSelectors ?? []).length > 0,
  },
  {
    message: `this policy can only have a targetRef.group of ${gatewayGroup}`,
    holds: (self: Spec) => !self.targetRef || self.targetRef.group === gatewayGroup,
  },
  {
    message: `this policy can only have a targetRef.kind of ${kindList}`,
    holds: (self: Spec) => !self.targetRef || targetKinds.includes(self.targetRef.kind),
  },
  {
    message: `this policy can only have a targetRefs[*].group of ${gatewayGroup}`,
    holds: (self: Spec) => eachTarget(self, (target) => target.group === gatewayGroup),
  },
  {
    message: `this policy can only have a targetRefs[*].kind of ${kindList}`,
    holds: (self: Spec) => eachTarget(self, (target) => targetKinds.includes(target.kind)),
  },
  {
    message: 'mergeType can only be used with xRoute targets',
    holds: (self: Spec) =>
      self.mergeType === undefined ||
      [...(self.targetRef ? [self.targetRef] : []), ...(self.targetRefs ?? []), ...(self.targetSelectors ?? [])].every(
        (target) => routeKinds.includes(target.kind),
      ),
  },
];

export const securityPolicy = struct('envoy.v1alpha1.SecurityPolicy', {
  metadata: objectMeta,
  spec: required(
    ruled(
      struct('envoy.v1alpha1.SecurityPolicySpec', {
        targetRef,
        targetRefs: list(targetRef),
        targetSelectors: list(targetSelector),
        mergeType: ruled(string, {
          message: 'Replace is not a valid MergeType for SecurityPolicy',
          holds: (self: string) => self !== 'Replace',
        }),
        basicAuth,
        apiKeyAuth,
        jwt,
        cors: anything,
        csrf: anything,
        oidc: anything,
        extAuth: anything,
        authorization: anything,
      }),
      ...targetRules,
    ),
  ),
  status: policyStatus,
});
