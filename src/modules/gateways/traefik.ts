import type { JsonPatchOperation } from '../../k8s/cluster.ts';
import { apiVersionOf, type Middleware, middlewares, type Secret } from '../../k8s/resources.ts';
import { anyHashFault, type Fault, parseHtpasswd } from './htpasswd.ts';
import { policyNameOf } from './names.ts';
import type { GatewayAuth, PolicyBackend } from './service.ts';

/** The parts of a Middleware that ask callers for something. Each Middleware has one part. */
const authParts = ['basicAuth', 'digestAuth', 'forwardAuth'] as const;

/** Middlewares that only change requests protect nothing, and are none of our business. */
export const protects = ({ spec }: Middleware): boolean => authParts.some((part) => part in spec);

/** The service never needs the password, so it does not get it. */
const basicAuth = (secret: string) => ({ secret, removeHeader: true });

function policy(route: { name: string; namespace: string }, auth: GatewayAuth): Middleware | null {
  if (auth.kind !== 'BASIC') return null;
  return {
    apiVersion: apiVersionOf(middlewares),
    kind: middlewares.kind,
    metadata: { name: policyNameOf(route.name), namespace: route.namespace },
    spec: { basicAuth: basicAuth(auth.secretName) },
  };
}

function read({ spec }: Middleware): GatewayAuth | { kind: 'OTHER' } {
  if (!protects({ spec } as Middleware)) return { kind: 'NONE' };
  const secretName = spec.basicAuth?.secret;
  const others = Object.keys(spec).filter((part) => part !== 'basicAuth');
  return secretName && others.length === 0 ? { kind: 'BASIC', secretName } : { kind: 'OTHER' };
}

function change({ spec }: Middleware, auth: GatewayAuth): JsonPatchOperation[] | null {
  if (auth.kind !== 'BASIC') return null;
  const value = { ...spec.basicAuth, ...basicAuth(auth.secretName) };
  return [{ op: 'replace', path: '/spec', value: { basicAuth: value } }];
}

function secretsOf({ metadata, spec }: Middleware): { namespace: string; name: string }[] {
  const name = spec.basicAuth?.secret;
  return name ? [{ namespace: metadata.namespace ?? '', name }] : [];
}

function secretProblem({ data = {}, type = 'Opaque' }: Secret): Fault | null {
  const [entry, ...others] = Object.values(data);
  if (type !== 'Opaque') {
    return { reason: 'SECRET_WRONG_TYPE', message: `Its type is ${type}; it must be Opaque.` };
  }
  if (entry === undefined || entry === '') return { reason: 'SECRET_EMPTY', message: 'It has no users.' };
  if (others.length > 0) {
    return { reason: 'SECRET_MIXED', message: 'It has several entries; Traefik takes Secrets with exactly one.' };
  }
  return parseHtpasswd(Buffer.from(entry, 'base64').toString('utf8'), anyHashFault).fault;
}

/**
 * Traefik's Middleware, which a filter of the route names: a route whose Middleware is gone answers 500. Its open-source
 * edition has neither API keys nor JWT.
 */
export const traefik: PolicyBackend<Middleware> = {
  name: 'traefik',
  controllers: ['traefik.io/gateway-controller'],
  kinds: ['BASIC'],
  resource: middlewares,
  policy,
  filter: (name) => ({
    type: 'ExtensionRef',
    extensionRef: { group: middlewares.group, kind: middlewares.kind, name },
  }),
  read,
  change,
  secretsOf,
  secretProblem,
};
