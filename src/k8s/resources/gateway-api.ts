import { type Condition, type KubeObject, type LabelSelector, resource } from './kinds.ts';

export interface ParentReference {
  group?: string;
  kind?: string;
  namespace?: string;
  name: string;
  sectionName?: string;
  port?: number;
}

export interface HTTPRouteMatch {
  path?: { type?: 'Exact' | 'PathPrefix' | 'RegularExpression'; value?: string };
  headers?: { type?: 'Exact' | 'RegularExpression'; name: string; value: string }[];
  queryParams?: { type?: 'Exact' | 'RegularExpression'; name: string; value: string }[];
  method?: string;
}

export interface HTTPRouteFilter {
  type: string;
  urlRewrite?: {
    hostname?: string;
    path?: { type: 'ReplaceFullPath' | 'ReplacePrefixMatch'; replaceFullPath?: string; replacePrefixMatch?: string };
  };
  requestHeaderModifier?: HeaderModifier;
  responseHeaderModifier?: HeaderModifier;
  requestRedirect?: Record<string, unknown>;
  requestMirror?: Record<string, unknown>;
  extensionRef?: { group: string; kind: string; name: string };
}

export interface HeaderModifier {
  set?: { name: string; value: string }[];
  add?: { name: string; value: string }[];
  remove?: string[];
}

export interface BackendRef {
  group?: string;
  kind?: string;
  namespace?: string;
  name: string;
  port?: number;
  weight?: number;
  filters?: HTTPRouteFilter[];
}

export interface HTTPRouteRule {
  name?: string;
  matches?: HTTPRouteMatch[];
  filters?: HTTPRouteFilter[];
  backendRefs?: BackendRef[];
  timeouts?: { request?: string; backendRequest?: string };
}

export interface RouteParentStatus {
  parentRef: ParentReference;
  controllerName: string;
  conditions?: Condition[];
}

/** gateway.networking.k8s.io/v1 HTTPRoute. */
export interface HTTPRoute extends KubeObject {
  spec: { parentRefs?: ParentReference[]; hostnames?: string[]; rules?: HTTPRouteRule[] };
  status?: { parents?: RouteParentStatus[] };
}

export interface GatewayListener {
  name: string;
  hostname?: string;
  port: number;
  protocol: string;
  tls?: Record<string, unknown>;
  allowedRoutes?: {
    namespaces?: { from?: 'All' | 'Same' | 'Selector' | 'None'; selector?: LabelSelector };
    kinds?: { group?: string; kind: string }[];
  };
}

/** Further settings, in a kind of the implementation. */
export interface ParametersReference {
  group: string;
  kind: string;
  name: string;
}

/** gateway.networking.k8s.io/v1 Gateway. */
export interface Gateway extends KubeObject {
  spec: {
    gatewayClassName: string;
    listeners: GatewayListener[];
    addresses?: { type?: string; value?: string }[];
    infrastructure?: { parametersRef?: ParametersReference };
  };
  status?: {
    addresses?: { type?: string; value: string }[];
    conditions?: Condition[];
    listeners?: {
      name: string;
      attachedRoutes?: number;
      supportedKinds?: { group?: string; kind: string }[];
      conditions?: Condition[];
    }[];
  };
}

/** gateway.networking.k8s.io/v1 GatewayClass. */
export interface GatewayClass extends KubeObject {
  spec: {
    controllerName: string;
    description?: string;
    parametersRef?: ParametersReference & { namespace?: string };
  };
  status?: { conditions?: Condition[] };
}

/** gateway.networking.k8s.io/v1beta1 ReferenceGrant. */
export interface ReferenceGrant extends KubeObject {
  spec: {
    from: { group: string; kind: string; namespace: string }[];
    to: { group: string; kind: string; name?: string }[];
  };
}

export const httpRoutes = resource<HTTPRoute>('gateway.networking.k8s.io', 'v1', 'HTTPRoute', 'httproutes');

export const gateways = resource<Gateway>('gateway.networking.k8s.io', 'v1', 'Gateway', 'gateways');

export const gatewayClasses = resource<GatewayClass>(
  'gateway.networking.k8s.io',
  'v1',
  'GatewayClass',
  'gatewayclasses',
  false,
);

export const referenceGrants = resource<ReferenceGrant>(
  'gateway.networking.k8s.io',
  'v1beta1',
  'ReferenceGrant',
  'referencegrants',
);
