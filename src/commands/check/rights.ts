import { ApiError } from '../../k8s/api-error.ts';
import type { KubeClient } from '../../k8s/cluster.ts';
import type { KubeObject, Resource } from '../../k8s/resources.ts';
import type { Finding, PolicyRule } from '../../module.ts';
import { type ModuleRules, fullName } from '../manifests/roles.ts';

interface ResourceAttributes {
  verb: string;
  group: string;
  resource: string;
  subresource?: string;
  name?: string;
  namespace?: string;
}

/** authorization.k8s.io/v1 SelfSubjectAccessReview. */
interface SelfSubjectAccessReview extends KubeObject {
  spec: { resourceAttributes: ResourceAttributes };
  status?: { allowed?: boolean };
}

/** authentication.k8s.io/v1 SelfSubjectReview. */
interface SelfSubjectReview extends KubeObject {
  status?: { userInfo?: { username?: string } };
}

const accessReviews: Resource<SelfSubjectAccessReview> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  namespaced: false,
};
const selfReviews: Resource<SelfSubjectReview> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  namespaced: false,
};

/** Whom the API server takes us for; null where it does not tell (before 1.28). */
export async function whoAmI(client: KubeClient): Promise<string | null> {
  try {
    const { status } = await client.create(selfReviews, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'SelfSubjectReview',
      metadata: { name: '' },
    });
    return status?.userInfo?.username ?? null;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

interface Target {
  client: KubeClient;
  /** The watched ones; undefined: all. */
  namespaces: readonly string[] | undefined;
  /** Kinds that are not there: no right to them is missed. */
  absent: ReadonlySet<string>;
}

const atOnce = 8;

/** The rights that the modules declare and the identity has not. */
export async function missingRights(
  modules: readonly ModuleRules[],
  target: Target,
): Promise<(Finding & { module: string })[]> {
  const findings: (Finding & { module: string })[] = [];
  for (const { module, cluster, namespaced } of modules) {
    const everywhere = cluster.flatMap((rule) => attributesOf(rule, undefined));
    const within = namespaced.flatMap((rule) =>
      target.namespaces ? target.namespaces.flatMap((one) => attributesOf(rule, one)) : attributesOf(rule, undefined),
    );
    const wanted = [...everywhere, ...within].filter(
      ({ group, resource }) => !target.absent.has(fullName(group, resource)),
    );
    const denied = await deniedOf(wanted, target.client);
    if (denied.length > 0) findings.push({ module, message: `no right to ${describe(denied).join('; ')}.`, remedy });
  }
  return findings;
}

const remedy =
  'Apply what `slipway manifests` prints, or upgrade the Helm release: both grant what the modules declare.';

function attributesOf(rule: PolicyRule, namespace: string | undefined): ResourceAttributes[] {
  return rule.apiGroups.flatMap((group) =>
    rule.resources.flatMap((path) =>
      rule.verbs.flatMap((verb) =>
        (rule.resourceNames ?? [undefined]).map((name) => {
          const [resource = '', subresource] = path.split('/');
          return {
            ...{ verb, group, resource },
            ...(subresource !== undefined && { subresource }),
            ...(name !== undefined && { name }),
            ...(namespace !== undefined && { namespace }),
          };
        }),
      ),
    ),
  );
}

async function deniedOf(wanted: readonly ResourceAttributes[], client: KubeClient): Promise<ResourceAttributes[]> {
  const denied: ResourceAttributes[] = [];
  for (let start = 0; start < wanted.length; start += atOnce) {
    const batch = wanted.slice(start, start + atOnce);
    const answers = await Promise.all(batch.map((attributes) => isAllowed(attributes, client)));
    denied.push(...batch.filter((_, index) => !answers[index]));
  }
  return denied;
}

async function isAllowed(resourceAttributes: ResourceAttributes, client: KubeClient): Promise<boolean> {
  const { status } = await client.create(accessReviews, {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    metadata: { name: '' },
    spec: { resourceAttributes },
  });
  return status?.allowed === true;
}

/** One part for each kind and place. */
function describe(denied: readonly ResourceAttributes[]): string[] {
  const grouped = Map.groupBy(denied, ({ group, resource, subresource, name, namespace }) => {
    const kind = fullName(group, resource) + (subresource === undefined ? '' : `/${subresource}`);
    const which = name === undefined ? kind : `${kind} "${name}"`;
    return namespace === undefined ? which : `${which} in the namespace ${namespace}`;
  });
  return Array.from(grouped, ([what, rights]) => {
    const verbs = [...new Set(rights.map(({ verb }) => verb))].join(', ');
    return `${verbs} ${what}`;
  });
}
