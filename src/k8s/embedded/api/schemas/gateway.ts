import {
  anything,
  defaulted,
  int32,
  limited,
  list,
  listMap,
  map,
  required,
  type Rule,
  ruled,
  string,
  struct,
} from '../schema.ts';
import { labelSelector, objectMeta } from './meta.ts';
import {
  atLeast,
  atMost,
  conditions,
  controllerName,
  group,
  hostname,
  hostnamePattern,
  kind,
  namespaceName,
  objectName,
  oneOf,
  portNumber,
  secretReference,
  sectionName,
  waiting,
} from './references.ts';

interface Listener {
  name: string;
  port: number;
  protocol: string;
  hostname?: string;
  tls?: { mode?: string; certificateRefs?: unknown[]; options?: object };
}

const sameNamespace = { from: 'Same' };

const routeGroupKind = struct('gateway.v1.RouteGroupKind', {
  group: defaulted(group, 'gateway.networking.k8s.io'),
  kind: required(kind),
});

const allowedRoutes = struct('gateway.v1.AllowedRoutes', {
  namespaces: defaulted(
    struct('gateway.v1.RouteNamespaces', {
      from: defaulted(oneOf('All', 'Selector', 'Same'), 'Same'),
      selector: labelSelector,
    }),
    sameNamespace,
  ),
  kinds: atMost(8, list(routeGroupKind)),
});

const tls = ruled(
  struct('gateway.v1.ListenerTLSConfig', {
    mode: defaulted(oneOf('Terminate', 'Passthrough'), 'Terminate'),
    certificateRefs: atMost(64, list(secretReference)),
    options: map(limited(string, { maxLength: 4096 })),
  }),
  {
    message: 'certificateRefs or options must be specified when mode is Terminate',
    holds({ mode, certificateRefs, options }: NonNullable<Listener['tls']>) {
      if (mode !== 'Terminate' || Object.keys(options ?? {}).length > 0) return true;
      return certificateRefs ? certificateRefs.length > 0 : 'no such key: certificateRefs';
    },
  },
);

const protocol = limited(string, {
  minLength: 1,
  maxLength: 255,
  pattern:
    '^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\\/[A-Za-z0-9]+$',
});

const listener = struct('gateway.v1.Listener', {
  name: required(sectionName),
  hostname,
  port: required(portNumber),
  protocol: required(protocol),
  tls,
  allowedRoutes: defaulted(allowedRoutes, { namespaces: sameNamespace }),
});

function eachListener(message: string, holds: (listener: Listener) => boolean): Rule {
  return { message, holds: (self: readonly Listener[]) => self.every(holds) };
}

const listeners = ruled(
  atLeast(1, atMost(64, listMap(listener, ['name']))),
  eachListener(
    "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']",
    (each) => !['HTTP', 'TCP', 'UDP'].includes(each.protocol) || each.tls === undefined,
  ),
  eachListener(
    'tls mode must be Terminate for protocol HTTPS',
    (each) => each.protocol !== 'HTTPS' || !each.tls || !each.tls.mode || each.tls.mode === 'Terminate',
  ),
  eachListener('tls mode must be set for protocol TLS', (each) => each.protocol !== 'TLS' || Boolean(each.tls?.mode)),
  eachListener(
    "hostname must not be specified for protocols ['TCP', 'UDP']",
    (each) => !['TCP', 'UDP'].includes(each.protocol) || !each.hostname,
  ),
  {
    message: 'Listener name must be unique within the Gateway',
    holds: (self: readonly Listener[]) => new Set(self.map(({ name }) => name)).size === self.length,
  },
  {
    message: 'Combination of port, protocol and hostname must be unique for each listener',
    holds: (self: readonly Listener[]) =>
      new Set(self.map((each) => JSON.stringify([each.port, each.protocol, each.hostname ?? null]))).size ===
      self.length,
  },
);

interface Address {
  type?: string;
  value?: string;
}

const address = ruled(
  struct('gateway.v1.GatewayAddress', {
    type: defaulted(limited(string, { minLength: 1, maxLength: 253 }), 'IPAddress'),
    value: limited(string, { maxLength: 253 }),
  }),
  {
    message: `Hostname value must be empty or contain only valid characters (matching ${hostnamePattern})`,
    holds: (self: Address) =>
      self.type !== 'Hostname' || !self.value || new RegExp(hostnamePattern, 'u').test(self.value),
  },
);

const addresses = ruled(
  atMost(16, list(address)),
  ...['IPAddress', 'Hostname'].map(
    (type): Rule => ({
      message: `${type} values must be unique`,
      holds: (self: readonly Address[]) => {
        const values = self.filter((each) => each.type === type && each.value !== undefined).map(({ value }) => value);
        return new Set(values).size === values.length;
      },
    }),
  ),
);

const listenerStatus = struct('gateway.v1.ListenerStatus', {
  name: required(sectionName),
  supportedKinds: atMost(8, list(routeGroupKind)),
  attachedRoutes: required(int32),
  conditions: required(conditions),
});

export const gateway = struct('gateway.v1.Gateway', {
  metadata: objectMeta,
  spec: required(
    struct('gateway.v1.GatewaySpec', {
      gatewayClassName: required(objectName),
      listeners: required(listeners),
      addresses,
      infrastructure: anything,
      allowedListeners: anything,
      tls: anything,
    }),
  ),
  status: defaulted(
    struct('gateway.v1.GatewayStatus', {
      addresses: atMost(16, list(address)),
      attachedListenerSets: int32,
      conditions: defaulted(conditions, waiting('Accepted', 'Programmed')),
      listeners: atMost(64, listMap(listenerStatus, ['name'])),
    }),
    { conditions: waiting('Accepted', 'Programmed') },
  ),
});

export const gatewayClass = struct('gateway.v1.GatewayClass', {
  metadata: objectMeta,
  spec: required(
    struct('gateway.v1.GatewayClassSpec', {
      controllerName: required(controllerName),
      parametersRef: struct('gateway.v1.ParametersReference', {
        group: required(group),
        kind: required(kind),
        name: required(objectName),
        namespace: namespaceName,
      }),
      description: limited(string, { maxLength: 64 }),
    }),
  ),
  status: defaulted(
    struct('gateway.v1.GatewayClassStatus', {
      conditions: defaulted(conditions, waiting('Accepted')),
      supportedFeatures: atMost(
        64,
        listMap(struct('gateway.v1.SupportedFeature', { name: required(string) }), ['name']),
      ),
    }),
    { conditions: waiting('Accepted') },
  ),
});

export const referenceGrant = struct('gateway.v1beta1.ReferenceGrant', {
  metadata: objectMeta,
  spec: required(
    struct('gateway.v1beta1.ReferenceGrantSpec', {
      from: required(
        atLeast(
          1,
          atMost(
            16,
            list(
              struct('gateway.v1beta1.ReferenceGrantFrom', {
                group: required(group),
                kind: required(kind),
                namespace: required(namespaceName),
              }),
            ),
          ),
        ),
      ),
      to: required(
        atLeast(
          1,
          atMost(
            16,
            list(
              struct('gateway.v1beta1.ReferenceGrantTo', {
                group: required(group),
                kind: required(kind),
                name: objectName,
              }),
            ),
          ),
        ),
      ),
    }),
  ),
});
