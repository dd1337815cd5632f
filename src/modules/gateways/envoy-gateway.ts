import type { JsonPatchOperation } from '../../k8s/cluster.ts';
import { apiVersionOf, httpRoutes, type Secret, type SecurityPolicy, securityPolicies } from '../../k8s/resources.ts';
import { type Fault, maxPrincipals, parseHtpasswd } from './htpasswd.ts';
import { policyNameOf } from './names.ts';
import type { GatewayAuth, PolicyBackend } from './service.ts';

export const htpasswdKey = '.htpasswd';

type PolicySpec = SecurityPolicy['spec'];

/** The parts of a SecurityPolicy that say who may call; everything else in it is somebody else's business. */
const authParts = ['basicAuth', 'apiKeyAuth', 'jwt', 'oidc', 'extAuth'] as const;

/** The auth part of a SecurityPolicy for what was asked. */
function specPart(auth: Exclude<GatewayAuth, { kind: 'NONE' }>): Partial<PolicySpec> {
  if (auth.kind === 'BASIC') return { basicAuth: { users: { name: auth.secretName } } };
  if (auth.kind === 'API_KEY') {
    return {
      apiKeyAuth: {
        credentialRefs: [{ name: auth.secretName }],
        extractFrom: [{ headers: [auth.headerName] }],
        sanitize: true,
      },
    };
  }
  return {
    jwt: {
      providers: [
        {
          name: 'default',
          issuer: auth.issuer,
          ...(auth.audiences.length > 0 && { audiences: auth.audiences }),
          remoteJWKS: { uri: auth.jwksUri },
          // Said out loud: by default Envoy also takes an access_token from the query, which ends up in logs.
          extractFrom: { headers: [{ name: 'Authorization', valuePrefix: 'Bearer ' }] },
          ...(auth.claimToHeaders.length > 0 && { claimToHeaders: auth.claimToHeaders }),
        },
      ],
    },
  };
}

function policy(route: { name: string; namespace: string }, auth: GatewayAuth): SecurityPolicy | null {
  if (auth.kind === 'NONE') return null;
  return {
    apiVersion: apiVersionOf(securityPolicies),
    kind: securityPolicies.kind,
    metadata: { name: policyNameOf(route.name), namespace: route.namespace },
    spec: {
      targetRefs: [{ group: httpRoutes.group, kind: httpRoutes.kind, name: route.name }],
      ...specPart(auth),
    },
  };
}

/** OTHER for whatever would be lost or weakened if it were shown as one of our kinds. */
function read({ spec }: SecurityPolicy): GatewayAuth | { kind: 'OTHER' } {
  const parts = authParts.filter((part) => part in spec);
  if (parts.length === 0) return { kind: 'authorization' in spec ? 'OTHER' : 'NONE' };
  if (parts.length > 1) return { kind: 'OTHER' };
  if (spec.basicAuth) return readBasic(spec.basicAuth);
  if (spec.apiKeyAuth) return readApiKey(spec.apiKeyAuth);
  if (spec.jwt) return readJwt(spec.jwt);
  return { kind: 'OTHER' };
}

function readBasic({ users }: NonNullable<PolicySpec['basicAuth']>): GatewayAuth | { kind: 'OTHER' } {
  return users.namespace === undefined ? { kind: 'BASIC', secretName: users.name } : { kind: 'OTHER' };
}

function readApiKey(part: NonNullable<PolicySpec['apiKeyAuth']>): GatewayAuth | { kind: 'OTHER' } {
  const [secret, ...otherSecrets] = part.credentialRefs;
  const [source, ...otherSources] = part.extractFrom;
  const headerName = source?.headers?.[0];
  const simple =
    otherSecrets.length === 0 && otherSources.length === 0 && source?.headers?.length === 1 && !secret?.namespace;
  if (!simple || !secret || headerName === undefined) return { kind: 'OTHER' };
  return { kind: 'API_KEY', secretName: secret.name, headerName };
}

function readJwt({ providers, ...rest }: NonNullable<PolicySpec['jwt']>): GatewayAuth | { kind: 'OTHER' } {
  const [provider, ...others] = providers;
  // `optional` and its like let requests without a token pass: whoever asked for tokens is not protected.
  if (Object.values(rest).some(Boolean)) return { kind: 'NONE' };
  const jwksUri = provider?.remoteJWKS?.uri;
  if (!provider || jwksUri === undefined || others.length > 0) return { kind: 'OTHER' };
  return {
    kind: 'JWT',
    jwksUri,
    issuer: provider.issuer ?? '',
    audiences: provider.audiences ?? [],
    claimToHeaders: (provider.claimToHeaders ?? []).map(({ claim, header }) => ({ claim, header })),
  };
}

