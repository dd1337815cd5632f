import type { JWTPayload } from 'jose';
import type { SignInConfig } from './config.ts';
import { TokenRefusal } from './token.ts';

export interface Identity {
  name: string;
  groups: readonly string[];
  roles: readonly string[];
}

const longestName = 256;
const mostNames = 500;

/** Control, format (also those that turn or hide text), separator and unpaired surrogate characters. */
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u;

/**
 * Who a token is about, by the configured claims. A token with a name that can't be one is refused as a whole: to leave
 * the name out would be silent, and to mend it would make it another's.
 */
export function identityOf(payload: JWTPayload, config: SignInConfig): Identity {
  const user = claimAt(payload, config.userClaim);
  // As the API server does: an address that was not proved may be anybody's.
  if (config.userClaim === 'email' && Object.hasOwn(payload, 'email_verified') && payload['email_verified'] !== true) {
    throw new TokenRefusal('the e-mail address is not verified');
  }
  return {
    name: named(config.userPrefix, user),
    groups: namesAt(payload, config.groupsClaim).map((group) => named(config.groupPrefix, group)),
    roles: config.authorizer === 'roles' ? namesAt(payload, config.rolesClaim).map((role) => named('', role)) : [],
  };
}

/** A list of names, a single one, or none. */
function namesAt(payload: JWTPayload, claim: string): unknown[] {
  const value = claimAt(payload, claim);
  if (value === undefined) return [];
  const names = Array.isArray(value) ? [...new Set(value as unknown[])] : [value];
  if (names.length > mostNames) throw new TokenRefusal('too many groups or roles');
  return names;
}

function named(prefix: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new TokenRefusal('a name is not a text');
  if (value.length > longestName || value.trim() !== value || unsafe.test(value)) {
    throw new TokenRefusal('a name has characters or a length that names do not have');
  }
  return prefix + value;
}

/** A claim by its name, such as `https://acme.example/groups`, or by a path, such as `realm_access.roles`. */
function claimAt(payload: JWTPayload, claim: string): unknown {
  if (Object.hasOwn(payload, claim)) return payload[claim];
  let value: unknown = payload;
  for (const step of claim.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}
