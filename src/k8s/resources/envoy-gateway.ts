import type { ParentReference } from './gateway-api.ts';
import { type Condition, type KubeObject, type LabelSelector, resource } from './kinds.ts';

export interface PolicyTargetRef {
  group: string;
  kind: string;
  name: string;
  sectionName?: string;
}

export interface JwtProvider {
  name: string;
  issuer?: string;
  audiences?: string[];
  remoteJWKS?: { uri: string; cacheDuration?: string };
  localJWKS?: { type?: string; inline?: string; valueRef?: { kind: string; name: string } };
  claimToHeaders?: { claim: string; header: string }[];
  extractFrom?: { headers?: { name: string; valuePrefix?: string }[]; cookies?: string[]; params?: string[] };
  recomputeRoute?: boolean;
}

/** gateway.envoyproxy.io/v1alpha1 SecurityPolicy. */
export interface SecurityPolicy extends KubeObject {
  spec: {
    targetRefs?: PolicyTargetRef[];
    targetRef?: PolicyTargetRef;
    targetSelectors?: (LabelSelector & { group?: string; kind: string })[];
    basicAuth?: { users: { name: string; namespace?: string }; forwardUsernameHeader?: string };
    apiKeyAuth?: {
      credentialRefs: { name: string; namespace?: string; group?: string; kind?: string }[];
      extractFrom: { headers?: string[]; params?: string[]; cookies?: string[] }[];
      forwardClientIDHeader?: string;
      sanitize?: boolean;
    };
    jwt?: { providers: JwtProvider[]; optional?: boolean };
  };
  status?: {
    ancestors?: { ancestorRef: ParentReference; controllerName: string; conditions?: Condition[] }[];
  };
}

export const securityPolicies = resource<SecurityPolicy>(
  'gateway.envoyproxy.io',
  'v1alpha1',
  'SecurityPolicy',
  'securitypolicies',
);

/** gateway.envoyproxy.io/v1alpha1 EnvoyProxy, as far as we read it. */
export interface EnvoyProxy extends KubeObject {
  spec: { shutdown?: { drainTimeout?: string } };
}

export const envoyProxies = resource<EnvoyProxy>('gateway.envoyproxy.io', 'v1alpha1', 'EnvoyProxy', 'envoyproxies');
