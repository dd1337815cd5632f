import type { Expression, Fields, Node, Optional, When } from './template.ts';

export type Text = string | Expression;

/**
 * All that differs from one installation to another. `slipway manifests` fills in values, the chart expressions: so both
 * say the same of everything else.
 */
export interface Site {
  /** Of every object; roles and the like have it as the beginning of their names. */
  named(suffix?: string): Text;
  namespace: Text;
  labels: Fields;
  selector: Fields;
  image: Text;
  pullPolicy: Text;
  pullSecrets?: Optional;
  serviceAccount: Text;
  serviceAccountAnnotations?: Optional;
  /** Left to the autoscaler where there is one. */
  replicas: number | Expression | When;
  /** The configuration file, as YAML. */
  config: Text;
  configHash: Text;
  /** Besides those that are the same everywhere. */
  environment: readonly Node[];
  podLabels?: Optional;
  podAnnotations?: Optional;
  resources: Fields | Optional;
  nodeSelector?: Optional;
  tolerations?: Optional;
  affinity?: Optional;
  priorityClass?: Optional | When;
  service: { type: Text; port: number | Expression; annotations?: Optional };
  /** Who may reach which port; none: anybody. */
  ingressFrom?: Optional;
  metricsFrom?: Optional;
  extraEgress?: Optional;
  /** Namespaces whose services may be called. */
  callable: Fields | Expression;
}
