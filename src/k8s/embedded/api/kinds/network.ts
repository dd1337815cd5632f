import { isIPv4, isIPv6 } from 'node:net';
import type { EndpointSlice, Service, ServicePortSpec } from '../../../resources.ts';
import type { Definition, Draft, Surroundings } from '../definition.ts';
import { endpointSlice as endpointSliceSchema } from '../schemas/discovery.ts';
import { service as serviceSchema } from '../schemas/service.ts';
import type { FieldError } from '../status.ts';
import {
  duplicateValue,
  forbiddenField,
  invalidValue,
  requiredValue,
  unsupportedValue,
} from '../validation/field-errors.ts';
import { labelProblems, subdomainProblems } from '../validation/names.ts';
import { immutable } from '../validation/object.ts';
import { validatePort, validatePortNumberOrName, validateProtocol } from '../validation/pod.ts';
import { ageColumn, joined, nameColumn, textColumn } from './columns.ts';

type ServiceSpec = Service['spec'] & Record<string, unknown>;
const specOfService = (object: Draft) => object.spec as ServiceSpec;

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const none = 'None';

function defaultService(object: Draft, old: Draft | undefined): void {
  const spec = specOfService(object);
  spec.sessionAffinity ??= 'None';
  if (spec.sessionAffinity === 'ClientIP') spec.sessionAffinityConfig ??= { clientIP: { timeoutSeconds: 10_800 } };
  else delete spec.sessionAffinityConfig;
  spec.type ??= 'ClusterIP';
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP';
    if (!port.targetPort) port.targetPort = port.port;
  }
  if (isOutside(spec)) spec.externalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
  if (spec.type === 'ExternalName') return;
  spec.internalTrafficPolicy ??= 'Cluster';
  keepAddress(spec, old);
}

/** Whether it can be reached from outside of the cluster. */
function isOutside({ type, externalIPs = [] }: ServiceSpec): boolean {
  return type === 'NodePort' || type === 'LoadBalancer' || (type === 'ClusterIP' && externalIPs.length > 0);
}

/** What only made sense outside of the cluster goes with it, unless the client says something about it. */
function dropOutside(object: Draft, old: Draft): void {
  const [spec, before] = [specOfService(object), specOfService(old)];
  if (isOutside(spec) || spec.externalTrafficPolicy !== before.externalTrafficPolicy) return;
  const { externalTrafficPolicy: _, ...rest } = spec;
  object.spec = rest;
}

/** What the server decides together with the address, so that it is no field of whoever wrote the Service. */
function defaultFamilies(object: Draft): void {
  const spec = specOfService(object);
  if (spec.type === 'ExternalName') return;
  object.spec = {
    ...spec,
    ipFamilies: spec.ipFamilies ?? ['IPv4'],
    ipFamilyPolicy: spec.ipFamilyPolicy ?? 'SingleStack',
  };
}

/** A client that does not repeat the address means to keep it. */
function keepAddress(spec: ServiceSpec, old: Draft | undefined): void {
  const before = old ? specOfService(old) : undefined;
  if (!spec.clusterIP && before?.clusterIP && before.type !== 'ExternalName') spec.clusterIP = before.clusterIP;
  if (spec.clusterIP) spec.clusterIPs ??= [spec.clusterIP];
  if (!before || before.type === 'ExternalName') return;
  for (const field of ['ipFamilies', 'ipFamilyPolicy']) if (before[field] !== undefined) spec[field] ??= before[field];
}

function takesAddress(spec: ServiceSpec): boolean {
  return spec.type !== 'ExternalName' && !spec.clusterIP;
}

function allocate(object: Draft, around: Surroundings): void {
  const spec = specOfService(object);
  if (!takesAddress(spec)) return;
  const address = around.allocateClusterIP();
  if (address) object.spec = { ...spec, clusterIP: address, clusterIPs: [address] };
}

function release(object: Draft, around: Surroundings): void {
  const { clusterIP } = specOfService(object);
  if (clusterIP && clusterIP !== none) around.releaseClusterIP(clusterIP);
}

