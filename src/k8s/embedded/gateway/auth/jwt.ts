import { errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose';
import type { Clock } from '../../../../clock.ts';
import type { JwtProvider } from '../../../resources.ts';
import { headerValues, removeHeader, setHeader } from '../headers.ts';
import { queryValues } from '../query.ts';
import { latin1 } from './basic.ts';
import { cookieValues } from './cookies.ts';
import { type Credentials, type Guard, unauthorized } from './guard.ts';

/** A provider with the keys its tokens are signed with. */
export interface JwtIssuer {
  provider: JwtProvider;
  keys: JWTVerifyGetKey;
}

/** Public-key algorithms only: with a shared secret, whoever checks a token could make one. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** Envoy's allowance for clocks that differ. */
const clockSkewSeconds = 60;

const defaultSources: NonNullable<JwtProvider['extractFrom']> = {
  headers: [{ name: 'Authorization', valuePrefix: 'Bearer ' }],
  params: ['access_token'],
};

/** Any one provider may vouch for a request; `optional` lets a request without any token pass. */
export function createJwtGuard(issuers: readonly JwtIssuer[], optional: boolean, clock: Clock): Guard {
  return async (request) => {
    const clean = withoutClaimHeaders(request, issuers);
    let problem: string | null = null;
    for (const issuer of issuers) {
      const tokens = extractTokens(request, issuer.provider.extractFrom ?? defaultSources);
      if (tokens.length === 0) continue;
      try {
        const payloads = await Promise.all(tokens.map((token) => verify(token, issuer, clock)));
        return { request: withClaimHeaders(clean, issuer.provider, payloads) };
      } catch (error) {
        problem = describe(error);
      }
    }
    if (problem !== null) {
      return { refusal: unauthorized('Bearer', request.uri, problem, ', error="invalid_token"') };
    }
    return optional ? { request: clean } : { refusal: unauthorized('Bearer', request.uri, 'Jwt is missing') };
  };
}

function extractTokens(request: Credentials, from: NonNullable<JwtProvider['extractFrom']>): string[] {
  const inHeaders = (from.headers ?? []).flatMap(({ name, valuePrefix = '' }) =>
    headerValues(request.headers, name)
      .filter((value) => value.startsWith(valuePrefix))
      .map((value) => value.slice(valuePrefix.length).trim()),
  );
  const inCookies = (from.cookies ?? []).flatMap((name) => cookieValues(request.headers, name));
  const inQuery = (from.params ?? []).flatMap((name) => queryValues(request.target.query, name));
  return [...inHeaders, ...inCookies, ...inQuery];
}

async function verify(token: string, { provider, keys }: JwtIssuer, clock: Clock): Promise<JWTPayload> {
  const options: JWTVerifyOptions = {
    algorithms,
    clockTolerance: clockSkewSeconds,
    currentDate: new Date(clock.now()),
    ...(provider.issuer && { issuer: provider.issuer }),
    ...(provider.audiences?.length && { audience: provider.audiences }),
  };
  try {
    return (await jwtVerify(token, keys, options)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    // A token without a key id: any of the keys that fit may have signed it.
    for await (const key of error) {
      const result = await jwtVerify(token, key, options).catch((failure: unknown) => {
        if (failure instanceof errors.JWSSignatureVerificationFailed) return null;
        throw failure;
      });
      if (result) return result.payload;
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

/** Envoy's words, without any text of the token. */
function describe(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'Jwt is expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'iss') return 'Jwt issuer is not configured';
    if (error.claim === 'aud') return 'Audiences in Jwt are not allowed';
    return error.claim === 'nbf' ? 'Jwt not yet valid' : 'Jwt verification fails';
  }
  if (error instanceof errors.JWKSNoMatchingKey) return "Jwks doesn't have key to match kid or alg from Jwt";
  if (error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid)
    return 'Jwt is not in the form of Header.Payload.Signature';
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JWSSignatureVerificationFailed) {
    return 'Jwt verification fails';
  }
  return 'Jwks remote fetch is failed';
}

/** A claim header that a client sends could pass for a verified one. */
function withoutClaimHeaders(request: Credentials, issuers: readonly JwtIssuer[]): Credentials {
  let { headers } = request;
  for (const { provider } of issuers) {
    for (const { header } of provider.claimToHeaders ?? []) headers = removeHeader(headers, header);
  }
  return { ...request, headers };
}

function withClaimHeaders(request: Credentials, provider: JwtProvider, payloads: readonly JWTPayload[]): Credentials {
  let { headers } = request;
  for (const { claim, header } of provider.claimToHeaders ?? []) {
    for (const payload of payloads) {
      const value = claimValue(payload, claim);
      if (value !== null) headers = setHeader(headers, header, value);
    }
  }
  return { ...request, headers };
}

function claimValue(payload: JWTPayload, claim: string): string | null {
  let value: unknown = payload;
  for (const step of claim.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return null;
    value = (value as Record<string, unknown>)[step];
  }
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return null;
  const text = latin1(String(value));
  // oxlint-disable-next-line no-control-regex -- exactly these would break out of the header
  return /[\x00-\x1f\x7f]/.test(text) ? null : text;
}
