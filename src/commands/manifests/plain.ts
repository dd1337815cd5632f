import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import { clusterRole, clusterRoleBinding, distinctRules, roleBinding } from './access.ts';
import { networkPolicy } from './network.ts';
import type { ModuleRules } from './roles.ts';
import type { Site } from './site.ts';
import type { Fields } from './template.ts';
import { configMap, deployment, disruptionBudget, service, serviceAccount } from './workload.ts';

export interface Installation {
  name: string;
  namespace: string;
  image: string;
  version: string;
  replicas: number;
  /** The namespaces that are watched; undefined: all. */
  namespaces: readonly string[] | undefined;
  /** The configuration file. */
  config: Readonly<Record<string, unknown>>;
  /** Variables with their values. */
  environment: Readonly<Record<string, string>>;
  /** Variables whose values are keys of the Secret with the installation's name. */
  secrets: Readonly<Record<string, string>>;
  rules: readonly ModuleRules[];
}

/** Everything that `kubectl apply` needs, in order. */
export function plainManifests(installation: Installation): Fields[] {
  const { namespace, namespaces, rules } = installation;
  const site = plainSite(installation);
  const rulesIn = (scope: 'cluster' | 'namespaced') => distinctRules(rules.flatMap((one) => one[scope]));
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    },
    serviceAccount(site),
    clusterRole(site, '', rulesIn('namespaced')),
    ...(namespaces?.map((one) => roleBinding(site, one)) ?? [clusterRoleBinding(site, '')]),
    clusterRole(site, '-cluster', rulesIn('cluster')),
    clusterRoleBinding(site, '-cluster'),
    configMap(site),
    networkPolicy(site),
    service(site),
    disruptionBudget(site),
    deployment(site),
  ];
}

function plainSite(installation: Installation): Site {
  const { name, namespace, image, version, replicas, config, environment, secrets } = installation;
  const selector = { 'app.kubernetes.io/name': 'slipway', 'app.kubernetes.io/instance': name };
  const text = stringify(config);
  return {
    named: (suffix = '') => name + suffix,
    namespace,
    labels: { ...selector, 'app.kubernetes.io/version': version },
    selector,
    image,
    pullPolicy: 'IfNotPresent',
    serviceAccount: name,
    replicas,
    config: text,
    configHash: createHash('sha256').update(text).digest('hex'),
    environment: [
      ...Object.entries(environment).map(([variable, value]) => ({ name: variable, value })),
      ...Object.entries(secrets).map(([variable, key]) => ({
        name: variable,
        valueFrom: { secretKeyRef: { name, key } },
      })),
    ],
    resources: { requests: { cpu: '100m', memory: '192Mi' }, limits: { cpu: '1', memory: '512Mi' } },
    service: { type: 'ClusterIP', port: 80 },
    callable: {},
  };
}
