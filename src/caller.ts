/** Who sent a request. */
export interface Caller {
  /** With the configured prefix where it comes from a token. */
  readonly name: string;
  readonly groups: readonly string[];
  readonly anonymous: boolean;
  /** The single local user of an embedded cluster on loopback, acting with the connection's own identity. */
  readonly local: boolean;
  /** When the caller's token expires, in ms since the epoch; null: never. */
  readonly expiresAt: number | null;
  /** Roles from the token, as it has them; only where decisions go by roles. */
  readonly roles?: readonly string[];
  /** Acts with the connection's own identity although not local. Absent: the cluster sees the caller (impersonation). */
  readonly ownIdentity?: boolean;
}

/** What a caller may want to do with a run; each is one decision of the cluster's RBAC (architecture, section 6). */
export type Verb = 'see' | 'logs' | 'invoke' | 'act' | 'expose' | 'secrets';

/** Where something lies, for a decision. */
export interface Place {
  namespace: string;
  project?: string | null;
}

/** The places in which a caller has one verb: resolved once per request, then asked for each object. */
export interface Scope {
  /** Equal keys, equal answers: groups subscriptions and reused results. */
  readonly key: string;
  includes(place: Place): boolean;
}

/** A caller's rights. */
export interface Access {
  /** The projects in which the caller may see; absent when rights do not depend on projects. */
  readonly projects?: readonly string[];
  scope(verb: Verb): Promise<Scope>;
  allows(verb: Verb, place: Place): Promise<boolean>;
}

/** The scope of the local single user. */
export const everything: Scope = { key: '*', includes: () => true };

/** The rights of the local single user. */
export const fullAccess: Access = {
  scope: () => Promise.resolve(everything),
  allows: () => Promise.resolve(true),
};

/** The local single user of an embedded cluster. */
export const localCaller: Caller = {
  name: 'local',
  groups: ['slipway:local'],
  anonymous: false,
  local: true,
  expiresAt: null,
};
