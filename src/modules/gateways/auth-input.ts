import { invalid, type SlipwayError } from '../../errors.ts';
import { isSubdomain } from './names.ts';
import type { GatewayAuth } from './service.ts';

export interface GatewayAuthInput {
  none?: boolean | null | undefined;
  basic?: { secretName: string } | null | undefined;
  apiKey?: { secretName: string; headerName?: string | null | undefined } | null | undefined;
  jwt?: JwtAuthInput | null | undefined;
}

interface JwtAuthInput {
  jwksUri: string;
  issuer: string;
  audiences?: readonly string[] | null | undefined;
  claimToHeaders?: readonly { claim: string; header: string }[] | null | undefined;
}

const headerToken = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const visible = /^[\x21-\x7e]+$/;

/** Headers that routing, connections and trust rest on: never taken from a claim or used for a key. */
const reservedHeaders = new Set([
  'host',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'content-type',
  'cookie',
  'set-cookie',
  'expect',
  'forwarded',
  'via',
  'x-real-ip',
  'x-request-id',
]);
const reservedPrefixes = ['x-forwarded-', 'x-envoy-', 'proxy-', 'sec-', ':'];

function reserved(header: string): boolean {
  const name = header.toLowerCase();
  return reservedHeaders.has(name) || reservedPrefixes.some((prefix) => name.startsWith(prefix));
}

/**
 * What was asked for, checked: null with the errors pushed when it can't be had. Nothing that is missing or false
 * ever turns into no protection.
 */
export function readAuth(
  input: GatewayAuthInput,
  options: { embedded: boolean },
  errors: SlipwayError[],
): GatewayAuth | null {
  const before = errors.length;
  const auth = parse(input, options, errors);
  return errors.length > before ? null : auth;
}

function parse(
  { none, basic, apiKey, jwt }: GatewayAuthInput,
  options: { embedded: boolean },
  errors: SlipwayError[],
): GatewayAuth | null {
  if (basic) {
    errors.push(...secretNameProblem(basic.secretName, 'auth.basic.secretName'));
    return { kind: 'BASIC', secretName: basic.secretName };
  }
  if (apiKey) {
    const headerName = apiKey.headerName ?? 'x-api-key';
    errors.push(...secretNameProblem(apiKey.secretName, 'auth.apiKey.secretName'));
    if (!headerToken.test(headerName) || headerName.length > 256 || reserved(headerName)) {
      const message = `"${headerName}" can't carry a key: give a header name such as x-api-key.`;
      errors.push(invalid('auth.apiKey.headerName', message, 'HEADER_INVALID'));
    }
    return { kind: 'API_KEY', secretName: apiKey.secretName, headerName };
  }
  if (jwt) return parseJwt(jwt, options, errors);
  if (none === true) return { kind: 'NONE' };
  const message =
    'A gateway without protection must be asked for with none: true; false means nothing. ' +
    'Give none: true, basic, apiKey or jwt.';
  errors.push(invalid(none === false ? 'auth.none' : 'auth', message, 'AUTH_REQUIRED'));
  return null;
}

function secretNameProblem(name: string, field: string): SlipwayError[] {
  return isSubdomain(name) ? [] : [invalid(field, `"${name}" is no name of a Secret.`, 'SECRET_NAME_INVALID')];
}

function parseJwt(input: JwtAuthInput, options: { embedded: boolean }, errors: SlipwayError[]): GatewayAuth {
  const audiences = [...(input.audiences ?? [])];
  const claimToHeaders = (input.claimToHeaders ?? []).map(({ claim, header }) => ({ claim, header }));
  errors.push(
    ...jwksProblem(input.jwksUri, options.embedded),
    ...issuerProblem(input.issuer),
    ...audienceProblems(audiences),
    ...claimProblems(claimToHeaders),
  );
  return { kind: 'JWT', jwksUri: input.jwksUri, issuer: input.issuer, audiences, claimToHeaders };
}

