import type { PolicyRule } from '../../module.ts';
import { clusterRole, clusterRoleBinding, roleBinding } from './access.ts';
import { networkPolicy } from './network.ts';
import type { ModuleRules } from './roles.ts';
import type { Site } from './site.ts';
import { Expression, type Fields, type Node, Optional, When, renderTemplate } from './template.ts';
import { configMap, deployment, disruptionBudget, metadata, service, serviceAccount } from './workload.ts';

/** The rules of all modules, by who decides about callers. */
export interface ChartRules {
  kubernetes: readonly ModuleRules[];
  roles: readonly ModuleRules[];
}

const value = (path: string) => new Expression(`$.Values.${path}`);
const quotedValue = (path: string) => new Expression(`$.Values.${path} | quote`);
const optional = (path: string) => new Optional(`$.Values.${path}`);
const fullName = 'include "slipway.fullname" $';

/** The templates of the chart by file name: the same objects as `slipway manifests` prints, with the chart's values. */
export function chartTemplates(rules: ChartRules): Record<string, string> {
  return {
    'serviceaccount.yaml': when('$.Values.serviceAccount.create', serviceAccount(site)),
    'rbac.yaml': when('$.Values.rbac.create', ...roles(rules)),
    'configmap.yaml': documents(configMap(site)),
    'networkpolicy.yaml': when('$.Values.networkPolicy.enabled', networkPolicy(site)),
    'service.yaml': documents(service(site)),
    'poddisruptionbudget.yaml': when('$.Values.podDisruptionBudget.enabled', disruptionBudget(site)),
    'deployment.yaml': `{{- include "slipway.checks" $ }}\n${documents(deployment(site))}`,
    'horizontalpodautoscaler.yaml': when('$.Values.autoscaling.enabled', autoscaler),
    'servicemonitor.yaml': when('$.Values.metrics.serviceMonitor.enabled', metricsService, serviceMonitor),
    'httproute.yaml': when('$.Values.httpRoute.enabled', httpRoute),
  };
}

function documents(...objects: Fields[]): string {
  return objects.map(renderTemplate).join('---\n');
}

function when(condition: string, ...objects: (Fields | string)[]): string {
  const texts = objects.map((object) => (typeof object === 'string' ? object : renderTemplate(object)));
  return `{{- if ${condition} }}\n${texts.join('---\n')}{{- end }}\n`;
}

const selector: Fields = {
  'app.kubernetes.io/name': new Expression('include "slipway.name" $'),
  'app.kubernetes.io/instance': new Expression('$.Release.Name'),
};

const site: Site = {
  named: (suffix = '') => new Expression(suffix ? `printf "%s${suffix}" (${fullName})` : fullName),
  namespace: new Expression('$.Release.Namespace'),
  labels: {
    ...selector,
    'app.kubernetes.io/version': new Expression('$.Chart.AppVersion | quote'),
    'app.kubernetes.io/managed-by': new Expression('$.Release.Service'),
    'helm.sh/chart': new Expression('printf "%s-%s" $.Chart.Name $.Chart.Version'),
  },
  selector,
  image: new Expression('include "slipway.image" $ | quote'),
  pullPolicy: value('image.pullPolicy'),
  pullSecrets: optional('imagePullSecrets'),
  serviceAccount: new Expression('include "slipway.serviceAccountName" $'),
  serviceAccountAnnotations: optional('serviceAccount.annotations'),
  replicas: new When('not $.Values.autoscaling.enabled', value('replicas')),
  config: new Expression('toYaml $.Values.config | quote'),
  configHash: new Expression('toYaml $.Values.config | sha256sum'),
  environment: [
    { name: 'SLIPWAY_ALLOWED_HOSTS', value: new Expression('include "slipway.allowedHosts" $ | quote') },
    { name: 'SLIPWAY_LOG_LEVEL', value: quotedValue('logLevel') },
    { name: 'SLIPWAY_DRAIN_MS', value: quotedValue('drainMs') },
    setIf('allowedOrigins', 'SLIPWAY_ALLOWED_ORIGINS', 'join "," $.Values.allowedOrigins | quote'),
    setIf('namespaces', 'SLIPWAY_NAMESPACES', 'join "," $.Values.namespaces | quote'),
    setIf('namespace', 'SLIPWAY_NAMESPACE', '$.Values.namespace | quote'),
    new When('$.Values.historySecret.name', ['invoke', 'health'].map(history)),
    optional('extraEnv'),
  ],
  podLabels: optional('podLabels'),
  podAnnotations: optional('podAnnotations'),
  resources: optional('resources'),
  nodeSelector: optional('nodeSelector'),
  tolerations: optional('tolerations'),
  affinity: optional('affinity'),
  priorityClass: new When('$.Values.priorityClassName', quotedValue('priorityClassName')),
  service: { type: value('service.type'), port: value('service.port'), annotations: optional('service.annotations') },
  ingressFrom: optional('networkPolicy.ingressFrom'),
  metricsFrom: optional('networkPolicy.metricsFrom'),
  extraEgress: optional('networkPolicy.extraEgress'),
  callable: new Expression('toJson $.Values.networkPolicy.callableNamespaces'),
};

