import { createHash } from 'node:crypto';
import { type Access, type Caller, type Place, type Scope, type Verb, everything, fullAccess } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { toSlipwayError } from './api-error.ts';
import type { KubeClient } from './cluster.ts';
import { within } from './deadline.ts';
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
/** A cluster that takes longer has not decided. */
const decisionMs = 10_000;

export interface ReviewedAccessOptions {
  /** Acts with our own identity, which may create SubjectAccessReviews. */
  client: KubeClient;
  /** The namespaces that exist as far as we know: a scope is decided for each of them. */
  namespaces: () => Iterable<string>;
  clock: Clock;
  signal: AbortSignal;
  /** Of every question that was put to the cluster. */
  onReview?: (answer: 'allowed' | 'denied' | 'failed') => void;
}

/** As the API server sees a caller. */
interface Subject {
  user: string;
  groups: string[];
  /** Equal for equal subjects, however many groups they have. */
  digest: string;
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
  signal,
  onReview,
}: ReviewedAccessOptions): (caller: Caller) => Access {
  const decisions = new Map<string, Decision>();

  function decide({ user, groups, digest }: Subject, right: Right, namespace: string): Promise<boolean> {
    const key = JSON.stringify([digest, Object.values(right), namespace]);
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
      const asked: SubjectAccessReview = {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        metadata: { name: '' },
        spec: { user, groups, resourceAttributes: { ...right, ...(namespace && { namespace }) } },
      };
      const { status } = await within({ clock, signal, ms: decisionMs }, (signal) =>
        client.create(reviews, asked, { signal }),
      );
      const allowed = status?.allowed === true && status.denied !== true;
      onReview?.(allowed ? 'allowed' : 'denied');
      return allowed;
    } catch (error) {
      onReview?.('failed');
      throw toSlipwayError(error, { own: true });
    }
  }

  /** `namespace` '' asks for all of them at once. */
  async function may(subject: Subject, verb: Verb, namespace: string): Promise<boolean> {
    const { every, some = [] } = rights[verb];
    // One after the other: mostly the first one decides.
    for (const right of every ?? some) {
      if ((await decide(subject, right, namespace)) !== (every !== undefined)) return every === undefined;
    }
    return every !== undefined;
  }

  async function scope(subject: Subject, verb: Verb): Promise<Scope> {
    if (await may(subject, verb, '')) return everything;
    const known = [...new Set(namespaces())].sort();
    const allowed: string[] = [];
    for (let start = 0; start < known.length; start += reviewsAtOnce) {
      const batch = known.slice(start, start + reviewsAtOnce);
      const answers = await Promise.all(batch.map((namespace) => may(subject, verb, namespace)));
      allowed.push(...batch.filter((_, index) => answers[index]));
    }
    return scopeOf(allowed);
  }

  return (caller) => {
    if (caller.local) return fullAccess;
    const subject = subjectOf(caller);
    const scopes = new Map<Verb, Promise<Scope>>();
    return {
      scope(verb) {
        const present = scopes.get(verb) ?? scope(subject, verb);
        scopes.set(verb, present);
        return present;
      },
      allows: async (verb, place) => (await may(subject, verb, place.namespace)) || may(subject, verb, ''),
    };
  };
}

function scopeOf(allowed: readonly string[]): Scope {
  const included = new Set(allowed);
  return { key: JSON.stringify(allowed), includes: ({ namespace }: Place) => included.has(namespace) };
}

/** What the API server makes of a caller whom we impersonate: it adds the groups that everybody is in. */
function subjectOf({ name, groups, anonymous }: Caller): Subject {
  const subject = anonymous
    ? { user: 'system:anonymous', groups: ['system:unauthenticated'] }
    : { user: name, groups: [...new Set([...groups, 'system:authenticated'])].sort() };
  const digest = createHash('sha256').update(JSON.stringify(subject)).digest('base64');
  return { ...subject, digest };
}

function forgetOldest(decisions: Map<string, Decision>): void {
  if (decisions.size <= rememberedDecisions) return;
  for (const key of decisions.keys()) {
    decisions.delete(key);
    return;
  }
}
