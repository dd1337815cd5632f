import type { HTTPRoute, Secret, SecurityPolicy } from '../../k8s/resources.ts';
import { manyRef } from '../../module.ts';

export type GatewayAuthKind = 'NONE' | 'BASIC' | 'API_KEY' | 'JWT' | 'OTHER' | 'UNKNOWN';

/** What was asked for, validated and free of defaults. */
export type GatewayAuth =
  | { kind: 'NONE' }
  | { kind: 'BASIC'; secretName: string }
  | { kind: 'API_KEY'; secretName: string; headerName: string }
  | {
      kind: 'JWT';
      jwksUri: string;
      issuer: string;
      audiences: string[];
      claimToHeaders: { claim: string; header: string }[];
    };

/** Turns protection into the objects of one gateway implementation, and reads them back. */
export interface PolicyBackend {
  readonly name: string;
  /** GatewayClass `controllerName`s it speaks for. */
  readonly controllers: readonly string[];
  /** The kinds of protection it can enforce; any other is NOT_SUPPORTED, never downgraded to NONE. */
  readonly kinds: readonly GatewayAuthKind[];
  /** The policy object for a route; null for NONE. */
  policy(route: { name: string; namespace: string }, auth: GatewayAuth): SecurityPolicy | null;
  /** The protection a policy object stands for. */
  read(policy: SecurityPolicy): GatewayAuth | { kind: 'OTHER' };
  /** Why a Secret can't serve; null when it can. */
  secretProblem(secret: Secret, kind: 'BASIC' | 'API_KEY'): string | null;
}
export const PolicyBackend = manyRef<PolicyBackend>('slipway.policy-backend');

export type { HTTPRoute };
