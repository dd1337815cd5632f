import type { KubeObject } from '../../k8s/resources.ts';

export const managedByLabel = 'app.kubernetes.io/managed-by';
export const createdByLabel = 'app.kubernetes.io/created-by';

/** What was asked for: `none`, `basic`, `apiKey` or `jwt`. UNPROTECTED is judged by it. */
export const authAnnotation = 'slipway.dev/auth';
/** On a policy whose route is not there yet: when its creation began, RFC 3339. */
export const pendingAnnotation = 'slipway.dev/pending';
/** Hashes of idempotency key and input, `<key>.<input>`. */
export const idempotencyAnnotation = 'slipway.dev/idempotency';

/** The name that DigitalHub's own manager gives to a route's policy. */
export const policyNameOf = (route: string): string => `${route}-sp`;

/** The route that a policy of this name was made for. */
export const routeNameOf = (policy: string): string => policy.replace(/-sp$/, '');

/** Made by Slipway or by the platform's own manager. */
export function ownedByPlatform(object: KubeObject): boolean {
  const labels = object.metadata.labels ?? {};
  return labels[managedByLabel] === 'slipway' || labels[createdByLabel] === 'krm';
}

/** One DNS-1123 label: what names of gateways must be, since they flow into labels and derived names. */
export const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** DNS-1123 subdomain: what Kubernetes takes as the name of a Secret. */
export function isSubdomain(name: string): boolean {
  return name.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name);
}

/** The project of the service behind a route, for the time when the service is gone. */
export const projectLabel = 'slipway.dev/project';
