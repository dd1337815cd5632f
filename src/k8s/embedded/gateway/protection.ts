import type { Clock } from '../../../clock.ts';
import type { JwtProvider, Secret, SecurityPolicy } from '../../resources.ts';
import { collectClients, createApiKeyGuard } from './auth/api-key.ts';
import { createBasicGuard, parseHtpasswd } from './auth/basic.ts';
import { allGuards, brokenGuard, type Guard } from './auth/guard.ts';
import type { KeySets } from './auth/jwks.ts';
import { createJwtGuard, type JwtIssuer } from './auth/jwt.ts';
import { type GatewayState, isPermitted } from './state.ts';

type Spec = SecurityPolicy['spec'];

/** A policy made enforceable. With a problem it refuses everything: broken protection never means none. */
export interface Protection {
  guard: Guard;
  problem: string | null;
}

export interface ProtectionParts {
  state: GatewayState;
  keySets: KeySets;
  clock: Clock;
}

const targetFields = new Set(['targetRef', 'targetRefs', 'targetSelectors']);

/** Several kinds in one policy must all be met, as in Envoy. A policy of no kind lets everybody in: it is the opt-out. */
export function compilePolicy(policy: SecurityPolicy, parts: ProtectionParts): Protection {
  const { basicAuth, apiKeyAuth, jwt, ...others } = policy.spec;
  const guards: Guard[] = [];
  const problems: string[] = [];
  const add = (kind: string, build: () => Guard) => {
    try {
      guards.push(build());
    } catch (error) {
      problems.push(`${kind}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  for (const field of Object.keys(others)) {
    if (!targetFields.has(field)) problems.push(`the embedded gateway does not support ${field}`);
  }
  if (basicAuth) add('BasicAuth', () => basicGuard(policy, basicAuth, parts));
  if (apiKeyAuth) add('APIKeyAuth', () => apiKeyGuard(policy, apiKeyAuth, parts));
  if (jwt) add('JWT', () => jwtGuard(policy, jwt, parts));
  return problems.length === 0
    ? { guard: allGuards(guards), problem: null }
    : { guard: brokenGuard, problem: problems.join('\n') };
}

function basicGuard(policy: SecurityPolicy, auth: NonNullable<Spec['basicAuth']>, { state }: ProtectionParts): Guard {
  const secret = referencedSecret(state, policy, auth.users);
  const text = Buffer.from(secret.data?.['.htpasswd'] ?? '', 'base64').toString('utf8');
  if (text === '') {
    throw new Error(
      `secret ${secret.metadata.namespace}/${secret.metadata.name} must contain a non-empty ".htpasswd" key`,
    );
  }
  return createBasicGuard(parseHtpasswd(text), auth.forwardUsernameHeader);
}

function apiKeyGuard(policy: SecurityPolicy, auth: NonNullable<Spec['apiKeyAuth']>, { state }: ProtectionParts): Guard {
  for (const { headers, params, cookies } of auth.extractFrom) {
    if ([headers, params, cookies].filter((source) => source?.length).length !== 1) {
      throw new Error('only one of headers, params or cookies must be specified');
    }
  }
  if (auth.extractFrom.length === 0) throw new Error('extractFrom must name where the API key is');
  const entries = auth.credentialRefs.map((ref) => {
    const secret = referencedSecret(state, policy, ref);
    return Object.fromEntries(
      Object.entries(secret.data ?? {}).map(([client, key]) => [client, Buffer.from(key, 'base64').toString('latin1')]),
    );
  });
  return createApiKeyGuard(collectClients(entries), auth);
}

function referencedSecret(
  state: GatewayState,
  policy: SecurityPolicy,
  ref: { name: string; namespace?: string; group?: string; kind?: string },
): Secret {
  const own = policy.metadata.namespace ?? '';
  const namespace = ref.namespace ?? own;
  if ((ref.group ?? '') !== '') throw new Error('secret ref group must be unspecified/empty');
  if ((ref.kind ?? 'Secret') !== 'Secret') throw new Error('secret ref kind must be Secret');
  const from = { group: 'gateway.envoyproxy.io', kind: 'SecurityPolicy', namespace: own };
  if (!isPermitted(state, { from, to: { group: '', kind: 'Secret', namespace, name: ref.name } })) {
    throw new Error(`ref to Secret ${namespace}/${ref.name} not permitted by any ReferenceGrant`);
  }
  const secret = state.secret(namespace, ref.name);
  if (!secret) throw new Error(`secret ${namespace}/${ref.name} does not exist`);
  return secret;
}

function jwtGuard(policy: SecurityPolicy, jwt: NonNullable<Spec['jwt']>, parts: ProtectionParts): Guard {
  const { providers, optional = false, ...others } = jwt;
  for (const [field, value] of Object.entries(others)) {
    if (value !== false) throw new Error(`the embedded gateway does not support ${field}`);
  }
  if (!providers?.length) throw new Error('there is no provider');
  if (new Set(providers.map(({ name }) => name)).size < providers.length)
    throw new Error('provider names must be unique');
  return createJwtGuard(
    providers.map((provider) => issuer(policy, provider, parts)),
    optional,
    parts.clock,
  );
}

function issuer(policy: SecurityPolicy, provider: JwtProvider, { state, keySets }: ProtectionParts): JwtIssuer {
  const { name, remoteJWKS, localJWKS } = provider;
  checkProvider(provider);
  if (remoteJWKS) {
    if ('backendRefs' in remoteJWKS)
      throw new Error('the embedded gateway does not support backendRefs of a remote JWKS');
    return { provider, keys: keySets.remote(remoteJWKS) };
  }
  if (localJWKS?.type === 'ValueRef') {
    return { provider, keys: keySets.local(jwksOfConfigMap(state, policy, localJWKS.valueRef?.name)) };
  }
  if (localJWKS?.inline === undefined)
    throw new Error(`inline JWKS must be set for local JWKS provider: ${name} if type is Inline`);
  return { provider, keys: keySets.local(localJWKS.inline) };
}

function checkProvider({ name, issuer, remoteJWKS, localJWKS, claimToHeaders, recomputeRoute }: JwtProvider): void {
  if (!name) throw new Error('jwt provider cannot be an empty string');
  if (issuer?.includes(':') && !URL.canParse(issuer)) {
    throw new Error("invalid issuer; when issuer contains ':' character, it MUST be a valid URI");
  }
  if ((remoteJWKS === undefined) === (localJWKS === undefined)) {
    throw new Error(`either remoteJWKS or localJWKS must be specified for jwt provider: ${name}`);
  }
  if (remoteJWKS && !/^https?:\/\/[^/]/.test(remoteJWKS.uri ?? '')) {
    throw new Error(`invalid remote JWKS URI: ${JSON.stringify(remoteJWKS.uri ?? '')}`);
  }
  if (remoteJWKS && !URL.canParse(remoteJWKS.uri)) throw new Error('invalid remote JWKS URI');
  if (recomputeRoute) throw new Error('the embedded gateway does not support recomputeRoute');
  for (const { claim, header } of claimToHeaders ?? []) {
    if (!header) throw new Error(`header must be set for claimToHeader provider: ${name}`);
    if (!claim) throw new Error(`claim must be set for claimToHeader provider: ${name}`);
  }
}

function jwksOfConfigMap(state: GatewayState, policy: SecurityPolicy, name: string | undefined): string {
  const namespace = policy.metadata.namespace ?? '';
  const configMap = name === undefined ? undefined : state.configMap(namespace, name);
  if (!configMap) throw new Error(`local JWKS ConfigMap ${namespace}/${name} not found`);
  const text = configMap.data?.['jwks'] ?? Object.values(configMap.data ?? {})[0];
  if (text === undefined) throw new Error(`JWKS data not found in ConfigMap ${namespace}/${name}`);
  return text;
}