function prepareUpdate(object: Draft, old: Draft, around: Surroundings): void {
  defaultFamilies(object);
  dropOutside(object, old);
  if (specOfService(object).type !== 'ExternalName') return allocate(object, around);
  if (specOfService(old).type !== 'ExternalName') release(old, around);
}

function validateService(object: Draft): FieldError[] {
  const spec = specOfService(object);
  const type = spec.type ?? '';
  if (!types.includes(type)) return [unsupportedValue('spec.type', type, types)];
  const ports = spec.ports ?? [];
  const errors = ports.flatMap((port, index) => validateServicePort(port, index, ports));
  if (type === 'ExternalName') return [...errors, ...validateExternalName(spec)];
  if (ports.length === 0 && spec.clusterIP !== none) errors.push(requiredValue('spec.ports'));
  const affinities = ['ClientIP', 'None'];
  const affinity = String(spec.sessionAffinity);
  if (!affinities.includes(affinity)) errors.push(unsupportedValue('spec.sessionAffinity', affinity, affinities));
  const { clusterIP, externalTrafficPolicy } = spec;
  if (externalTrafficPolicy !== undefined && !isOutside(spec)) {
    const detail = 'may only be set for externally-accessible services';
    errors.push(invalidValue('spec.externalTrafficPolicy', externalTrafficPolicy, detail));
  }
  if (clusterIP && clusterIP !== none && !isIPv4(clusterIP) && !isIPv6(clusterIP)) {
    errors.push(
      invalidValue('spec.clusterIPs[0]', clusterIP, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'),
    );
  }
  return errors;
}

function validateExternalName(spec: ServiceSpec): FieldError[] {
  const name = spec.externalName ?? '';
  const errors = name
    ? subdomainProblems(name.replace(/\.$/, '').toLowerCase()).map((problem) =>
        invalidValue('spec.externalName', name, problem),
      )
    : [requiredValue('spec.externalName')];
  if (spec.clusterIP) errors.push(forbiddenField('spec.clusterIPs[0]', 'may not be set when `type` is ExternalName'));
  return errors;
}

function validateServicePort(port: ServicePortSpec, index: number, ports: readonly ServicePortSpec[]): FieldError[] {
  const at = `spec.ports[${index}]`;
  const errors: FieldError[] = [];
  if (!port.name) {
    if (ports.length > 1) errors.push(requiredValue(`${at}.name`));
  } else {
    errors.push(...labelProblems(port.name).map((problem) => invalidValue(`${at}.name`, port.name, problem)));
    if (ports.findIndex((each) => each.name === port.name) < index)
      errors.push(duplicateValue(`${at}.name`, port.name));
  }
  errors.push(...validatePort(port.port, `${at}.port`));
  errors.push(...validateProtocol(port.protocol, `${at}.protocol`));
  errors.push(...validatePortNumberOrName(port.targetPort, `${at}.targetPort`));
  const same = ports.findIndex((each) => each.port === port.port && each.protocol === port.protocol);
  if (same < index) errors.push(duplicateValue(at, portIdentity(port)));
  return errors;
}

/** The server prints the Go struct that it compares ports by. */
function portIdentity({ port, protocol = '' }: ServicePortSpec) {
  return { Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 };
}

/** An address stays as long as the Service has one. */
function validateServiceUpdate(next: Draft, live: Draft): FieldError[] {
  const [after, before] = [specOfService(next), specOfService(live)];
  if (!before.clusterIP || before.type === 'ExternalName' || after.type === 'ExternalName') return [];
  if (after.clusterIP === before.clusterIP) return [];
  return [invalidValue('spec.clusterIPs[0]', after.clusterIPs ?? [], 'may not change once set')];
}

function portsText(object: Draft): string {
  const ports = (specOfService(object).ports ?? []).map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  );
  return ports.join(',') || '<none>';
}

function externalText(object: Draft): string {
  const spec = specOfService(object);
  if (spec.type === 'ExternalName') return spec.externalName ?? '';
  const status = object.status as Service['status'];
  const ingress = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '');
  const addresses = [...(spec.type === 'LoadBalancer' ? ingress : []), ...(spec.externalIPs ?? [])].join(',');
  return addresses || (spec.type === 'LoadBalancer' ? '<pending>' : '<none>');
}