function jwksProblem(uri: string, embedded: boolean): SlipwayError[] {
  const refuse = (message: string, reason: string) => [invalid('auth.jwt.jwksUri', message, reason)];
  const url = URL.canParse(uri) ? new URL(uri) : null;
  if (!url || !visible.test(uri)) return refuse('The JWKS URI is no absolute URL.', 'JWKS_URI_INVALID');
  if (uri.length > 253) return refuse('The JWKS URI has at most 253 characters.', 'JWKS_URI_INVALID');
  if (url.username || url.password || url.hash) {
    return refuse('The JWKS URI must carry no credentials and no fragment.', 'JWKS_URI_INVALID');
  }
  const loopback = url.hostname === 'localhost' || url.hostname === '[::1]' || /^127(\.\d+){3}$/.test(url.hostname);
  if (url.protocol !== 'https:' && !(embedded && url.protocol === 'http:' && loopback)) {
    return refuse('The JWKS URI must start with https: whoever can change the keys can sign tokens.', 'JWKS_NOT_HTTPS');
  }
  if (/\.well-known\/openid-configuration\/?$/.test(url.pathname)) {
    return refuse(
      'This is the discovery document, not the keys. Give the value of its "jwks_uri" instead.',
      'JWKS_IS_DISCOVERY',
    );
  }
  return [];
}

function issuerProblem(issuer: string): SlipwayError[] {
  const refuse = (message: string) => [invalid('auth.jwt.issuer', message, 'ISSUER_INVALID')];
  if (issuer === '') return refuse('Give the issuer: without it tokens of any issuer with these keys would pass.');
  if (issuer.length > 253 || !visible.test(issuer))
    return refuse('An issuer has at most 253 characters and no blanks.');
  if (issuer.includes(':') && !URL.canParse(issuer)) return refuse('An issuer with a colon must be a URI.');
  if (!issuer.includes(':') && issuer.includes('@') && !/^[^@]+@[^@]+\.[^@]+$/.test(issuer)) {
    return refuse('An issuer with an @ must be an e-mail address.');
  }
  return [];
}

function audienceProblems(audiences: readonly string[]): SlipwayError[] {
  const refuse = (message: string) => [invalid('auth.jwt.audiences', message, 'AUDIENCE_INVALID')];
  if (audiences.length > 8) return refuse('A gateway takes at most 8 audiences.');
  if (audiences.some((audience) => !visible.test(audience)))
    return refuse('An audience must not be empty or have blanks.');
  return new Set(audiences).size < audiences.length ? refuse('An audience is given twice.') : [];
}

function claimProblems(claims: readonly { claim: string; header: string }[]): SlipwayError[] {
  const seen = new Set<string>();
  if (claims.length > 32) return [invalid('auth.jwt.claimToHeaders', 'At most 32 claims.', 'CLAIM_INVALID')];
  return claims.flatMap(({ claim, header }, i) => {
    const field = `auth.jwt.claimToHeaders.${i}`;
    const problems: SlipwayError[] = [];
    if (!visible.test(claim) || claim.length > 253) {
      problems.push(invalid(`${field}.claim`, 'A claim must not be empty or have blanks.', 'CLAIM_INVALID'));
    }
    const name = header.toLowerCase();
    if (!headerToken.test(header) || header.length > 256) {
      problems.push(invalid(`${field}.header`, `"${header}" is no header name.`, 'HEADER_INVALID'));
    } else if (reserved(header) || name === 'authorization') {
      problems.push(
        invalid(`${field}.header`, `The header ${header} can't be set from a claim.`, 'HEADER_NOT_ALLOWED'),
      );
    } else if (seen.has(name)) {
      problems.push(invalid(`${field}.header`, `The header ${header} is given twice.`, 'HEADER_INVALID'));
    }
    seen.add(name);
    return problems;
  });
}
