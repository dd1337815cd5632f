import { type JWTHeaderParameters, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { Clock } from '../../clock.ts';
import type { SignInConfig } from './config.ts';
import { hasDuplicateKeys } from './duplicate-keys.ts';

/** A token that lives longer than any sign-in (or whose `exp` is no time at all). */
const longestLifeSeconds = 366 * 24 * 3600;

/** Says to the log why a token was refused: never with anything the token holds. */
export class TokenRefusal extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TokenRefusal';
  }
}

export interface VerifiedToken {
  payload: JWTPayload;
  /** In ms since the epoch. */
  expiresAt: number;
}

/** Checks signature, issuer, audience and times of access tokens, and that they are access tokens. */
export function createTokenVerifier(
  { issuer, audience, algorithms, clockToleranceSeconds }: SignInConfig,
  keys: JWTVerifyGetKey,
  clock: Clock,
): (token: string) => Promise<VerifiedToken> {
  return async (token) => {
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer,
      audience: [...audience],
      algorithms: [...algorithms],
      requiredClaims: ['exp'],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(clock.now()),
    });
    checkText(token);
    checkHeader(protectedHeader);
    checkPurpose(payload, protectedHeader);
    return { payload, expiresAt: expiryOf(payload, clock.now() / 1000, clockToleranceSeconds) };
  };
}

function checkText(token: string): void {
  for (const part of token.split('.').slice(0, 2)) {
    if (hasDuplicateKeys(Buffer.from(part, 'base64url').toString())) throw new TokenRefusal('duplicate members');
  }
}

function checkHeader(header: JWTHeaderParameters): void {
  // RFC 7797 makes it critical; one that does not say so was made to be read in two ways.
  if (Object.hasOwn(header, 'b64')) throw new TokenRefusal('"b64" in the header');
  const type = typeOf(header);
  if (type !== null && type !== 'jwt' && type !== 'at+jwt') throw new TokenRefusal('not the type of an access token');
}

function typeOf({ typ }: { typ?: unknown }): string | null {
  if (typ === undefined) return null;
  return typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : '';
}

/**
 * An ID token tells a client who signed in; it is no key to an API, though issuer and (where the client has our
 * audience's name) audience fit. RFC 9068 marks access tokens; others are told from ID tokens by what only those have.
 */
function checkPurpose(payload: JWTPayload, header: JWTHeaderParameters): void {
  const has = (claim: string) => Object.hasOwn(payload, claim);
  // Keycloak says what a token is for in a claim `typ` (Bearer, ID, Refresh, …), Cognito in `token_use` (access, id).
  const purpose = typeOf(payload as { typ?: unknown });
  const marked = typeOf(header) === 'at+jwt' || purpose === 'bearer' || has('scope') || has('scp');
  const forItsClient = has('azp') && [payload.aud].flat().every((audience) => audience === payload['azp']);
  if (
    (purpose !== null && purpose !== 'bearer' && purpose !== 'at+jwt') ||
    (has('token_use') && payload['token_use'] !== 'access') ||
    ['at_hash', 'c_hash', 's_hash', 'events'].some(has) ||
    (!marked && (has('nonce') || forItsClient))
  ) {
    throw new TokenRefusal('not an access token');
  }
}

/** jose has checked that the times are numbers. The tolerance is for clocks ahead of ours: it lets no token live longer. */
function expiryOf({ exp = 0, iat }: JWTPayload, now: number, tolerance: number): number {
  if (exp <= now) throw new TokenRefusal('expired');
  if (exp > now + longestLifeSeconds) throw new TokenRefusal('lives too long');
  if (iat !== undefined && iat > now + tolerance) throw new TokenRefusal('issued in the future');
  return exp * 1000;
}
