import type { BackendView } from './exposable.ts';
import type { GatewayFilter, GatewayView } from './service.ts';

const oneOf = (values: readonly string[] | null | undefined, value: string | null): boolean =>
  !values || (value !== null && values.includes(value));

/** Every word must occur in one of the texts. */
function searching(search: string | null | undefined): (texts: readonly (string | null)[]) => boolean {
  const words = search?.toLowerCase().split(/\s+/).filter(Boolean) ?? [];
  return (texts) => {
    const text = texts.join('\n').toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

/** Compiles the filter of `gateways` and `gatewayChanged`. */
export function gatewayMatcher(filter: GatewayFilter | null | undefined): (gateway: GatewayView) => boolean {
  if (!filter) return () => true;
  const found = searching(filter.search);
  const { serviceRunId = null } = filter;
  return (gateway) =>
    oneOf(filter.namespace, gateway.namespace) &&
    oneOf(filter.project, gateway.project) &&
    oneOf(filter.phase, gateway.status.phase) &&
    (serviceRunId === null || gateway.serviceRunId === serviceRunId) &&
    found([gateway.name, gateway.namespace, gateway.project, gateway.backend?.service ?? null, ...gateway.hostnames]);
}

export interface GatewayBackendFilter {
  namespace?: readonly string[] | null | undefined;
  project?: readonly string[] | null | undefined;
  search?: string | null | undefined;
}

/** Compiles the filter of `gatewayBackends`. */
export function backendMatcher(filter: GatewayBackendFilter | null | undefined): (backend: BackendView) => boolean {
  if (!filter) return () => true;
  const found = searching(filter.search);
  return ({ namespace, project, service, labels }) =>
    oneOf(filter.namespace, namespace) &&
    oneOf(filter.project, project) &&
    found([service, namespace, project, ...Object.values(labels)]);
}
