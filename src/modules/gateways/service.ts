import type { Access } from '../../caller.ts';
import type { JsonPatchOperation } from '../../k8s/cluster.ts';
import type { HTTPRoute, HTTPRouteFilter, KubeObject, Resource, Secret, SecurityPolicy } from '../../k8s/resources.ts';
import { manyRef, serviceRef } from '../../module.ts';
import type { Stream } from '../../schema/stream.ts';
import type { Millis, ObjectRef } from '../runs/service.ts';
import type { Fault } from './htpasswd.ts';

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

/**
 * The object that protects a route. It either names its targets and has a status for each Gateway, as Gateway API's
 * policies do (GEP-713), or a filter of the route names it.
 */
export interface Policy extends KubeObject {
  spec: Pick<SecurityPolicy['spec'], 'targetRefs' | 'targetRef' | 'targetSelectors'> & Record<string, unknown>;
  status?: SecurityPolicy['status'];
}

/**
 * Turns protection into the objects of one gateway implementation, and reads them back. The policy is written before the
 * route that counts on it, changed in one write, and deleted after the route; it bears the name that it is given.
 */
export interface PolicyBackend<P extends Policy = Policy> {
  readonly name: string;
  /** GatewayClass `controllerName`s it speaks for. */
  readonly controllers: readonly string[];
  /** The kinds of protection it can enforce; any other is NOT_SUPPORTED, never downgraded to NONE. */
  readonly kinds: readonly GatewayAuthKind[];
  /**
   * The kind of its policies. The module that provides the back end watches it, and asks for the rights to read, patch
   * and delete it.
   */
  readonly resource: Resource<P>;
  /** The policy for a route; null for NONE. It gets the name `<route>-sp`. */
  policy(route: { name: string; namespace: string }, auth: GatewayAuth): P | null;
  /** What a rule of the route says so that the policy of this name holds for it. Absent: policies name their routes. */
  readonly filter?: (policy: string) => HTTPRouteFilter;
  /**
   * Set where the data plane puts its checks into listeners, and connections from before keep the listener that they had:
   * whether each policy brings a check of its own, or a listener needs one for all of a kind. Absent: neither.
   */
  readonly checksPer?: (kind: GatewayAuthKind) => 'POLICY' | 'KIND';
  /** The protection a policy object stands for; NONE for one that lets everybody pass. */
  read(policy: P): GatewayAuth | { kind: 'OTHER' };
  /**
   * Swaps the protection of a policy for another in one write and leaves all else in it alone; null: nothing else would
   * be left for NONE, so it is deleted.
   */
  change(policy: P, auth: GatewayAuth): JsonPatchOperation[] | null;
  /** The Secrets that a policy reads: they are not deleted while it does. */
  secretsOf(policy: P): { namespace: string; name: string }[];
  /** Why a Secret can't serve; null when it can. */
  secretProblem(secret: Secret, kind: 'BASIC' | 'API_KEY'): Fault | null;
}
export const PolicyBackend = manyRef<PolicyBackend>('slipway.policy-backend');

export type GatewayPhase = 'READY' | 'PROGRESSING' | 'REJECTED' | 'UNPROTECTED' | 'UNCLAIMED' | 'DELETING';

export interface GatewayConditionView {
  object: ObjectRef;
  type: string;
  status: string;
  reason: string | null;
  message: string | null;
  at: Millis | null;
  observedGeneration: number | null;
  /** Speaks of the object's present generation. */
  current: boolean;
}

export interface GatewayAuthView {
  kind: GatewayAuthKind;
  policy: ObjectRef | null;
  /** The policy is attached to the Gateway, not to the route. */
  inherited: boolean;
  secretName: string | null;
  headerName: string | null;
  jwksUri: string | null;
  issuer: string | null;
  audiences: string[];
  claimToHeaders: { claim: string; header: string }[];
}

export interface GatewayStatusView {
  phase: GatewayPhase;
  /** One plain sentence with the next step; null only when READY. */
  message: string | null;
  conditions: GatewayConditionView[];
}

export interface BackendName {
  namespace: string;
  service: string;
  port: number | null;
}

export interface ParentName {
  namespace: string;
  name: string;
  sectionName: string | null;
}

/** One HTTPRoute with its policy as everybody sees it: computed once per change, shared, never changed in place. */
export interface GatewayView {
  /** `namespace/name`. */
  key: string;
  /** Global id of `Gateway`. */
  id: string;
  uid: string;
  name: string;
  namespace: string;
  project: string | null;
  resourceVersion: string | null;
  createdAt: Millis | null;
  hostnames: string[];
  pathPrefix: string | null;
  ruleCount: number;
  rewritePathPrefix: string | null;
  backend: BackendName | null;
  /** Global id of the run behind the backend. */
  serviceRunId: string | null;
  auth: GatewayAuthView;
  parents: ParentName[];
  url: string | null;
  status: GatewayStatusView;
  managed: boolean;
  /** When the view may change by itself; null: never. */
  changesAt: Millis | null;
  objects: { route: HTTPRoute; policies: Policy[] };
}

export interface GatewayChange {
  key: string;
  before?: GatewayView;
  after?: GatewayView;
  revision: number;
}

/** The fields of `GatewayFilter`; null or absent means no filter, [] matches nothing. */
export interface GatewayFilter {
  namespace?: readonly string[] | null | undefined;
  project?: readonly string[] | null | undefined;
  search?: string | null | undefined;
  phase?: readonly GatewayPhase[] | null | undefined;
  serviceRunId?: string | null | undefined;
}

/** The views of all gateways, kept current from the shared caches. */
export interface Gateways {
  /** Rises with every change of any view. */
  readonly revision: number;
  /** UNAVAILABLE where our identity may not read routes: it would seem as if there were none. */
  readable(): void;
  get(key: string): GatewayView | undefined;
  all(): Iterable<GatewayView>;
  /** Those whose backend is this Service. */
  byService(namespace: string, service: string): GatewayView[];
  /** The gateway behind a global id if the caller may see it; else NOT_FOUND on `field`. */
  visible(id: string, access: Access, field?: string): Promise<GatewayView>;
  /** The view these objects would have now. */
  view(route: HTTPRoute, policies: readonly Policy[]): GatewayView;
  /** Every gateway, then every change of it: what subscriptions tell. */
  readonly changes: Stream<GatewayView>;
  /** Changes from now on, in order, each exactly once. */
  subscribe(listener: (change: GatewayChange) => void): () => void;
  /** Resolves once the caches hold these written objects, at most 2 s later. */
  settled(written: readonly KubeObject[], deleted?: boolean): Promise<void>;
}
export const Gateways = serviceRef<Gateways>('slipway.gateways');

export type { HTTPRoute };
