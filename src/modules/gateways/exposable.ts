import { serviceRef } from '../../module.ts';
import type { Cluster } from '../../k8s/cluster.ts';
import {
  endpointSlices,
  type Gateway,
  type GatewayListener,
  gateways,
  type Service,
  type ServicePortSpec,
  services,
} from '../../k8s/resources.ts';
import type { Runs } from '../runs/service.ts';
import type { Backends } from './backends.ts';
import { controllerOf, gatewayReady, type ParentLookup } from './parents.ts';
import { refuseUnread } from './readable.ts';
import type { BackendName, GatewayAuthKind, ParentName } from './service.ts';
import { tcpPorts } from './targets.ts';

/** A Service that a gateway leads to, or could. */
export interface BackendView extends BackendName {
  project: string | null;
  labels: Readonly<Record<string, string>>;
  ports: readonly ServicePortSpec[];
  serviceRunId: string | null;
}

/** Gateway API's Gateway: what routes hang on. */
export interface ParentView {
  namespace: string;
  name: string;
  className: string;
  controller: string | null;
  authKinds: GatewayAuthKind[];
  listeners: readonly GatewayListener[];
  ready: boolean;
  default: boolean;
}

/** What can be exposed, and on what: from the caches. */
export interface Exposable {
  /** The Service behind a route's backend; without ports and labels when it is gone. */
  backend(name: BackendName): BackendView;
  /** Services that could be exposed. */
  backends(): BackendView[];
  /** Whether something behind a Service takes requests. */
  ready(backend: { namespace: string; service: string }): boolean;
  parent(name: Pick<ParentName, 'namespace' | 'name'>): ParentView | null;
  /** Sorted by namespace and name. */
  parents(): ParentView[];
}
export const Exposable = serviceRef<Exposable>('slipway.gateway-exposable');

interface Parts {
  cluster: Cluster;
  runs: Runs;
  parents: ParentLookup;
  backends: Backends;
  defaultParent: ParentName | null;
}

const serviceNameLabel = 'kubernetes.io/service-name';

/** Something that a route may lead to: it has a TCP port, and Pods of this cluster behind it. */
export const isExposable = (service: Service): boolean =>
  service.spec.type !== 'ExternalName' &&
  tcpPorts(service).length > 0 &&
  Object.keys(service.spec.selector ?? {}).length > 0;

export function createExposable({ cluster, runs, parents, backends, defaultParent }: Parts): Exposable {
  const cache = cluster.cache(services);
  const slicesOf = cluster.cache(endpointSlices).index('gateways.service', ({ metadata }) => {
    const name = metadata.labels?.[serviceNameLabel];
    return name === undefined ? [] : [`${metadata.namespace}/${name}`];
  });

  function view({ namespace, service, port }: BackendName, object: Service | undefined): BackendView {
    const run = runs.byService(namespace, service);
    return {
      namespace,
      service,
      port,
      project: run?.project ?? null,
      labels: object?.metadata.labels ?? {},
      ports: object?.spec.ports ?? [],
      serviceRunId: run?.id ?? null,
    };
  }

  function nameOf(service: Service): BackendName {
    const [only, ...others] = tcpPorts(service);
    const port = only && others.length === 0 ? only.port : null;
    return { namespace: service.metadata.namespace ?? '', service: service.metadata.name, port };
  }

  function parentView(gateway: Gateway): ParentView {
    const { namespace = '', name } = gateway.metadata;
    const controller = controllerOf(gateway, parents);
    return {
      namespace,
      name,
      className: gateway.spec.gatewayClassName,
      controller,
      authKinds: ['NONE', ...(backends.of(controller)?.kinds ?? [])],
      listeners: gateway.spec.listeners,
      ready: gatewayReady(gateway),
      default: defaultParent?.namespace === namespace && defaultParent.name === name,
    };
  }

  return {
    backend: (name) => view(name, cache.get(name.namespace, name.service)),
    backends: () => [...cache.list()].filter(isExposable).map((service) => view(nameOf(service), service)),
    ready: ({ namespace, service }) =>
      [...slicesOf(`${namespace}/${service}`)].some((slice) =>
        slice.endpoints?.some(({ conditions }) => conditions?.ready !== false),
      ),
    parent: ({ namespace, name }) => {
      const gateway = parents.gateway(namespace, name);
      return gateway ? parentView(gateway) : null;
    },
    parents: () => {
      refuseUnread(cluster.cache(gateways));
      return [...cluster.cache(gateways).list()]
        .map(parentView)
        .toSorted((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
    },
  };
}
