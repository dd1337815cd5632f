import type { Core } from '../core.ts';
import { type Definition, groupVersionOf } from '../definition.ts';
import { accessReviewKinds } from './access-review.ts';

/** What kubectl asks first: which groups, versions and resources there are. */

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

interface ServedResource {
  group: string;
  version: string;
  name: string;
  singularName: string;
  namespaced: boolean;
  kind: string;
  verbs: readonly string[];
  shortNames?: readonly string[] | undefined;
  categories?: readonly string[] | undefined;
  subresources: readonly { name: string; kind: string; group?: string; version?: string; verbs: readonly string[] }[];
}

function servedResources(core: Core): ServedResource[] {
  return [...core.definitions.map(fromDefinition), ...accessReviewKinds.map(fromReview)];
}

function fromDefinition(definition: Definition): ServedResource {
  const { group, version, kind, plural, singular, namespaced, shortNames, categories } = definition;
  const change = ['get', 'patch', 'update'];
  return {
    group,
    version,
    kind,
    name: plural,
    singularName: singular,
    namespaced,
    verbs: definition.singleDelete ? verbs.filter((verb) => verb !== 'deletecollection') : verbs,
    shortNames,
    categories,
    subresources: [
      ...(definition.logs ? [{ name: 'log', kind, verbs: ['get'] }] : []),
      ...(definition.scale
        ? [{ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: change }]
        : []),
      ...(definition.statusSubresource ? [{ name: 'status', kind, verbs: change }] : []),
    ],
  };
}

function fromReview({ kind, plural }: (typeof accessReviewKinds)[number]): ServedResource {
  return {
    group: 'authorization.k8s.io',
    version: 'v1',
    kind,
    name: plural,
    singularName: kind.toLowerCase(),
    namespaced: false,
    verbs: ['create'],
    subresources: [],
  };
}

/** Named groups with their one version each, in the order of the kinds. */
function groupVersions(core: Core): { group: string; version: string }[] {
  const found = new Map<string, { group: string; version: string }>();
  for (const { group, version } of servedResources(core)) {
    if (group) found.set(groupVersionOf({ group, version }), { group, version });
  }
  return [...found.values()];
}

function apiGroup(core: Core, name: string) {
  const versions = groupVersions(core)
    .filter(({ group }) => group === name)
    .map(({ group, version }) => ({ groupVersion: groupVersionOf({ group, version }), version }));
  return { name, versions, preferredVersion: versions[0] };
}

function groupNames(core: Core): string[] {
  return [...new Set(groupVersions(core).map(({ group }) => group))];
}

function resourceList(core: Core, group: string, version: string) {
  const served = servedResources(core).filter((each) => each.group === group && each.version === version);
  if (served.length === 0) return undefined;
  const resources = served.flatMap((each) => [
    {
      name: each.name,
      singularName: each.singularName,
      namespaced: each.namespaced,
      kind: each.kind,
      verbs: each.verbs,
      shortNames: each.shortNames,
      categories: each.categories,
    },
    ...each.subresources.map((sub) => ({
      name: `${each.name}/${sub.name}`,
      singularName: '',
      namespaced: each.namespaced,
      ...(sub.group !== undefined && { group: sub.group, version: sub.version }),
      kind: sub.kind,
      verbs: sub.verbs,
    })),
  ]);
  const groupVersion = groupVersionOf({ group, version });
  // The list of the core group is older than this field.
  return { kind: 'APIResourceList', ...(group && { apiVersion: 'v1' }), groupVersion, resources };
}

/** apidiscovery.k8s.io/v2: everything in one answer. */
function aggregated(core: Core, named: boolean) {
  const groups = named ? groupVersions(core) : [{ group: '', version: 'v1' }];
  const names = [...new Set(groups.map(({ group }) => group))];
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: names.map((name) => ({
      metadata: { name },
      versions: groups
        .filter(({ group }) => group === name)
        .map(({ group, version }) => ({
          version,
          freshness: 'Current',
          resources: aggregatedResources(core, group, version),
        })),
    })),
  };
}

function aggregatedResources(core: Core, group: string, version: string) {
  return servedResources(core)
    .filter((each) => each.group === group && each.version === version)
    .map((each) => ({
      resource: each.name,
      responseKind: { group, version, kind: each.kind },
      scope: each.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: each.singularName,
      verbs: each.verbs,
      shortNames: each.shortNames,
      categories: each.categories,
      ...(each.subresources.length > 0 && {
        subresources: each.subresources.map((sub) => ({
          subresource: sub.name,
          responseKind: { group: sub.group ?? group, version: sub.version ?? version, kind: sub.kind },
          verbs: sub.verbs,
        })),
      }),
    }));
}

export const aggregatedType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

function wantsAggregated(accept: string | undefined): boolean {
  return (accept ?? '')
    .split(',')
    .map((clause) => clause.trim().split(';'))
    .some(
      ([type, ...rest]) =>
        type === 'application/json' && rest.includes('as=APIGroupDiscoveryList') && rest.includes('v=v2'),
    );
}

/** The answer to a discovery path; undefined when the path is none. */
export function discover(
  core: Core,
  path: string,
  accept: string | undefined,
): { body: unknown; type?: string } | undefined {
  const parts = path.replace(/\/$/, '').split('/').slice(1);
  const [root, ...rest] = parts;
  if (root === 'api' && rest.length === 0) {
    if (wantsAggregated(accept)) return { body: aggregated(core, false), type: aggregatedType };
    return { body: { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] } };
  }
  if (root === 'api' && rest.length === 1) return found(resourceList(core, '', rest[0] ?? ''));
  if (root !== 'apis') return undefined;
  if (rest.length === 0) {
    if (wantsAggregated(accept)) return { body: aggregated(core, true), type: aggregatedType };
    const groups = groupNames(core).map((name) => apiGroup(core, name));
    return { body: { kind: 'APIGroupList', apiVersion: 'v1', groups } };
  }
  const [group = '', version] = rest;
  if (rest.length === 1 && groupNames(core).includes(group)) {
    return { body: { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(core, group) } };
  }
  return rest.length === 2 ? found(resourceList(core, group, version ?? '')) : undefined;
}

function found(body: unknown): { body: unknown } | undefined {
  return body === undefined ? undefined : { body };
}
