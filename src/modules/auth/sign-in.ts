import type { Auth } from '../../auth.ts';
import { BootError } from '../../boot-error.ts';
import type { Access, Caller } from '../../caller.ts';
import { SlipwayError } from '../../errors.ts';
import { createReviewedAccess } from '../../k8s/access.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import { deployments, httpRoutes, services } from '../../k8s/resources.ts';
import type { Host, Refs } from '../../module.ts';
import type { Metrics } from '../metrics/service.ts';
import { bearerToken, notValid } from './bearer.ts';
import { identityOf } from './claims.ts';
import { type SignInConfig, isPlain } from './config.ts';
import { createKeys } from './keys.ts';
import { createProvider } from './provider.ts';
import { createRoleAccess } from './roles.ts';
import { createTokenVerifier } from './token.ts';

type Parts = Pick<
  Host<SignInConfig, Refs, Refs>,
  'config' | 'cluster' | 'clock' | 'log' | 'signal' | 'onStop' | 'ready'
> & {
  metrics: Metrics | undefined;
};

/** Callers by their access tokens. */
export function createSignIn(parts: Parts): Auth {
  const { config, cluster, clock, log, signal, onStop, ready, metrics } = parts;
  checkAddresses(config, cluster);
  const { issuer, jwksUri, authorizer } = config;
  const provider = createProvider({ issuer, jwksUri, plain: isPlain(issuer), clock, signal });
  const keys = createKeys({ fetchKeys: () => provider.fetchKeys(), clock, log, random: Math.random });
  onStop(async () => {
    keys.stop();
    await provider.stop();
  });
  ready(() => keys.problem);
  if (cluster.mode === 'EMBEDDED' && authorizer === 'kubernetes') {
    log.warn('the embedded cluster has no RBAC: everybody who signs in may do everything, also run local programs');
  }
  const count = metrics?.counter({
    name: 'slipway_sign_ins_total',
    help: 'Access tokens that were shown, by what became of them.',
    labels: { result: ['accepted', 'refused', 'unavailable'] },
  });
  const verify = createTokenVerifier(config, keys.find, clock);
  return {
    signIn: true,
    access: accessBy(parts),
    async authenticate(headers, connectionParams) {
      const token = bearerToken(headers, connectionParams);
      try {
        const { payload, expiresAt } = await verify(token);
        const { name, groups, roles } = identityOf(payload, config);
        count?.({ result: 'accepted' });
        const how = authorizer === 'roles' ? { roles, ownIdentity: true } : {};
        return { name, groups, anonymous: false, local: false, expiresAt, ...how };
      } catch (error) {
        const unavailable = error instanceof SlipwayError;
        count?.({ result: unavailable ? 'unavailable' : 'refused' });
        if (unavailable) throw error;
        // The error itself may carry the claims.
        log.debug({ reason: reasonOf(error) }, 'an access token was refused');
        throw notValid();
      }
    },
  };
}

/** jose's code, or our own words. */
function reasonOf(error: unknown): string {
  const { code, name, message } = error as { code?: unknown; name?: unknown; message?: unknown };
  return String(code ?? (name === 'TokenRefusal' ? message : name));
}

function accessBy({ config, cluster, clock, signal, metrics }: Parts): (caller: Caller) => Access {
  const { client, watchedNamespaces } = cluster;
  if (config.authorizer === 'roles') {
    const namespaces = cluster.mode === 'EMBEDDED' ? watchedNamespaces : (watchedNamespaces ?? [cluster.namespace]);
    return createRoleAccess(namespaces);
  }
  const namespaces = () => watchedNamespaces ?? inhabited(cluster);
  const count = metrics?.counter({
    name: 'slipway_access_reviews_total',
    help: "Questions about callers' rights that were put to the cluster.",
    labels: { answer: ['allowed', 'denied', 'failed'] },
  });
  return createReviewedAccess({ client, namespaces, clock, signal, onReview: (answer) => count?.({ answer }) });
}

/** Where there is anything a caller could see: no other namespace is worth a question. */
function inhabited(cluster: Cluster): Iterable<string> {
  return [deployments, services, httpRoutes].flatMap((resource) => [...cluster.namespacesOf(resource)]);
}

/** Who listens on the way could hand out keys of their own, so the way must be https, or not leave this machine. */
function checkAddresses({ issuer, jwksUri }: SignInConfig, { mode }: Cluster): void {
  const plain = Object.entries({ ISSUER: issuer, JWKS_URI: jwksUri }).filter(([, url]) => url && isPlain(url));
  if (mode === 'EMBEDDED' || plain.length === 0) return;
  throw new BootError(
    plain.map(([name]) => ({
      module: 'auth',
      field: `SLIPWAY_AUTH_${name}`,
      message: 'must be an https URL: plain http on loopback is for the embedded cluster.',
      remedy: `Set SLIPWAY_AUTH_${name} to the https address of the identity provider.`,
    })),
  );
}
