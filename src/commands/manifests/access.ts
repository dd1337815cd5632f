import type { PolicyRule } from '../../module.ts';
import { metadata } from './workload.ts';
import type { Site, Text } from './site.ts';
import type { Fields, Node } from './template.ts';

const rbac = 'rbac.authorization.k8s.io';

/** The two roles: for kinds in namespaces, and for those without. `rules` gives what stands in them. */
export function clusterRole(site: Site, suffix: string, rules: Node): Fields {
  return { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: clusterMetadata(site, suffix), rules };
}

export function clusterRoleBinding(site: Site, suffix: string): Fields {
  return {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: clusterMetadata(site, suffix),
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: site.named(suffix) },
    subjects: subjects(site),
  };
}

/** In one watched namespace. */
export function roleBinding(site: Site, namespace: Text): Fields {
  return {
    apiVersion: `${rbac}/v1`,
    kind: 'RoleBinding',
    metadata: { ...metadata(site), namespace },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: site.named() },
    subjects: subjects(site),
  };
}

function clusterMetadata(site: Site, suffix: string): Fields {
  return { name: site.named(suffix), labels: site.labels };
}

function subjects(site: Site): Node[] {
  return [{ kind: 'ServiceAccount', name: site.serviceAccount, namespace: site.namespace }];
}

/** The same rule asked for by several modules stands there once. */
export function distinctRules(rules: readonly PolicyRule[]): Fields[] {
  const distinct = new Map(rules.map((rule) => [JSON.stringify(rule), { ...rule }]));
  return [...distinct.values()];
}