export const service: Definition = {
  deleteReturnsObject: true,
  createOnUpdate: true,
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  nameRule: 'label',
  description: 'Service is a named address in front of a set of Pods.',
  schema: serviceSchema,
  statusSubresource: true,
  selectableFields: {
    'spec.clusterIP': (object) => specOfService(object).clusterIP ?? '',
    'spec.type': (object) => specOfService(object).type ?? '',
  },
  columns: [
    nameColumn,
    textColumn('Type', 'How the Service is reached.', (object) => specOfService(object).type ?? ''),
    textColumn(
      'Cluster-IP',
      'The address inside the cluster.',
      (object) => specOfService(object).clusterIPs?.[0] ?? '<none>',
    ),
    textColumn('External-IP', 'The addresses outside the cluster.', externalText),
    textColumn('Port(s)', 'Ports and protocols.', portsText),
    ageColumn,
    textColumn('Selector', 'Labels of the Pods.', (object) => joined(specOfService(object).selector), 1),
  ],
  applyDefaults: defaultService,
  prepareCreate: defaultFamilies,
  allocate,
  prepareUpdate,
  validate: validateService,
  validateUpdate: validateServiceUpdate,
  afterDelete: release,
};

const asSlice = (object: Draft) => object as unknown as EndpointSlice;

function shortList(items: readonly string[]): string {
  if (items.length === 0) return '<unset>';
  return items.length > 3 ? `${items.slice(0, 3).join(',')} + ${items.length - 3} more...` : items.join(',');
}

function validateSlice(object: Draft): FieldError[] {
  const { addressType, endpoints, ports } = asSlice(object);
  const families = ['FQDN', 'IPv4', 'IPv6'];
  if (!addressType) return [requiredValue('addressType')];
  if (!families.includes(addressType)) return [unsupportedValue('addressType', addressType, families)];
  const errors = (endpoints ?? []).flatMap(({ addresses }, index): FieldError[] => {
    const at = `endpoints[${index}].addresses`;
    if ((addresses ?? []).length === 0) return [requiredValue(at, 'must contain at least 1 address')];
    // The addresses of this cluster are loopback ones, which a real one refuses.
    return addresses.flatMap((address, place) => {
      const valid = addressType === 'IPv4' ? isIPv4(address) : addressType === 'IPv6' ? isIPv6(address) : true;
      return valid ? [] : [invalidValue(`${at}[${place}]`, address, `must be a valid ${addressType} address`)];
    });
  });
  for (const [index, { protocol }] of (ports ?? []).entries())
    errors.push(...validateProtocol(protocol, `ports[${index}].protocol`));
  return errors;
}

export const endpointSlice: Definition = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  singular: 'endpointslice',
  namespaced: true,
  description: 'EndpointSlice lists addresses and ports that stand behind a Service.',
  schema: endpointSliceSchema,
  generationOf: ({ endpoints, ports, metadata }) => [endpoints, ports, metadata.labels ?? {}],
  columns: [
    nameColumn,
    textColumn('AddressType', 'The kind of the addresses.', (object) => asSlice(object).addressType),
    textColumn('Ports', 'The first ports.', (object) =>
      shortList(
        (asSlice(object).ports ?? []).map(({ port, name }) => (port === undefined ? (name ?? '*') : String(port))),
      ),
    ),
    textColumn('Endpoints', 'The first addresses.', (object) =>
      shortList((asSlice(object).endpoints ?? []).flatMap(({ addresses }) => addresses)),
    ),
    ageColumn,
  ],
  applyDefaults(object) {
    for (const port of asSlice(object).ports ?? []) {
      port.name ??= '';
      port.protocol ??= 'TCP';
    }
  },
  validate: validateSlice,
  validateUpdate: (next, live) => immutable(asSlice(next).addressType, asSlice(live).addressType, 'addressType'),
};
