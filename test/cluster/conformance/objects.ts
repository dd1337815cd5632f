import type { Deployment, HTTPRoute, Pod, SecurityPolicy, Service } from '../../../src/k8s/resources.ts';

/** Objects as small as the API server takes them. */

export function configMap(name: string, data: Record<string, string> = { a: '1' }, metadata: object = {}) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data };
}

export function service(name: string, spec: Partial<Service['spec']> = {}, metadata: object = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, ...metadata },
    spec: { ports: [{ port: 80 }], ...spec },
  };
}

/** No scheduler takes it, so that nothing but the case changes it. */
export function pod(name: string, spec: Record<string, unknown> = {}, metadata: object = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: { schedulerName: 'nobody', containers: [{ name: 'main', image: 'web:1' }], ...spec } as Pod['spec'],
  };
}

/** Zero replicas, so that a cluster with controllers starts nothing. */
export function deployment(name: string, spec: Partial<Deployment['spec']> = {}, metadata: object = {}) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, ...metadata },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', image: 'web:1' }] },
      },
      ...spec,
    },
  };
}

export function httpRoute(name: string, spec: HTTPRoute['spec'] | Record<string, unknown> = {}, metadata: object = {}) {
  return { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute', metadata: { name, ...metadata }, spec };
}

const target = { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: 'web' };

export function securityPolicy(
  name: string,
  spec: Partial<SecurityPolicy['spec']> | Record<string, unknown> = {},
  metadata: object = {},
) {
  return {
    apiVersion: 'gateway.envoyproxy.io/v1alpha1',
    kind: 'SecurityPolicy',
    metadata: { name, ...metadata },
    spec: { targetRefs: [target], ...spec },
  };
}
