import { z } from 'zod';
import { isLoopback } from '../../http-guard.ts';

/** Signatures by public keys only: with a shared secret (HS256), whoever checks a token could make one. */
export const algorithms = [
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
] as const;

const defaults = {
  algorithms: ['RS256', 'ES256', 'EdDSA'] as (typeof algorithms)[number][],
  authorizer: 'kubernetes' as const,
  userClaim: 'sub',
  userPrefix: 'oidc:',
  groupsClaim: 'groups',
  groupPrefix: 'oidc:',
  rolesClaim: 'roles',
  clockToleranceSeconds: 5,
};

/** Optional with a default that is only documented here: that a setting was given must stay visible. */
const withDefault = <Key extends keyof typeof defaults>(key: Key, schema: z.ZodType, description: string) =>
  (schema as z.ZodType<(typeof defaults)[Key]>).optional().meta({ default: defaults[key], description });

const providerUrl = z.string().check((context) => {
  const problem = urlProblem(context.value);
  if (problem) context.issues.push({ code: 'custom', input: context.value, message: problem });
});

/** What is wrong with an address of the identity provider. */
export function urlProblem(text: string): string | null {
  if (!URL.canParse(text)) return 'must be an absolute URL';
  const { protocol, username, password, search, hash, hostname } = new URL(text);
  if (username || password) return 'must not hold a user name or password';
  if (search || hash) return 'must not have a query or a fragment';
  if (protocol === 'https:' || (protocol === 'http:' && isLoopback(bareHost(hostname)))) return null;
  return 'must be an https URL';
}

function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** Plain http is for an identity provider on this machine. */
export function isPlain(url: string): boolean {
  return new URL(url).protocol === 'http:';
}

/**
 * A name with its prefix must never be one that Kubernetes keeps for itself (`system:masters`), whatever the token says:
 * so no prefix may be the beginning of `system:` either.
 */
const prefix = z
  .string()
  .max(100)
  .regex(/^[\x21-\x7e]+$/, { error: 'must be one or more visible ASCII characters', abort: true })
  .refine((text) => !text.startsWith('system:') && !'system:'.startsWith(text), 'must not lead to names in `system:`');
const claim = z.string().min(1).max(200);
const text = z.string().min(1);

const settings = z.strictObject({
  issuer: providerUrl
    .optional()
    .describe('Issuer of the access tokens, exactly as in their `iss`. Unset: no sign-in, one local user on loopback.'),
  audience: z.array(text).min(1).optional().describe('Audiences, one of which must be in the `aud` of a token.'),
  jwksUri: providerUrl
    .optional()
    .describe("Where the issuer's keys are; default: what its `/.well-known/openid-configuration` says."),
  algorithms: withDefault('algorithms', z.array(z.enum(algorithms)).min(1), 'Signature algorithms that are accepted.'),
  authorizer: withDefault(
    'authorizer',
    z.enum(['kubernetes', 'roles']),
    "Who decides: `kubernetes` (the cluster's RBAC) or `roles` (`<project>:ROLE_USER` in the token).",
  ),
  userClaim: withDefault('userClaim', claim, 'Claim with the name of the user; dots lead into objects.'),
  userPrefix: withDefault('userPrefix', prefix, 'What user names from tokens begin with in the cluster.'),
  groupsClaim: withDefault('groupsClaim', claim, 'Claim with the groups; dots lead into objects.'),
  groupPrefix: withDefault('groupPrefix', prefix, 'What group names from tokens begin with in the cluster.'),
  rolesClaim: withDefault('rolesClaim', claim, 'Claim with the roles, for the authorizer `roles`.'),
  clockToleranceSeconds: withDefault(
    'clockToleranceSeconds',
    z.number().min(0).max(60),
    "How far the issuer's clock may be ahead of ours, in seconds.",
  ),
});

/** Half a sign-in would be none, so what is missing is a problem as soon as anything is set. */
export const authConfig = settings
  .check(({ value, issues }) => {
    if (Object.keys(value).length === 0) return;
    for (const key of ['issuer', 'audience'] as const) {
      if (value[key] !== undefined) continue;
      const message = 'is required as soon as any setting of `auth` is given';
      issues.push({ code: 'custom', input: value, path: [key], message });
    }
  })
  .transform(({ issuer, audience, ...rest }): AuthConfig => {
    const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    return issuer === undefined || audience === undefined ? null : { ...defaults, ...given, issuer, audience };
  });

/** null: no sign-in. */
export type AuthConfig = SignInConfig | null;

export interface SignInConfig {
  issuer: string;
  audience: readonly string[];
  jwksUri?: string;
  algorithms: readonly (typeof algorithms)[number][];
  authorizer: 'kubernetes' | 'roles';
  userClaim: string;
  userPrefix: string;
  groupsClaim: string;
  groupPrefix: string;
  rolesClaim: string;
  clockToleranceSeconds: number;
}
