import { type Access, type Caller, type Place, type Scope, type Verb, everything, fullAccess } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { toSlipwayError } from './api-error.ts';
import type { KubeClient } from './cluster.ts';
import type { KubeObject, Resource } from './resources.ts';

/** authorization.k8s.io/v1 SubjectAccessReview. */
interface SubjectAccessReview extends KubeObject {
  spec: { user: string; groups: string[]; resourceAttributes: Right & { namespace?: string } };
  status?: { allowed?: boolean; denied?: boolean };
}

const reviews: Resource<SubjectAccessReview> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  namespaced: false,
};

interface Right {
  verb: string;
  group: string;
  resource: string;
  subresource?: string;
}

const deployments = { group: 'apps', resource: 'deployments' };

/** What each verb asks of the cluster's RBAC: all of the rights, or any of them. */
const rights: Record<Verb, { every?: Right[]; some?: Right[] }> = {
  see: {
    every: [
      { verb: 'get', ...deployments },
      { verb: 'list', ...deployments },
    ],
  },
  logs: { every: [{ verb: 'get', group: '', resource: 'pods', subresource: 'log' }] },
  invoke: { every: [{ verb: 'create', group: '', resource: 'services', subresource: 'proxy' }] },
  act: {
    some: [
      { verb: 'update', ...deployments },
      { verb: 'delete', ...deployments },
    ],
  },
  expose: {
    every: [
      { verb: 'create', group: 'gateway.networking.k8s.io', resource: 'httproutes' },
      { verb: 'create', group: 'gateway.envoyproxy.io', resource: 'securitypolicies' },
    ],
  },
  secrets: { every: [{ verb: 'list', group: '', resource: 'secrets' }] },
};

const allowMs = 30_000;
const denyMs = 5_000;
const rememberedDecisions = 50_000;
const reviewsAtOnce = 16;

export interface ReviewedAccessOptions {
  /** Acts with our own identity, which may create SubjectAccessReviews. */
  client: KubeClient;
  /** The namespaces that exist as far as we know: a scope is decided for each of them. */
  namespaces: () => Iterable<string>;
  clock: Clock;
  /** Of every question that was put to the cluster. */
  onReview?: (answer: 'allowed' | 'denied' | 'failed') => void;
}

interface Decision {
  allowed: Promise<boolean>;
  /** Infinity while the cluster is being asked: everybody waits for the same answer. */
  until: number;
}

/**
 * Callers' rights by the cluster's own RBAC, one SubjectAccessReview for each user, right and namespace. No decision, no
 * access: while the cluster can't be asked, what is not remembered rejects with UNAVAILABLE or TIMEOUT.
 */
export function createReviewedAccess({
  client,
  namespaces,
  clock,
  onReview,
}: ReviewedAccessOptions): (caller: Caller) => Access {
  const decisions = new Map<string, Decision>();

  function decide(caller: Caller, right: Right, namespace: string): Promise<boolean> {
    const { user, groups } = subjectOf(caller);
    const key = JSON.stringify([user, groups, Object.values(right), namespace]);
    const known = decisions.get(key);
    if (known && known.until > clock.now()) return known.allowed;
    const decision: Decision = { allowed: review(user, groups, right, namespace), until: Number.POSITIVE_INFINITY };
    decisions.delete(key);
    decisions.set(key, decision);
    forgetOldest(decisions);
    decision.allowed.then(
      (allowed) => {
        decision.until = clock.now() + (allowed ? allowMs : denyMs);
      },
      () => {
        if (decisions.get(key) === decision) decisions.delete(key);
      },
    );
    return decision.allowed;
  }

  async function review(user: string, groups: string[], right: Right, namespace: string): Promise<boolean> {
    try {
      const { status } = await client.create(reviews, {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        metadata: { name: '' },
        spec: { user, groups, resourceAttributes: { ...right, ...(namespace && { namespace }) } },
      });
      const allowed = status?.allowed === true && status.denied !== true;
      onReview?.(allowed ? 'allowed' : 'denied');
      return allowed;
    } catch (error) {
      onReview?.('failed');
      throw toSlipwayError(error, { own: true });
    }
  }

  /** `namespace` '' asks for all of them at once. */
  async function may(caller: Caller, verb: Verb, namespace: string): Promise<boolean> {
    const { every = [], some } = rights[verb];
    const ask = (right: Right) => decide(caller, right, namespace);
    if (some) return (await Promise.all(some.map(ask))).includes(true);
    return !(await Promise.all(every.map(ask))).includes(false);
  }

  async function scope(caller: Caller, verb: Verb): Promise<Scope> {
    if (await may(caller, verb, '')) return everything;
    const known = [...new Set(namespaces())].sort();
    const allowed: string[] = [];
    for (let start = 0; start < known.length; start += reviewsAtOnce) {
      const batch = known.slice(start, start + reviewsAtOnce);
      const answers = await Promise.all(batch.map((namespace) => may(caller, verb, namespace)));
      allowed.push(...batch.filter((_, index) => answers[index]));
    }
    return scopeOf(allowed);
  }

  return (caller) => {
    if (caller.local) return fullAccess;
    const scopes = new Map<Verb, Promise<Scope>>();
    return {
      scope(verb) {
        const present = scopes.get(verb) ?? scope(caller, verb);
        scopes.set(verb, present);
        return present;
      },
      allows: async (verb, place) => (await may(caller, verb, place.namespace)) || may(caller, verb, ''),
    };
  };
}

function scopeOf(allowed: readonly string[]): Scope {
  const included = new Set(allowed);
  return { key: JSON.stringify(allowed), includes: ({ namespace }: Place) => included.has(namespace) };
}

/** As the API server sees the caller when we impersonate: it adds the groups that everybody is in. */
function subjectOf({ name, groups, anonymous }: Caller): { user: string; groups: string[] } {
  if (anonymous) return { user: 'system:anonymous', groups: ['system:unauthenticated'] };
  return { user: name, groups: [...new Set([...groups, 'system:authenticated'])].sort() };
}

function forgetOldest(decisions: Map<string, Decision>): void {
  if (decisions.size <= rememberedDecisions) return;
  for (const key of decisions.keys()) {
    decisions.delete(key);
    return;
  }
}
