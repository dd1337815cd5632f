import type { Condition, Gateway, GatewayClass, HTTPRoute, SecurityPolicy } from '../../../src/k8s/resources.ts';
import { envoyGateway } from '../../../src/modules/gateways/envoy-gateway.ts';
import type { ParentLookup } from '../../../src/modules/gateways/parents.ts';
import type { GatewayView, PolicyBackend } from '../../../src/modules/gateways/service.ts';
import { gatewayView, type ViewSources } from '../../../src/modules/gateways/view.ts';

export const now = Date.UTC(2026, 0, 1);
const times = (seconds: number): string => new Date(now - seconds * 1000).toISOString();

export const condition = (type: string, status: Condition['status'], more: Partial<Condition> = {}): Condition => ({
  type,
  status,
  observedGeneration: 1,
  ...more,
});
export const accepted = [condition('Accepted', 'True'), condition('ResolvedRefs', 'True')];

export interface RouteOptions {
  auth?: string | null;
  /** Seconds since it was made. */
  age?: number;
  conditions?: Condition[] | null;
  deleting?: boolean;
  parents?: { name: string; namespace?: string; sectionName?: string }[];
  labels?: Record<string, string>;
}

export function route({ auth = 'none', age = 3600, conditions = accepted, ...more }: RouteOptions = {}): HTTPRoute {
  const parentRefs = more.parents ?? [{ name: 'edge', namespace: 'infra' }];
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: {
      name: 'shop',
      namespace: 'lab',
      uid: 'route-1',
      generation: 1,
      creationTimestamp: times(age),
      labels: more.labels ?? { 'app.kubernetes.io/managed-by': 'slipway' },
      ...(auth !== null && { annotations: { 'slipway.dev/auth': auth } }),
      ...(more.deleting && { deletionTimestamp: times(0) }),
    },
    spec: {
      parentRefs,
      hostnames: ['shop.services.example.org'],
      rules: [{ matches: [{ path: { type: 'PathPrefix', value: '/v1' } }], backendRefs: [{ name: 'shop', port: 80 }] }],
    },
    ...(conditions && {
      status: {
        parents: parentRefs.map((parentRef) => ({ parentRef, controllerName: 'x', conditions })),
      },
    }),
  };
}

export interface PolicyOptions {
  name?: string;
  age?: number;
  conditions?: Condition[] | null;
  target?: string;
  spec?: Partial<SecurityPolicy['spec']>;
  namespace?: string;
}

export function policy(options: PolicyOptions = {}): SecurityPolicy {
  const { name = 'shop-sp', age = 3600, conditions = [condition('Accepted', 'True')], target = 'shop' } = options;
  return {
    apiVersion: 'gateway.envoyproxy.io/v1alpha1',
    kind: 'SecurityPolicy',
    metadata: {
      name,
      namespace: options.namespace ?? 'lab',
      uid: `policy-${name}`,
      generation: 1,
      creationTimestamp: times(age),
    },
    spec: options.spec ?? {
      targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: target }],
      basicAuth: { users: { name: 'users' } },
    },
    ...(conditions && {
      status: {
        ancestors: [{ ancestorRef: { name: 'edge', namespace: 'infra' }, controllerName: 'x', conditions }],
      },
    }),
  };
}

export const toRoute = [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: 'shop' }];

export function gateway(more: Partial<Gateway['spec']> = {}, conditions = [condition('Programmed', 'True')]): Gateway {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'edge', namespace: 'infra', uid: 'gateway-1', generation: 1 },
    spec: {
      gatewayClassName: 'eg',
      listeners: [
        {
          name: 'https',
          port: 443,
          protocol: 'HTTPS',
          hostname: '*.services.example.org',
          allowedRoutes: { namespaces: { from: 'All' } },
        },
      ],
      ...more,
    },
    status: { conditions },
  };
}

export const gatewayClass: GatewayClass = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'GatewayClass',
  metadata: { name: 'eg' },
  spec: { controllerName: 'gateway.envoyproxy.io/gatewayclass-controller' },
};

const reader: Pick<PolicyBackend, 'read'> = envoyGateway;

/** The view of a route with these policies in its namespace and this Gateway. */
export function viewOf(
  object: HTTPRoute,
  attached: SecurityPolicy[],
  { parent = gateway(), ...more }: Partial<ViewSources> & { parent?: Gateway | null } = {},
): GatewayView {
  const parents: ParentLookup = {
    gateway: (namespace, name) => (parent && name === 'edge' && namespace === 'infra' ? parent : undefined),
    gatewayClass: () => gatewayClass,
    watches: (namespace) => namespace !== 'far',
    namespaceLabels: () => ({}),
    embedded: null,
  };
  return gatewayView(object, {
    parents,
    attached,
    policiesIn: (namespace) => (namespace === 'lab' ? attached : []),
    policiesKnown: true,
    read: (policy) => reader.read(policy),
    runOf: () => undefined,
    wasProtected: false,
    opensAt: null,
    now,
    ...more,
  });
}