function setIf(path: string, name: string, text: string): Node {
  return new When(`$.Values.${path}`, { name, value: new Expression(text) });
}

function history(module: string): Node {
  const secretKeyRef = { name: quotedValue('historySecret.name'), key: quotedValue(`historySecret.${module}Key`) };
  const name = `SLIPWAY_${module.toUpperCase()}_HISTORY_URL`;
  return { name, valueFrom: { secretKeyRef } };
}

function roles(rules: ChartRules): (Fields | string)[] {
  const everywhere = clusterRoleBinding(site, '');
  const each = roleBinding(site, new Expression('.'));
  return [
    clusterRole(site, '', [...chartRules(rules, 'namespaced'), optional('rbac.extraRules')]),
    [
      '{{- range $.Values.namespaces }}',
      `${renderTemplate(each)}---`,
      '{{- else }}',
      `${renderTemplate(everywhere)}{{- end }}\n`,
    ].join('\n'),
    clusterRole(site, '-cluster', [...chartRules(rules, 'cluster'), optional('rbac.extraClusterRules')]),
    clusterRoleBinding(site, '-cluster'),
  ];
}

/** Each module's rules where it is enabled; what depends on who decides about callers, under that condition. */
function chartRules(rules: ChartRules, scope: 'cluster' | 'namespaced'): Node[] {
  const modules = [...new Set([...rules.kubernetes, ...rules.roles].map(({ module }) => module))];
  const byRoles = 'eq (dig "auth" "authorizer" "kubernetes" $.Values.config) "roles"';
  return modules.flatMap((module) => {
    const of = (all: readonly ModuleRules[]) => all.find((one) => one.module === module)?.[scope] ?? [];
    const [kubernetes, own] = [of(rules.kubernetes), of(rules.roles)];
    const enabled = `has ${JSON.stringify(module)} $.Values.config.modules`;
    return [
      ...under(enabled, common(kubernetes, own)),
      ...under(`and (${enabled}) (not (${byRoles}))`, without(kubernetes, own)),
      ...under(`and (${enabled}) (${byRoles})`, without(own, kubernetes)),
    ];
  });
}

function under(condition: string, rules: readonly PolicyRule[]): Node[] {
  return rules.length === 0
    ? []
    : [
        new When(
          condition,
          rules.map((rule) => ({ ...rule })),
        ),
      ];
}

const same = (one: PolicyRule) => (other: PolicyRule) => JSON.stringify(one) === JSON.stringify(other);
const common = (a: readonly PolicyRule[], b: readonly PolicyRule[]) => a.filter((rule) => b.some(same(rule)));
const without = (a: readonly PolicyRule[], b: readonly PolicyRule[]) => a.filter((rule) => !b.some(same(rule)));

/** The rest is of the chart only: a cluster may have nobody who measures, scrapes or routes. */
const autoscaler: Fields = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: metadata(site),
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: site.named() },
    minReplicas: value('autoscaling.minReplicas'),
    maxReplicas: value('autoscaling.maxReplicas'),
    metrics: [
      {
        type: 'Resource',
        resource: {
          name: 'cpu',
          target: { type: 'Utilization', averageUtilization: value('autoscaling.targetCPUUtilizationPercentage') },
        },
      },
    ],
  },
};

const metricsLabels: Fields = { ...site.labels, 'app.kubernetes.io/component': 'metrics' };

const metricsService: Fields = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { ...metadata(site, '-metrics'), labels: metricsLabels },
  spec: { clusterIP: 'None', selector, ports: [{ name: 'metrics', port: 9464, targetPort: 'metrics' }] },
};

const serviceMonitor: Fields = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'ServiceMonitor',
  metadata: { ...metadata(site), labels: { ...site.labels, '...own': optional('metrics.serviceMonitor.labels') } },
  spec: {
    selector: { matchLabels: { ...selector, 'app.kubernetes.io/component': 'metrics' } },
    endpoints: [{ port: 'metrics', interval: quotedValue('metrics.serviceMonitor.interval') }],
  },
};

const httpRoute: Fields = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: metadata(site),
  spec: {
    parentRefs: optional('httpRoute.parentRefs'),
    hostnames: optional('httpRoute.hostnames'),
    rules: [{ backendRefs: [{ name: site.named(), port: value('service.port') }] }],
  },
};