function secretProblem(secret: Secret, kind: 'BASIC' | 'API_KEY'): Fault | null {
  const data = secret.data ?? {};
  if (kind === 'BASIC') {
    const value = data[htpasswdKey];
    if (value === undefined || value === '') {
      const instead = Object.keys(data).find((key) => ['auth', 'htpasswd', 'users'].includes(key));
      const hint = instead ? ` Its entry "${instead}" must be renamed to it.` : '';
      return { reason: 'SECRET_KEY_MISSING', message: `It needs an entry named "${htpasswdKey}".${hint}` };
    }
    return parseHtpasswd(Buffer.from(value, 'base64').toString('utf8')).fault;
  }
  return keysFault(secret, data);
}

/** Every entry of such a Secret becomes a client with its value as the key. */
function keysFault(secret: Secret, data: Record<string, string>): Fault | null {
  const entries = Object.entries(data);
  if (entries.length === 0)
    return { reason: 'SECRET_EMPTY', message: 'It has no entries: each is a client and its key.' };
  if (entries.length > maxPrincipals)
    return { reason: 'SECRET_TOO_LARGE', message: `It has over ${maxPrincipals} clients.` };
  if (secret.type !== undefined && secret.type !== 'Opaque') {
    return { reason: 'SECRET_WRONG_TYPE', message: `Its type is ${secret.type}; it must be Opaque.` };
  }
  if ((secret.metadata.ownerReferences ?? []).length > 0 || htpasswdKey in data) {
    const message = 'It serves something else: every entry in it would become an API key. Use a Secret of its own.';
    return { reason: 'SECRET_MIXED', message };
  }
  const seen = new Set<string>();
  for (const [client, encoded] of entries) {
    const key = Buffer.from(encoded, 'base64').toString('utf8');
    const malformed = (message: string): Fault => ({
      reason: 'SECRET_MALFORMED',
      message: `Client "${client}": ${message}`,
    });
    if (key === '') return malformed('its key is empty.');
    if (!/^[\x21-\x7e]+$/.test(key)) {
      return malformed('its key has a blank, a line end or a control character, and would never match.');
    }
    if (seen.has(key)) return malformed('another client has the same key.');
    seen.add(key);
  }
  return null;
}

/** Of the same kind of protection only what was asked for changes: headers that others have set up stay. */
function mergedPart(policy: SecurityPolicy, auth: Exclude<GatewayAuth, { kind: 'NONE' }>): Partial<PolicySpec> {
  const made = specPart(auth);
  if (read(policy).kind !== auth.kind) return made;
  const { basicAuth, apiKeyAuth, jwt } = policy.spec;
  const [provider] = jwt?.providers ?? [];
  const [wanted] = made.jwt?.providers ?? [];
  if (made.basicAuth) return { basicAuth: { ...basicAuth, ...made.basicAuth } };
  if (made.apiKeyAuth) return { apiKeyAuth: { ...apiKeyAuth, ...made.apiKeyAuth } };
  if (!provider || !wanted) return made;
  const { audiences: _, claimToHeaders: __, ...kept } = provider;
  const { name: ___, extractFrom: ____, remoteJWKS, ...rest } = wanted;
  return { jwt: { providers: [{ ...kept, ...rest, remoteJWKS: { ...kept.remoteJWKS, uri: remoteJWKS?.uri ?? '' } }] } };
}

function change(policy: SecurityPolicy, auth: GatewayAuth): JsonPatchOperation[] | null {
  const targets = ['targetRef', 'targetRefs', 'targetSelectors'];
  const isAuth = (part: string) => (authParts as readonly string[]).includes(part);
  // A policy that does more than ask for credentials goes on doing that.
  const rest = Object.keys(policy.spec).filter((part) => !isAuth(part) && !targets.includes(part));
  if (auth.kind === 'NONE' && rest.length === 0) return null;
  const wanted: Record<string, unknown> = auth.kind === 'NONE' ? {} : mergedPart(policy, auth);
  return authParts.flatMap((part): JsonPatchOperation[] => {
    if (wanted[part] !== undefined) return [{ op: 'add', path: `/spec/${part}`, value: wanted[part] }];
    return part in policy.spec ? [{ op: 'remove', path: `/spec/${part}` }] : [];
  });
}

function secretsOf({ metadata, spec }: SecurityPolicy): { namespace: string; name: string }[] {
  const references = [...(spec.basicAuth ? [spec.basicAuth.users] : []), ...(spec.apiKeyAuth?.credentialRefs ?? [])];
  return references.map(({ name, namespace = metadata.namespace ?? '' }) => ({ namespace, name }));
}

/** Envoy Gateway's SecurityPolicy; the embedded gateway enforces the same objects. */
export const envoyGateway: PolicyBackend<SecurityPolicy> = {
  name: 'envoy-gateway',
  controllers: ['gateway.envoyproxy.io/gatewayclass-controller', 'slipway.dev/gateway-controller'],
  kinds: ['BASIC', 'API_KEY', 'JWT'],
  resource: securityPolicies,
  // Of a kind that is one filter for all, the route says the rest; and a listener that lacks the provider of a token refuses it.
  checksPer: (kind) => (kind === 'API_KEY' || kind === 'JWT' ? 'KIND' : 'POLICY'),
  policy,
  read,
  change,
  secretsOf,
  secretProblem,
};
