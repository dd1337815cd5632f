import { z } from 'zod';
import type { AnyModule } from '../../module.ts';

const text = { type: 'string' };
const flag = { type: 'boolean' };
const count = { type: 'integer', minimum: 1 };
const port = { type: 'integer', minimum: 1, maximum: 65535 };
const texts = { type: 'array', items: text };
const anyObject = { type: 'object' };
const anyObjects = { type: 'array', items: anyObject };

function object(properties: Record<string, unknown>): Record<string, unknown> {
  return { type: 'object', additionalProperties: false, properties };
}

/** What the chart takes: JSON Schema, with the configuration of each module as the module itself describes it. */
export function chartValuesSchema(modules: readonly AnyModule[]): string {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...object({
      global: anyObject,
      config: configSchema(modules),
      historySecret: object({ name: text, invokeKey: text, healthKey: text }),
      image: object({
        repository: { type: 'string', minLength: 1 },
        tag: text,
        digest: { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' },
        pullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
      }),
      imagePullSecrets: anyObjects,
      replicas: count,
      autoscaling: object({
        enabled: flag,
        minReplicas: count,
        maxReplicas: count,
        targetCPUUtilizationPercentage: { type: 'integer', minimum: 1, maximum: 100 },
      }),
      podDisruptionBudget: object({ enabled: flag }),
      allowedHosts: texts,
      allowedOrigins: texts,
      namespaces: texts,
      namespace: text,
      logLevel: { enum: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] },
      drainMs: { type: 'integer', minimum: 0, maximum: 8000 },
      extraEnv: anyObjects,
      service: object({ type: { enum: ['ClusterIP', 'NodePort', 'LoadBalancer'] }, port, annotations: anyObject }),
      httpRoute: object({ enabled: flag, parentRefs: anyObjects, hostnames: texts }),
      metrics: object({ serviceMonitor: object({ enabled: flag, interval: text, labels: anyObject }) }),
      networkPolicy: object({
        enabled: flag,
        ingressFrom: anyObjects,
        metricsFrom: anyObjects,
        callableNamespaces: anyObject,
        extraEgress: anyObjects,
      }),
      rbac: object({ create: flag, extraRules: anyObjects, extraClusterRules: anyObjects }),
      serviceAccount: object({ create: flag, name: text, annotations: anyObject }),
      resources: anyObject,
      priorityClassName: text,
      podLabels: anyObject,
      podAnnotations: anyObject,
      nodeSelector: anyObject,
      tolerations: anyObjects,
      affinity: anyObject,
      nameOverride: text,
      fullnameOverride: text,
    }),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** Modules of others may have keys of their own. */
function configSchema(modules: readonly AnyModule[]): Record<string, unknown> {
  const own = modules.flatMap(({ name, config }) => {
    if (!(config instanceof z.ZodType)) return [];
    const { $schema: _, ...schema } = z.toJSONSchema(config, { io: 'input', unrepresentable: 'any' });
    return [[name, name === 'auth' ? withUnset(schema) : schema] as const];
  });
  return {
    type: 'object',
    required: ['modules'],
    properties: { modules: { type: 'array', items: text, minItems: 1 }, ...Object.fromEntries(own) },
  };
}

/** The chart's own defaults for these are empty: what is missing is said in plain words when it is rendered. */
function withUnset(schema: Record<string, unknown>): Record<string, unknown> {
  const properties = { ...(schema['properties'] as Record<string, unknown>) };
  properties['issuer'] = text;
  properties['audience'] = texts;
  return { ...schema, properties };
}
